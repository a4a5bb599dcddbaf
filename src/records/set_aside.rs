//! Staged records that cannot go on: into quarantine, and out of it again.

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;

use super::batch::{Batch, Writer};
use super::staging_table::records_table;
use crate::base::Result;
use crate::db::{Conn, Rows, quote};
use crate::on_conn;

const NEXT_ID: &str = "SELECT COALESCE(MAX(id), 0) + 1 FROM quarantine";
const FORGET: &str = "DELETE FROM quarantine WHERE source_table = $1 AND row_id IN";

/// Sets aside the records of `batch` that have a reason. One that was set aside before and replayed is set aside anew.
pub(super) async fn write(
    mut conn: Conn<'_>,
    writer: &Writer,
    batch: &Batch<'_>,
    at: DateTime<Utc>,
) -> Result<()> {
    let mut bad: Vec<(i64, String, String)> = Vec::new();
    for (record, (delivered, reasons)) in batch.delivered.iter().zip(&batch.reasons).enumerate() {
        if !reasons.is_empty() {
            let expected = batch.expected.get(&record);
            bad.push((
                delivered.row_id,
                serde_json::Value::from(reasons.clone()).to_string(),
                expected.map_or_else(String::new, |expected| expected.join("; ")),
            ));
        }
    }
    if bad.is_empty() {
        return Ok(());
    }
    let row_ids: Vec<i64> = bad.iter().map(|(row_id, ..)| *row_id).collect();
    let row_ids = serde_json::Value::from(row_ids).to_string();
    let forget = match conn.is_postgres() {
        true => format!(
            "{FORGET} (SELECT value::bigint FROM json_array_elements_text($2::json) AS k(value))"
        ),
        false => format!("{FORGET} (SELECT value FROM json_each($2))"),
    };
    on_conn!(conn.again(), c => {
        sqlx::query(AssertSqlSafe(forget)).bind(&writer.source_table).bind(row_ids).execute(&mut *c).await.map(drop)
    })?;
    let next: i64 =
        on_conn!(conn.again(), c => sqlx::query_scalar(NEXT_ID).fetch_one(&mut *c).await)?;
    let rows = Rows::new()
        .int("id", next..next + bad.len() as i64)
        .int("row_id", bad.iter().map(|(row_id, ..)| *row_id))
        .text(
            "reasons",
            bad.iter().map(|(_, reasons, _)| reasons.as_str()),
        )
        .text("detail", bad.iter().map(|(.., detail)| detail.as_str()))
        .constant_text("source_table", &writer.source_table)
        .constant_text("run_id", writer.run_id.as_str())
        .constant_text("task_id", writer.task_id.as_str())
        .constant_time("at", at);
    let sql = format!(
        "INSERT INTO quarantine (id, source_table, file, file_hash, line, row_id, reasons, detail, run_id, task_id, at, state)
         SELECT v.id, v.source_table, c.file, c.file_hash, s._line, v.row_id, v.reasons, v.detail, v.run_id, v.task_id, v.at, 'open'
         FROM ({{rows}}) AS v CROSS JOIN {} AS s JOIN _chunks AS c ON c.chunk = s._chunk WHERE s._row_id = v.row_id",
        quote(&records_table(&writer.source_table))
    );
    rows.execute(conn, &sql).await.map(drop)
}
