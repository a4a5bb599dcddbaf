//! One batch of staged records, written to all its tables.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;

use super::audit::{self, Chain, Part, Stamp};
use super::merge::{Delivered, TableRows};
use super::orphans::reject_orphans;
use super::staging_table::state_table;
use super::table_write::Writing;
use super::{Records, set_aside};
use crate::base::{AuditAnchor, Counts, Digest, Error, Result, RunId, TaskId};
use crate::db::{Conn, Rows, quote};
use crate::on_conn;

/// Who writes.
#[derive(Debug, Clone)]
pub struct Writer {
    /// The run.
    pub run_id: RunId,
    /// The task.
    pub task_id: TaskId,
    /// The try.
    pub try_number: u32,
    /// The staging table read.
    pub source_table: String,
    /// Names the rules applied: see [`Records::note_rules`].
    pub rules: Digest,
}

/// Staged records and the rows made of them.
pub struct Batch<'a> {
    /// Where each record was delivered, ascending.
    pub delivered: &'a [Delivered],
    /// For each record the reasons for which it cannot go on.
    pub reasons: Vec<Vec<&'a str>>,
    /// What was expected of such records, without values.
    pub expected: BTreeMap<usize, Vec<Cow<'a, str>>>,
    /// Rows for each table, parents before children.
    pub tables: Vec<TableRows<'a>>,
    /// Place in `tables` of the main one, by which records are counted.
    pub main: usize,
}

/// What a batch did.
#[derive(Debug, Clone, Default)]
pub struct Written {
    /// What became of the records in the main table.
    pub counts: Counts,
    /// What became of the rows in each table.
    pub tables: BTreeMap<String, Counts>,
}

/// Writes `batch` behind `head`, which it moves on: tables, row audit, quarantine, and the records' `_processed`.
///
/// # Errors
/// A transient one when another task has taken one of the records meanwhile; the database's otherwise. The transaction is of no use then.
pub(super) async fn write(
    mut conn: Conn<'_>,
    writer: &Writer,
    head: &mut Head,
    mut batch: Batch<'_>,
    at: DateTime<Utc>,
) -> Result<Written> {
    let stamp = Stamp::new(head.batch + 1, &writer.run_id, &writer.task_id, at);
    reject_orphans(conn.again(), &mut batch).await?;
    let live: Vec<bool> = batch.reasons.iter().map(Vec::is_empty).collect();
    let mut written = Written::default();
    written.counts.read = batch.delivered.len() as u64;
    written.counts.quarantined = live.iter().filter(|live| !**live).count() as u64;
    let writing = Writing {
        batch: &batch,
        live: &live,
        number: stamp.batch,
        at,
    };
    let results = writing.write(conn.again()).await?;
    let mut last = head.last_audit;
    let mut parts = Vec::with_capacity(results.len());
    for (place, (rows, result)) in batch.tables.iter().zip(results).enumerate() {
        if place == batch.main {
            let own = own_batches(conn.again(), writer, &result.kept_by()).await?;
            result.count_records(&own, &mut written.counts);
        }
        *written.tables.entry(rows.table.name.clone()).or_default() += result.count_rows();
        parts.extend(result.merge.changes.numbered(&mut last));
    }
    let inserting = audit::insert(conn.again(), stamp.batch, &parts);
    // the database works on a thread of its own
    let (inserted, next) = futures::join!(inserting, async { head.next(&parts, last, &stamp) });
    inserted?;
    set_aside::write(conn.again(), writer, &batch, at).await?;
    mark_processed(conn.again(), writer, batch.delivered, stamp.batch).await?;
    next.note(conn, writer, at, &written).await?;
    *head = next;
    Ok(written)
}

impl Records {
    /// Where the row audit stands: the last batch and the digest after it; `None` before the first.
    ///
    /// # Errors
    /// The database's.
    pub async fn audit_head(&self) -> Result<Option<AuditAnchor>> {
        let mut read = self.read().await?;
        let head = Head::read(read.conn()?).await?;
        Ok((head.batch > 0).then_some(AuditAnchor {
            batch: head.batch as u64,
            digest: head.digest,
        }))
    }
}

