//! One batch of staged records, written to all its tables in one transaction.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;

use super::audit::{self, Chain, Change, Stamp};
use super::merge::TableRows;
use super::orphans::reject_orphans;
use super::table_write::Writing;
use super::{Records, set_aside};
use crate::base::{AuditAnchor, Counts, Digest, Error, Result, RunId, TaskId};
use crate::db::{Conn, quote};
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
    /// `_row_id` of each record, ascending.
    pub row_ids: &'a [i64],
    /// For each record the reasons for which it cannot go on.
    pub reasons: Vec<Vec<&'a str>>,
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

impl Records {
    /// Writes `batch`: tables, row audit, quarantine, and the records' `_processed`, all or nothing.
    ///
    /// # Errors
    /// A transient one when another task has taken one of the records meanwhile; the database's otherwise. Nothing is kept then.
    pub async fn write_batch(
        &self,
        writer: &Writer,
        mut batch: Batch<'_>,
        at: DateTime<Utc>,
    ) -> Result<Written> {
        let mut tx = self.begin().await?;
        let head = Head::read(tx.conn()?).await?;
        let number = head.batch + 1;
        let batch_id = format!("{}/{}/{number}", writer.run_id, writer.task_id);
        reject_orphans(tx.conn()?, &mut batch).await?;
        let live: Vec<bool> = batch.reasons.iter().map(Vec::is_empty).collect();
        let mut written = Written::default();
        written.counts.read = batch.row_ids.len() as u64;
        written.counts.quarantined = live.iter().filter(|live| !**live).count() as u64;
        let mut changes = Vec::new();
        let own = format!("{}/{}/", writer.run_id, writer.task_id);
        let writing = Writing {
            batch: &batch,
            live: &live,
            batch_id: &batch_id,
            at,
        };
        let results = writing.write(tx.conn()?).await?;
        for (place, (rows, result)) in batch.tables.iter().zip(results).enumerate() {
            if place == batch.main {
                result.count_records(&own, &mut written.counts);
            }
            *written.tables.entry(rows.table.name.clone()).or_default() += result.count_rows();
            changes.extend(result.merge.changes);
        }
        let changed_by = format!("{}/{}", writer.run_id, writer.task_id);
        let stamp = Stamp {
            batch: number,
            batch_id: &batch_id,
            changed_by: &changed_by,
            at,
        };
        let inserting = audit::insert(tx.conn()?, &changes, head.last_audit, &stamp);
        // the database works on a thread of its own
        let (inserted, next) = futures::join!(inserting, async { head.next(&changes, &stamp) });
        inserted?;
        set_aside::write(tx.conn()?, writer, &batch, at).await?;
        mark_processed(tx.conn()?, writer, batch.row_ids, &batch_id).await?;
        next.note(tx.conn()?, writer, &stamp, &written).await?;
        tx.commit().await?;
        Ok(written)
    }

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
    async fn read(conn: Conn<'_>) -> Result<Self> {
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

    fn next(&self, changes: &[Change<'_>], stamp: &Stamp<'_>) -> Self {
        let mut chain = Chain::new(&self.digest, stamp.batch, stamp.batch_id);
        for (id, change) in (self.last_audit + 1..).zip(changes) {
            chain.change(id, change, stamp.changed_by, stamp.at);
        }
        Self {
            batch: stamp.batch,
            last_audit: self.last_audit + changes.len() as i64,
            digest: chain.digest(),
        }
    }

    async fn note(
        &self,
        conn: Conn<'_>,
        writer: &Writer,
        stamp: &Stamp<'_>,
        written: &Written,
    ) -> Result<()> {
        const SQL: &str = "INSERT INTO _batches
            (batch, batch_id, run_id, task_id, try_number, source_table, rules, at, counts, tables, last_audit, digest)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
        let counts = serde_json::to_string(&written.counts).unwrap_or_default();
        let tables = serde_json::to_string(&written.tables).unwrap_or_default();
        on_conn!(conn, c => sqlx::query(SQL)
            .bind(self.batch)
            .bind(stamp.batch_id)
            .bind(writer.run_id.as_str())
            .bind(writer.task_id.as_str())
            .bind(i64::from(writer.try_number))
            .bind(&writer.source_table)
            .bind(writer.rules.to_string())
            .bind(stamp.at)
            .bind(counts)
            .bind(tables)
            .bind(self.last_audit)
            .bind(self.digest.to_string())
            .execute(&mut *c).await.map(drop))?;
        Ok(())
    }
}

async fn mark_processed(
    conn: Conn<'_>,
    writer: &Writer,
    row_ids: &[i64],
    batch_id: &str,
) -> Result<()> {
    let ids =
        serde_json::to_string(row_ids).map_err(|error| Error::new("row ids").because(error))?;
    // with ROLLBACK SQLite keeps no journal of the single statement
    let (or_rollback, list) = match conn.is_postgres() {
        true => (
            "",
            "SELECT value::bigint FROM json_array_elements_text($2::json) AS k(value)",
        ),
        false => (" OR ROLLBACK", "SELECT value FROM json_each($2)"),
    };
    let sql = format!(
        "UPDATE{} {} SET _processed = TRUE, _batch_id = $1 WHERE _row_id IN ({list}) AND NOT _processed",
        or_rollback,
        quote(&writer.source_table)
    );
    let marked = on_conn!(conn, c => {
        sqlx::query(AssertSqlSafe(sql)).bind(batch_id).bind(ids).execute(&mut *c).await.map(|done| done.rows_affected())
    })?;
    match marked == row_ids.len() as u64 {
        true => Ok(()),
        false => Err(Error::new(format!(
            "rows of `{}` were processed by another task meanwhile",
            writer.source_table
        ))
        .hint("a retry takes the rows that are left")
        .transient()),
    }
}
