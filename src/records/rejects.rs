//! Records that could not be read, on their way into quarantine.

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::AssertSqlSafe;

use super::staging::Delivery;
use crate::base::{BadRecord, Result};
use crate::db::Conn;
use crate::on_conn;

const NEXT_ID: &str = "SELECT COALESCE(MAX(id), 0) + 1 FROM quarantine";
const COLUMNS: &str =
    "id, source_table, file, file_hash, line, reasons, detail, raw, run_id, task_id, at, state";

/// Rows of one statement.
const CHUNK: usize = 100;

/// Puts `rejects` of `delivery` into quarantine.
pub(super) async fn quarantine(
    mut conn: Conn<'_>,
    delivery: &Delivery,
    rejects: &[BadRecord],
    at: DateTime<Utc>,
) -> Result<()> {
    if rejects.is_empty() {
        return Ok(());
    }
    let mut id: i64 =
        on_conn!(conn.again(), c => sqlx::query_scalar(NEXT_ID).fetch_one(&mut *c).await)?;
    for chunk in rejects.chunks(CHUNK) {
        let sql = format!(
            "INSERT INTO quarantine ({COLUMNS}) VALUES {}",
            values(chunk.len())
        );
        let file_hash = delivery.file_hash.to_string();
        on_conn!(conn.again(), c => {
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for (id, reject) in (id..).zip(chunk) {
                query = query
                    .bind(id)
                    .bind(&delivery.into)
                    .bind(&delivery.file)
                    .bind(&file_hash)
                    .bind(reject.line as i64)
                    .bind(json!([reject.reason]).to_string())
                    .bind(&reject.detail)
                    .bind(&reject.raw)
                    .bind(delivery.run_id.as_str())
                    .bind(delivery.task_id.as_str())
                    .bind(at);
            }
            query.execute(&mut *c).await.map(drop)
        })?;
        id += chunk.len() as i64;
    }
    Ok(())
}

/// `($1, …, $11, 'open'), …`
fn values(rows: usize) -> String {
    let row = |row: usize| {
        let parameters: Vec<String> = (1..=11).map(|n| format!("${}", row * 11 + n)).collect();
        format!("({}, 'open')", parameters.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}
