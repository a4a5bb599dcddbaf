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

/// Where a staged record stood.
type Place = (i64, String, String, i64);

/// Sets aside the records of `batch` that have a reason. One that was set aside before and replayed is set aside anew.
pub(super) async fn write(
    mut conn: Conn<'_>,
    writer: &Writer,
    batch: &Batch<'_>,
    at: DateTime<Utc>,
) -> Result<()> {
    let mut bad: Vec<(i64, String)> = Vec::new();
    for (row_id, reasons) in batch.row_ids.iter().zip(&batch.reasons) {
        if !reasons.is_empty() {
            bad.push((
                *row_id,
                serde_json::Value::from(reasons.clone()).to_string(),
            ));
        }
    }
    if bad.is_empty() {
        return Ok(());
    }
    let row_ids: Vec<i64> = bad.iter().map(|(row_id, _)| *row_id).collect();
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
    let sql = format!(
        "SELECT s._row_id, s._file, s._file_hash, s._line FROM ({{rows}}) AS v CROSS JOIN {} AS s WHERE s._row_id = v.id",
        quote(&records_table(&writer.source_table))
    );
    let ids = Rows::new().int("id", bad.iter().map(|(row_id, _)| *row_id));
    let mut places: Vec<Place> = ids.fetch(conn.again(), &sql).await?;
    places.sort_unstable_by_key(|(row_id, ..)| *row_id);
    let next: i64 = on_conn!(conn.again(), c => sqlx::query_scalar(AssertSqlSafe(NEXT_ID)).fetch_one(&mut *c).await)?;
    insert(conn, writer, next, &bad, &places, at).await
}

async fn insert(
    conn: Conn<'_>,
    writer: &Writer,
    next: i64,
    bad: &[(i64, String)],
    places: &[Place],
    at: DateTime<Utc>,
) -> Result<()> {
    let rows = Rows::new()
        .int("id", next..next + bad.len() as i64)
        .text("file", places.iter().map(|place| place.1.as_str()))
        .text("file_hash", places.iter().map(|place| place.2.as_str()))
        .int("line", places.iter().map(|place| place.3))
        .int("row_id", bad.iter().map(|(row_id, _)| *row_id))
        .text("reasons", bad.iter().map(|(_, reasons)| reasons.as_str()))
        .constant_text("source_table", &writer.source_table)
        .constant_text("detail", "")
        .constant_text("run_id", writer.run_id.as_str())
        .constant_text("task_id", writer.task_id.as_str())
        .constant_time("at", at)
        .constant_text("state", "open");
    rows.insert(conn, "quarantine").await.map(drop)
}
