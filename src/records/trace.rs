//! Where a row came from, and what became of it since.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, FromRow};

use super::Records;
use super::audit::{AuditRow, COLUMNS};
use crate::base::{Error, Result, Table};
use crate::db::{AnyRow, Conn, quote};
use crate::on_conn;

/// The way of one row, from the file to now.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Trace {
    /// The record that last changed the row; `None` for a row that no `process` task wrote.
    pub record: Option<TracedRecord>,
    /// The batch that wrote it.
    pub batch: Option<TracedBatch>,
    /// Its changes, newest first.
    pub history: Vec<AuditRow>,
}

/// A record as it was delivered.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct TracedRecord {
    /// The file.
    pub file: String,
    /// SHA-256 of its bytes, by which the archive keeps it.
    pub file_hash: String,
    /// The line on which the record starts.
    pub line: i64,
    /// SHA-256 of the record.
    pub record_hash: String,
    /// The run that staged it.
    pub staged_by: String,
    /// When.
    pub staged_at: DateTime<Utc>,
}

impl<'r, R: AnyRow> FromRow<'r, R> for TracedRecord {
    fn from_row(row: &'r R) -> sqlx::Result<Self> {
        Ok(Self {
            file: row.text("file")?,
            file_hash: row.text("file_hash")?,
            line: row.int("line")?,
            record_hash: row.text("record_hash")?,
            staged_by: row.text("staged_by")?,
            staged_at: row.time("staged_at")?,
        })
    }
}

/// The batch that wrote a row.
#[derive(Debug, Clone, serde::Serialize)]
pub struct TracedBatch {
    /// Its number.
    pub batch: i64,
    /// Its run.
    pub run_id: String,
    /// Its task.
    pub task_id: String,
    /// The try.
    pub try_number: i64,
    /// The staging table it read.
    pub source_table: String,
    /// When.
    pub at: DateTime<Utc>,
    /// The targets file it applied.
    pub rules_file: String,
    /// SHA-256 of that file.
    pub rules: String,
    /// Its steps in words, a JSON array.
    pub steps: String,
}

impl<'r, R: AnyRow> FromRow<'r, R> for TracedBatch {
    fn from_row(row: &'r R) -> sqlx::Result<Self> {
        Ok(Self {
            batch: row.int("batch")?,
            run_id: row.text("run_id")?,
            task_id: row.text("task_id")?,
            try_number: row.int("try_number")?,
            source_table: row.text("source_table")?,
            at: row.time("at")?,
            rules_file: row.text("rules_file")?,
            rules: row.text("rules")?,
            steps: row.text("steps")?,
        })
    }
}

const BATCH: &str = "SELECT b.batch, b.run_id, b.task_id, b.try_number, b.source_table, b.at, r.file AS rules_file, b.rules, r.steps
    FROM _batches b JOIN _rules r ON r.digest = b.rules WHERE b.batch = $1";

impl Records {
    /// Traces the row of `table` with the key `key`; the parts of a key of several columns are joined by `/`.
    ///
    /// # Errors
    /// When there is no such table or no such row.
    pub async fn trace(&self, table: &str, key: &str) -> Result<Trace> {
        let schema = self.declared().await?;
        let table = schema.table(table)?;
        let mut read = self.read().await?;
        let (row_id, number) = find(read.conn()?, table, key).await?;
        let Some(number) = number else {
            return Ok(Trace {
                record: None,
                batch: None,
                history: Vec::new(),
            });
        };
        let batch: Option<TracedBatch> = on_conn!(read.conn()?, c => sqlx::query_as(BATCH).bind(number).fetch_optional(&mut *c).await)?;
        let record = match (&batch, row_id) {
            (Some(batch), Some(row_id)) => {
                staged(read.conn()?, &batch.source_table, row_id).await?
            }
            _ => None,
        };
        Ok(Trace {
            record,
            batch,
            history: history(read.conn()?, &table.name, key, number).await?,
        })
    }
}

