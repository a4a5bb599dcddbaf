//! Looks into quarantine, and lets records go through again.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, FromRow};

use super::Records;
use super::staged_key::shown_key;
use super::staging_table::{records_table, state_table};
use crate::base::{Error, Result};
use crate::db::{AnyRow, Conn, Rows, quote};
use crate::on_conn;

/// A record in quarantine. Its text stays in staging, or in `raw`.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Quarantined {
    /// Its number.
    pub id: i64,
    /// The staging table it was meant for or is in.
    pub source_table: String,
    /// Its file.
    pub file: String,
    /// SHA-256 of the file.
    pub file_hash: String,
    /// Its first line in the file.
    pub line: i64,
    /// Its staging row; `None` when it could not be read.
    pub row_id: Option<i64>,
    /// Its key in staging, as `key:` of its `ingest` task says; `None` when there is none, or it could not be read.
    pub key: Option<String>,
    /// The reasons, a JSON array.
    pub reasons: String,
    /// What was expected, without values.
    pub detail: String,
    /// The run that set it aside.
    pub run_id: String,
    /// And its task.
    pub task_id: String,
    /// When.
    pub at: DateTime<Utc>,
    /// `open`, or `replayed`: it went through again.
    pub state: String,
}

impl<'r, R: AnyRow> FromRow<'r, R> for Quarantined {
    fn from_row(row: &'r R) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.int("id")?,
            source_table: row.text("source_table")?,
            file: row.text("file")?,
            file_hash: row.text("file_hash")?,
            line: row.int("line")?,
            row_id: row.int_or_null("row_id")?,
            key: None,
            reasons: row.text("reasons")?,
            detail: row.text("detail")?,
            run_id: row.text("run_id")?,
            task_id: row.text("task_id")?,
            at: row.time("at")?,
            state: row.text("state")?,
        })
    }
}

/// Which records of quarantine are meant.
#[derive(Debug, Clone, Default)]
pub struct QuarantineFilter {
    /// Of this staging table only.
    pub source_table: Option<String>,
    /// With this reason only.
    pub reason: Option<String>,
    /// Those that went through again, too.
    pub replayed: bool,
}

/// What a replay set in motion.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Records that the next `process` task takes again.
    pub waiting: u64,
    /// Records of the same staging tables that waited already, and are taken with them.
    pub others: u64,
    /// Records that could not be read, and can only be delivered anew.
    pub unreadable: u64,
    /// The staging tables in which records wait.
    pub tables: Vec<String>,
}

const COLUMNS: &str =
    "id, source_table, file, file_hash, line, row_id, reasons, detail, run_id, task_id, at, state";
/// Reasons are JSON texts between quotes, so that one is found as such.
const MATCHING: &str = "($1 IS NULL OR source_table = $1) AND ($2 IS NULL OR reasons LIKE $2)";

impl QuarantineFilter {
    fn state(&self) -> &'static str {
        match self.replayed {
            true => "",
            false => " AND state = 'open'",
        }
    }

    fn pattern(&self) -> Option<String> {
        self.reason.as_ref().map(|reason| format!("%\"{reason}\"%"))
    }
}

