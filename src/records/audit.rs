//! The row audit: what changed in each table, kept batch by batch, and the chain of digests over it.

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};
use sqlx::FromRow;

use super::row_json::{push_text, row_json};
use crate::base::{Cell, Digest, Result, RunId, TableColumn, TaskId};
use crate::db::{AnyRow, Conn, Rows};

/// The changes of one table in one batch, as a JSON array. `["key", {"column": value, …}]` is a row that was inserted;
/// `["key", {after}, {before}, batch]` one that was updated, with the columns that changed and the batch that wrote the row before, or `null`.
///
/// One text for many rows costs a fraction of a row each, and is what the digest is taken of. The view `audit_log` has a row for each.
pub(super) struct Changes<'a> {
    table: &'a str,
    len: u64,
    json: String,
}

impl<'a> Changes<'a> {
    pub fn new(table: &'a str) -> Self {
        Self {
            table,
            len: 0,
            json: "[".to_owned(),
        }
    }

    pub fn inserted<'c>(
        &mut self,
        key: &str,
        after: impl Iterator<Item = (&'c TableColumn, &'c Cell)>,
    ) {
        self.begin(key);
        row_json(&mut self.json, after);
        self.json.push(']');
    }

    pub fn updated<'c>(
        &mut self,
        key: &str,
        after: impl Iterator<Item = (&'c TableColumn, &'c Cell)>,
        before: impl Iterator<Item = (&'c TableColumn, &'c Cell)>,
        previous: Option<i64>,
    ) {
        self.begin(key);
        row_json(&mut self.json, after);
        self.json.push(',');
        row_json(&mut self.json, before);
        self.json.push(',');
        match previous {
            Some(batch) => self.json.push_str(&batch.to_string()),
            None => self.json.push_str("null"),
        }
        self.json.push(']');
    }

    fn begin(&mut self, key: &str) {
        if self.len > 0 {
            self.json.push(',');
        }
        self.len += 1;
        self.json.push('[');
        push_text(&mut self.json, key);
        self.json.push(',');
    }

    /// The changes with the number of the first, behind `last`; `None` when there are none.
    pub fn numbered(mut self, last: &mut i64) -> Option<Part<'a>> {
        if self.len == 0 {
            return None;
        }
        self.json.push(']');
        let id = *last + 1;
        *last += self.len as i64;
        Some(Part {
            id,
            table: self.table,
            json: self.json,
        })
    }

    #[cfg(test)]
    pub fn json(&self) -> String {
        format!("{}]", self.json)
    }
}

/// A row of `_changes`.
pub(super) struct Part<'a> {
    /// Number of its first change; changes are counted from 1, without gaps.
    id: i64,
    table: &'a str,
    json: String,
}

/// Writes the parts of batch `batch`.
pub(super) async fn insert(conn: Conn<'_>, batch: i64, parts: &[Part<'_>]) -> Result<()> {
    Rows::new()
        .int("id", parts.iter().map(|part| part.id))
        .text("table_name", parts.iter().map(|part| part.table))
        .text("changes", parts.iter().map(|part| part.json.as_str()))
        .constant_int("batch", batch)
        .insert(conn, "_changes")
        .await
        .map(drop)
}

/// Who changed what a batch changed, and when.
pub(super) struct Stamp<'a> {
    pub batch: i64,
    pub run_id: &'a str,
    pub task_id: &'a str,
    pub at: DateTime<Utc>,
}

impl<'a> Stamp<'a> {
    pub fn new(batch: i64, run_id: &'a RunId, task_id: &'a TaskId, at: DateTime<Utc>) -> Self {
        Self {
            batch,
            run_id: run_id.as_str(),
            task_id: task_id.as_str(),
            at,
        }
    }
}

/// The chain's next digest, as it is built up: SHA-256 of the hexadecimal digest before, and then lines, each after a line feed: for the
/// batch `[batch, run_id, task_id, time in microseconds]` and for each of its rows in `_changes` `[id, table_name]` (JSON without blanks) and
/// then `changes` as it is.
pub(super) struct Chain(Sha256);

impl Chain {
    pub fn new(previous: &Digest, stamp: &Stamp<'_>) -> Self {
        let mut chain = Self(Sha256::new());
        chain.0.update(previous.to_string());
        let at = stamp.at.timestamp_micros();
        chain.json(&(stamp.batch, stamp.run_id, stamp.task_id, at));
        chain
    }

    pub fn part(&mut self, part: &Part<'_>) {
        self.stored(part.id, part.table, &part.json);
    }

    pub fn stored(&mut self, id: i64, table: &str, changes: &str) {
        self.json(&(id, table));
        self.line(changes.as_bytes());
    }

    fn json(&mut self, line: &impl serde::Serialize) {
        // texts and numbers cannot fail to be written as JSON
        self.line(&serde_json::to_vec(line).unwrap_or_default());
    }

    fn line(&mut self, line: &[u8]) {
        self.0.update(b"\n");
        self.0.update(line);
    }

    pub fn digest(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

/// A row of the view `audit_log`: one change of one row.
#[derive(Debug, Clone, serde::Serialize)]
pub struct AuditRow {
    /// Its number, from 1, without gaps.
    pub id: i64,
    /// The table that changed.
    pub table_name: String,
    /// `insert` or `update`.
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