impl Records {
    /// The staging table that each of these batches read.
    ///
    /// # Errors
    /// The database's.
    pub async fn sources_of(&self, batches: &BTreeSet<i64>) -> Result<BTreeMap<i64, String>> {
        let (Some(first), Some(last)) = (batches.first(), batches.last()) else {
            return Ok(BTreeMap::new());
        };
        const SQL: &str =
            "SELECT batch, source_table FROM _batches WHERE batch >= $1 AND batch <= $2";
        let mut read = self.read().await?;
        let found: Vec<(i64, String)> = on_conn!(read.conn()?, c => {
            sqlx::query_as(SQL).bind(first).bind(last).fetch_all(&mut *c).await
        })?;
        let asked = found
            .into_iter()
            .filter(|(batch, _)| batches.contains(batch));
        Ok(asked.collect())
    }
}

async fn find(conn: Conn<'_>, table: &Table, key: &str) -> Result<(Option<i64>, Option<i64>)> {
    let parts = key_parts(key, table.key.len());
    if parts.len() != table.key.len() {
        return Err(Error::new(format!(
            "the key of table `{}` has {} parts",
            table.name,
            table.key.len()
        ))
        .hint(format!("expected `{}`", table.key.join("/"))));
    }
    // compared as text, which every type of key has
    let equal = (1..)
        .zip(&table.key)
        .map(|(n, name)| format!("CAST({} AS TEXT) = ${n}", quote(name)));
    let is_text = table.key.len() == 1
        && table.column(&table.key[0])?.cell_type == crate::base::CellType::Text;
    let equal = match is_text {
        true => format!("{} = $1", quote(&table.key[0])),
        false => equal.collect::<Vec<_>>().join(" AND "),
    };
    let sql = format!(
        "SELECT _row_id, _batch_id FROM {} WHERE {equal}",
        quote(&table.name)
    );
    let found = on_conn!(conn, c => {
        let mut query = sqlx::query_as(AssertSqlSafe(sql));
        for part in parts {
            query = query.bind(part);
        }
        query.fetch_optional(&mut *c).await
    })?;
    found.ok_or_else(|| {
        Error::new(format!("table `{}` has no row with this key", table.name)).hint(format!(
            "the key is `{}`, as `galen export` shows it; `galen quarantine list` shows the records that were set aside",
            table.key.join("/")
        ))
    })
}

/// The parts of a key as [`super::record_id`] joins them.
pub fn key_parts(key: &str, count: usize) -> Vec<String> {
    if count == 1 {
        return vec![key.to_owned()];
    }
    let mut parts = vec![String::new()];
    let mut chars = key.chars();
    while let Some(c) = chars.next() {
        match c {
            '/' => parts.push(String::new()),
            c => {
                let c = if c == '\\' { chars.next() } else { Some(c) };
                if let Some(part) = parts.last_mut() {
                    part.extend(c);
                }
            }
        }
    }
    parts
}

async fn staged(conn: Conn<'_>, table: &str, row_id: i64) -> Result<Option<TracedRecord>> {
    let sql = format!(
        "SELECT _file AS file, _file_hash AS file_hash, _line AS line, _hash AS record_hash, _run_id AS staged_by, _loaded_at AS staged_at
         FROM {} WHERE _row_id = $1",
        quote(table)
    );
    Ok(
        on_conn!(conn, c => sqlx::query_as(AssertSqlSafe(sql)).bind(row_id).fetch_optional(&mut *c).await)?,
    )
}

/// Each change names the batch of the one before, so that none is searched for.
async fn history(mut conn: Conn<'_>, table: &str, key: &str, last: i64) -> Result<Vec<AuditRow>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM audit_log WHERE _batch = $1 AND table_name = $2 AND record_id = $3 ORDER BY id DESC"
    );
    let mut history: Vec<AuditRow> = Vec::new();
    let mut next = Some(last);
    while let Some(batch) = next {
        let rows: Vec<AuditRow> = on_conn!(conn.again(), c => {
            sqlx::query_as(AssertSqlSafe(sql.clone())).bind(batch).bind(table).bind(key).fetch_all(&mut *c).await
        })?;
        next = rows
            .last()
            .and_then(|row| row.previous)
            .filter(|previous| *previous < batch);
        history.extend(rows);
    }
    Ok(history)
}

#[cfg(test)]
mod tests {
    use super::key_parts;

    #[test]
    fn takes_a_joined_key_apart() {
        assert_eq!(key_parts("a/b", 1), ["a/b"]);
        assert_eq!(key_parts("a\\/b/2", 2), ["a/b", "2"]);
    }
}