impl Records {
    /// Records in quarantine, by number, at most `limit`.
    ///
    /// # Errors
    /// The database's.
    pub async fn quarantined(
        &self,
        filter: &QuarantineFilter,
        limit: u64,
    ) -> Result<Vec<Quarantined>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM quarantine WHERE {MATCHING}{} ORDER BY id LIMIT $3",
            filter.state()
        );
        let mut read = self.read().await?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut found: Vec<Quarantined> = on_conn!(read.conn()?, c => sqlx::query_as(AssertSqlSafe(sql))
            .bind(&filter.source_table).bind(filter.pattern()).bind(limit)
            .fetch_all(&mut *c).await)?;
        add_keys(read.conn()?, &mut found).await?;
        Ok(found)
    }

    /// How many records of each staging table have each reason; a record counts for all of its reasons.
    ///
    /// # Errors
    /// The database's.
    pub async fn quarantine_reasons(
        &self,
        filter: &QuarantineFilter,
    ) -> Result<BTreeMap<(String, String), u64>> {
        let sql = format!(
            "SELECT source_table, reasons, COUNT(*) FROM quarantine WHERE {MATCHING}{} GROUP BY source_table, reasons",
            filter.state()
        );
        let mut read = self.read().await?;
        let counted: Vec<(String, String, i64)> = on_conn!(read.conn()?, c => {
            sqlx::query_as(AssertSqlSafe(sql)).bind(&filter.source_table).bind(filter.pattern()).fetch_all(&mut *c).await
        })?;
        let mut found: BTreeMap<(String, String), u64> = BTreeMap::new();
        for (table, reasons, records) in counted {
            let reasons: Vec<String> = serde_json::from_str(&reasons).unwrap_or(vec![reasons]);
            let asked = filter.reason.as_ref();
            let reasons = reasons.into_iter();
            for reason in reasons.filter(|reason| asked.is_none_or(|asked| asked == reason)) {
                *found.entry((table.clone(), reason)).or_default() += records.max(0) as u64;
            }
        }
        Ok(found)
    }

    /// The record `id`, with its bytes when it could not be read.
    ///
    /// # Errors
    /// When there is none.
    pub async fn quarantined_record(&self, id: i64) -> Result<(Quarantined, Option<Vec<u8>>)> {
        let mut read = self.read().await?;
        let sql = format!("SELECT {COLUMNS} FROM quarantine WHERE id = $1");
        let found: Option<Quarantined> = on_conn!(read.conn()?, c => {
            sqlx::query_as(AssertSqlSafe(sql)).bind(id).fetch_optional(&mut *c).await
        })?;
        let mut found = found.ok_or_else(|| {
            Error::new(format!("record {id} is not in quarantine"))
                .hint("`galen quarantine list` shows the numbers")
        })?;
        add_keys(read.conn()?, std::slice::from_mut(&mut found)).await?;
        const RAW: &str = "SELECT raw FROM quarantine WHERE id = $1";
        let raw =
            on_conn!(read.conn()?, c => sqlx::query_scalar(RAW).bind(id).fetch_one(&mut *c).await)?;
        Ok((found, raw))
    }

    /// Lets open records go through again: the next `process` task of their staging table takes them, and those that still fail come back
    /// with their reasons.
    ///
    /// # Errors
    /// The database's.
    pub async fn replay(&self, filter: &QuarantineFilter) -> Result<Replayed> {
        let mut tx = self.begin().await?;
        let tables_sql = format!(
            "SELECT DISTINCT source_table FROM quarantine WHERE {MATCHING} AND state = 'open' AND row_id IS NOT NULL ORDER BY source_table"
        );
        let tables: Vec<String> = on_conn!(tx.conn()?, c => sqlx::query_scalar(AssertSqlSafe(tables_sql))
            .bind(&filter.source_table).bind(filter.pattern()).fetch_all(&mut *c).await)?;
        for table in &tables {
            let sql = format!(
                "UPDATE {} SET _processed = FALSE, _batch_id = NULL WHERE _row_id IN
                 (SELECT row_id FROM quarantine WHERE source_table = $1 AND ($2 IS NULL OR reasons LIKE $2) AND state = 'open')",
                quote(&state_table(table))
            );
            on_conn!(tx.conn()?, c => sqlx::query(AssertSqlSafe(sql))
                .bind(table).bind(filter.pattern()).execute(&mut *c).await.map(drop))?;
        }
        let unreadable_sql = format!(
            "SELECT COUNT(*) FROM quarantine WHERE {MATCHING} AND state = 'open' AND row_id IS NULL"
        );
        let unreadable: i64 = on_conn!(tx.conn()?, c => sqlx::query_scalar(AssertSqlSafe(unreadable_sql))
            .bind(&filter.source_table).bind(filter.pattern()).fetch_one(&mut *c).await)?;
        let mark = format!(
            "UPDATE quarantine SET state = 'replayed' WHERE {MATCHING} AND state = 'open' AND row_id IS NOT NULL"
        );
        let waiting = on_conn!(tx.conn()?, c => sqlx::query(AssertSqlSafe(mark))
            .bind(&filter.source_table).bind(filter.pattern()).execute(&mut *c).await.map(|done| done.rows_affected()))?;
        let mut others = 0;
        for table in &tables {
            let sql = format!(
                "SELECT COUNT(*) FROM {} WHERE NOT _processed",
                quote(&state_table(table))
            );
            let waits: i64 = on_conn!(tx.conn()?, c => sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut *c).await)?;
            others += waits as u64;
        }
        tx.commit().await?;
        Ok(Replayed {
            waiting,
            others: others.saturating_sub(waiting),
            unreadable: unreadable as u64,
            tables,
        })
    }
}

/// Gives `found` the keys of their staging rows.
async fn add_keys(mut conn: Conn<'_>, found: &mut [Quarantined]) -> Result<()> {
    let tables: BTreeSet<String> = found.iter().map(|r| r.source_table.clone()).collect();
    for table in tables {
        let of_table = |record: &&Quarantined| record.source_table == table;
        let row_ids = found.iter().filter(of_table).filter_map(|r| r.row_id);
        let rows = Rows::new().int("row_id", row_ids);
        if rows.is_empty() {
            continue;
        }
        let sql = format!(
            "SELECT s._row_id, s._key FROM ({{rows}}) AS v CROSS JOIN {} AS s WHERE s._row_id = v.row_id",
            quote(&records_table(&table))
        );
        let keys: Vec<(i64, Option<String>)> = rows.fetch(conn.again(), &sql).await?;
        let keys: HashMap<i64, Option<String>> = keys.into_iter().collect();
        for record in found.iter_mut().filter(|r| r.source_table == table) {
            let key = record.row_id.and_then(|id| keys.get(&id)?.as_deref());
            record.key = key.map(|key| shown_key(key).to_string());
        }
    }
    Ok(())
}