/// The end of the chain of batches.
pub(super) struct Head {
    pub batch: i64,
    pub last_audit: i64,
    pub digest: Digest,
}

impl Head {
    pub async fn read(conn: Conn<'_>) -> Result<Self> {
        const SQL: &str =
            "SELECT batch, last_audit, digest FROM _batches ORDER BY batch DESC LIMIT 1";
        let row: Option<(i64, i64, String)> =
            on_conn!(conn, c => sqlx::query_as(SQL).fetch_optional(&mut *c).await)?;
        let (batch, last_audit, digest) = row.unwrap_or_default();
        Ok(Self {
            batch,
            last_audit,
            digest: Digest::parse(&digest).unwrap_or_default(),
        })
    }

    fn next(&self, parts: &[Part<'_>], last_audit: i64, stamp: &Stamp<'_>) -> Self {
        let mut chain = Chain::new(&self.digest, stamp);
        parts.iter().for_each(|part| chain.part(part));
        Self {
            batch: stamp.batch,
            last_audit,
            digest: chain.digest(),
        }
    }

    async fn note(
        &self,
        conn: Conn<'_>,
        writer: &Writer,
        at: DateTime<Utc>,
        written: &Written,
    ) -> Result<()> {
        const SQL: &str = "INSERT INTO _batches
            (batch, run_id, task_id, try_number, source_table, rules, at, counts, tables, last_audit, digest)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
        let counts = serde_json::to_string(&written.counts).unwrap_or_default();
        let tables = serde_json::to_string(&written.tables).unwrap_or_default();
        on_conn!(conn, c => sqlx::query(SQL)
            .bind(self.batch)
            .bind(writer.run_id.as_str())
            .bind(writer.task_id.as_str())
            .bind(i64::from(writer.try_number))
            .bind(&writer.source_table)
            .bind(writer.rules.to_string())
            .bind(at)
            .bind(counts)
            .bind(tables)
            .bind(self.last_audit)
            .bind(self.digest.to_string())
            .execute(&mut *c).await.map(drop))?;
        Ok(())
    }
}

/// Those of `batches` that the writer's task has written in this run.
async fn own_batches(
    conn: Conn<'_>,
    writer: &Writer,
    batches: &BTreeSet<i64>,
) -> Result<BTreeSet<i64>> {
    const SQL: &str = "SELECT b.batch FROM ({rows}) AS v CROSS JOIN _batches AS b
        WHERE b.batch = v.batch AND b.run_id = v.run_id AND b.task_id = v.task_id";
    let rows = Rows::new()
        .int("batch", batches.iter().copied())
        .constant_text("run_id", writer.run_id.as_str())
        .constant_text("task_id", writer.task_id.as_str());
    let own: Vec<(i64,)> = rows.fetch(conn, SQL).await?;
    Ok(own.into_iter().map(|(batch,)| batch).collect())
}

/// A batch is all records that wait from its first to its last.
async fn mark_processed(
    conn: Conn<'_>,
    writer: &Writer,
    delivered: &[Delivered],
    batch: i64,
) -> Result<()> {
    let (Some(first), Some(last)) = (delivered.first(), delivered.last()) else {
        return Ok(());
    };
    // with ROLLBACK SQLite keeps no journal of the single statement
    let update = match conn.is_postgres() {
        true => "UPDATE",
        false => "UPDATE OR ROLLBACK",
    };
    let sql = format!(
        "{update} {} SET _processed = TRUE, _batch_id = $1 WHERE _row_id BETWEEN $2 AND $3 AND NOT _processed",
        quote(&state_table(&writer.source_table))
    );
    let marked = on_conn!(conn, c => {
        sqlx::query(AssertSqlSafe(sql)).bind(batch).bind(first.row_id).bind(last.row_id).execute(&mut *c).await.map(|done| done.rows_affected())
    })?;
    match marked == delivered.len() as u64 {
        true => Ok(()),
        false => Err(Error::new(format!(
            "rows of `{}` were processed or put back by somebody else meanwhile",
            writer.source_table
        ))
        .hint("a retry takes the rows that wait then")
        .transient()),
    }
}
