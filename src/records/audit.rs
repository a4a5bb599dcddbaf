//! The row audit: a row of `audit_log` for each real change, and the chain of digests over them.

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};

use crate::base::{Digest, Result};
use crate::db::{Conn, Rows};

/// One change of one row.
pub(super) struct Change {
    pub table: String,
    /// `insert` or `update`.
    pub operation: &'static str,
    pub record_id: String,
    /// JSON of the values that changed, before.
    pub old: Option<String>,
    /// JSON of the values, after.
    pub new: String,
    /// The batch that changed the row before.
    pub previous: Option<i64>,
}

/// What the rows of one batch have in common.
pub(super) struct Stamp<'a> {
    pub batch: i64,
    pub batch_id: &'a str,
    pub changed_by: &'a str,
    pub at: DateTime<Utc>,
}

const INSERT: &str = "INSERT INTO audit_log
    (id, table_name, operation, record_id, changed_by, changed_at, old_values, new_values, _batch, _previous)
    SELECT id, table_name, operation, record_id, changed_by, changed_at, old_values, new_values, _batch, _previous
    FROM ({rows}) AS v";

/// Writes `changes` behind row `last` of the log.
pub(super) async fn insert(
    conn: Conn<'_>,
    changes: &[Change],
    last: i64,
    stamp: &Stamp<'_>,
) -> Result<()> {
    let rows = Rows::new()
        .int("id", (last + 1)..=(last + changes.len() as i64))
        .text("table_name", changes.iter().map(|c| c.table.as_str()))
        .text("operation", changes.iter().map(|c| c.operation))
        .text("record_id", changes.iter().map(|c| c.record_id.as_str()))
        .nullable_text("old_values", changes.iter().map(|c| c.old.as_deref()))
        .text("new_values", changes.iter().map(|c| c.new.as_str()))
        .int("_previous", changes.iter().map(|c| c.previous))
        .constant_text("changed_by", stamp.changed_by)
        .constant_time("changed_at", stamp.at)
        .constant_int("_batch", stamp.batch);
    rows.execute(conn, INSERT).await.map(drop)
}

/// The chain's next digest, as it is built up row by row: SHA-256 of the hexadecimal digest before, and then a line each for the batch
/// (`[batch, batch_id]`) and for its rows (`[id, table_name, operation, record_id, changed_by, changed_at in microseconds,
/// old_values, new_values, _previous]`, JSON without blanks, absent values `null`), every line after a line feed.
pub(super) struct Chain(Sha256);

impl Chain {
    pub fn new(previous: &Digest, batch: i64, batch_id: &str) -> Self {
        let mut chain = Self(Sha256::new());
        chain.0.update(previous.to_string());
        chain.line(&(batch, batch_id));
        chain
    }

    pub fn change(&mut self, id: i64, change: &Change, changed_by: &str, at: DateTime<Utc>) {
        self.line(&(
            id,
            &change.table,
            change.operation,
            &change.record_id,
            changed_by,
            at.timestamp_micros(),
            &change.old,
            &change.new,
            change.previous,
        ));
    }

    pub fn row(&mut self, row: &AuditRow) {
        self.line(&(
            row.id,
            &row.table_name,
            &row.operation,
            &row.record_id,
            &row.changed_by,
            row.changed_at.timestamp_micros(),
            &row.old_values,
            &row.new_values,
            row.previous,
        ));
    }

    fn line(&mut self, line: &impl serde::Serialize) {
        self.0.update(b"\n");
        // texts and numbers cannot fail to be written as JSON
        self.0
            .update(serde_json::to_string(line).unwrap_or_default());
    }

    pub fn digest(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

/// A row of `audit_log`, as it is.
#[derive(Debug, Clone, sqlx::FromRow, serde::Serialize)]
pub struct AuditRow {
    /// Its number, from 1, without gaps.
    pub id: i64,
    /// The table that changed.
    pub table_name: String,
    /// `insert`, `update` or `delete`.
    pub operation: String,
    /// The key of the row that changed.
    pub record_id: String,
    /// Run and task, as `run/task`.
    pub changed_by: String,
    /// When.
    pub changed_at: DateTime<Utc>,
    /// JSON of the values that changed, before.
    pub old_values: Option<String>,
    /// JSON of the values, after.
    pub new_values: Option<String>,
    /// The batch.
    #[sqlx(rename = "_batch")]
    pub batch: i64,
    /// The batch that changed the row before.
    #[sqlx(rename = "_previous")]
    pub previous: Option<i64>,
}

/// Columns of [`AuditRow`].
pub(super) const COLUMNS: &str = "id, table_name, operation, record_id, changed_by, changed_at, old_values, new_values, _batch, _previous";
