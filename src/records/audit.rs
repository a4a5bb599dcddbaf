//! The row audit: a row of `audit_log` for each real change, and the chain of digests over them.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};
use sqlx::FromRow;

use crate::base::{Digest, Result};
use crate::db::{AnyRow, Conn, Rows};

/// One change of one row.
pub(super) struct Change<'a> {
    pub table: &'a str,
    pub record_id: Arc<str>,
    /// JSON of the values that changed, before; `None` for a new row.
    pub old: Option<Arc<str>>,
    /// JSON of the values, after.
    pub new: Arc<str>,
    /// The batch that changed the row before.
    pub previous: Option<i64>,
}

impl Change<'_> {
    const fn operation(&self) -> &'static str {
        match self.old {
            None => "insert",
            Some(_) => "update",
        }
    }
}

/// What the rows of one batch have in common.
pub(super) struct Stamp<'a> {
    pub batch: i64,
    pub batch_id: &'a str,
    pub changed_by: &'a str,
    pub at: DateTime<Utc>,
}

/// Writes `changes` behind row `last` of the log.
pub(super) async fn insert(
    mut conn: Conn<'_>,
    changes: &[Change<'_>],
    last: i64,
    stamp: &Stamp<'_>,
) -> Result<()> {
    let numbered = (last + 1..).zip(changes);
    let (new, changed): (Vec<_>, Vec<_>) = numbered.partition(|(_, change)| change.old.is_none());
    common(&new, stamp)
        .insert(conn.again(), "audit_log")
        .await?;
    let old = changed.iter().map(|(_, change)| change.old.clone());
    let rows = common(&changed, stamp)
        .nullable_text("old_values", old)
        .int("_previous", changed.iter().map(|(_, c)| c.previous));
    rows.insert(conn, "audit_log").await.map(drop)
}

/// What every row of the log has.
fn common<'a>(changes: &[(i64, &'a Change<'_>)], stamp: &Stamp<'a>) -> Rows<'a> {
    Rows::new()
        .int("id", changes.iter().map(|(id, _)| *id))
        .text("table_name", changes.iter().map(|(_, c)| c.table))
        .text("operation", changes.iter().map(|(_, c)| c.operation()))
        .text(
            "record_id",
            changes.iter().map(|(_, c)| Arc::clone(&c.record_id)),
        )
        .text(
            "new_values",
            changes.iter().map(|(_, c)| Arc::clone(&c.new)),
        )
        .constant_text("changed_by", stamp.changed_by)
        .constant_time("changed_at", stamp.at)
        .constant_int("_batch", stamp.batch)
        .folded()
}

/// The chain's next digest, as it is built up row by row: SHA-256 of the hexadecimal digest before, and then a line each for the batch
/// (`[batch, batch_id]`) and for its rows (`[id, table_name, operation, record_id, changed_by, changed_at in microseconds,
/// old_values, new_values, _previous]`, JSON without blanks, absent values `null`), every line after a line feed.
pub(super) struct Chain {
    hash: Sha256,
    line: Vec<u8>,
}

impl Chain {
    pub fn new(previous: &Digest, batch: i64, batch_id: &str) -> Self {
        let mut chain = Self {
            hash: Sha256::new(),
            line: Vec::new(),
        };
        chain.hash.update(previous.to_string());
        chain.line(&(batch, batch_id));
        chain
    }

    pub fn change(&mut self, id: i64, change: &Change<'_>, changed_by: &str, at: DateTime<Utc>) {
        self.line(&(
            id,
            change.table,
            change.operation(),
            &*change.record_id,
            changed_by,
            at.timestamp_micros(),
            change.old.as_deref(),
            &*change.new,
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
        self.line.clear();
        self.line.push(b'\n');
        // texts and numbers cannot fail to be written as JSON
        serde_json::to_writer(&mut self.line, line).ok();
        self.hash.update(&self.line);
    }

    pub fn digest(self) -> Digest {
        Digest(self.hash.finalize().into())
    }
}

/// A row of `audit_log`, as it is.
#[derive(Debug, Clone, serde::Serialize)]
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
    pub batch: i64,
    /// The batch that changed the row before.
    pub previous: Option<i64>,
}

impl<'r, R: AnyRow> FromRow<'r, R> for AuditRow {
    fn from_row(row: &'r R) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.int("id")?,
            table_name: row.text("table_name")?,
            operation: row.text("operation")?,
            record_id: row.text("record_id")?,
            changed_by: row.text("changed_by")?,
            changed_at: row.time("changed_at")?,
            old_values: row.text_or_null("old_values")?,
            new_values: row.text_or_null("new_values")?,
            batch: row.int("_batch")?,
            previous: row.int_or_null("_previous")?,
        })
    }
}

/// Columns of [`AuditRow`].
pub(super) const COLUMNS: &str = "id, table_name, operation, record_id, changed_by, changed_at, old_values, new_values, _batch, _previous";
