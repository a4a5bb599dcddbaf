//! Recomputes the row audit's chain from `audit_log`.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::FromRow;

use super::Records;
use super::audit::{Chain, Stamp};
use crate::base::{AuditAnchor, Digest, Error, Result};
use crate::db::{AnyRow, Conn};
use crate::on_conn;

/// Batches read at a time.
const BATCHES: i64 = 1_000;

/// A row audit that holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditReport {
    /// Batches recomputed.
    pub batches: u64,
    /// Rows of `audit_log` recomputed.
    pub rows: u64,
    /// Anchors of the event chain that were held against it.
    pub anchors: u64,
}

impl Records {
    /// Recomputes the digest of every batch from `audit_log` and holds it against the one kept, and against `anchors`, which
    /// the event chain keeps.
    ///
    /// # Errors
    /// What does not hold, the first in order: a row that was changed, deleted, inserted or moved, a batch that was, or an anchor.
    pub async fn verify_audit(&self, anchors: &[AuditAnchor]) -> Result<AuditReport> {
        let mut wanted: BTreeMap<i64, Vec<&AuditAnchor>> = BTreeMap::new();
        for anchor in anchors {
            wanted.entry(anchor.batch as i64).or_default().push(anchor);
        }
        let mut read = self.read().await?;
        let mut report = AuditReport::default();
        let (mut last, mut digest) = (0, Digest::default());
        loop {
            // looked for first: a load beside this writes changes and their batch together
            let stray = stray(read.conn()?, last).await?;
            let batches = batches(read.conn()?, report.batches as i64).await?;
            match (batches.is_empty(), stray) {
                (true, Some(id)) => {
                    return Err(broken(format!("changes from {id} on are of no batch")));
                }
                (true, None) => break,
                (false, _) => {}
            }
            for batch in batches {
                let expected = report.batches as i64 + 1;
                if batch.number != expected {
                    return Err(broken(format!("batch {expected} is missing")));
                }
                digest = self.recompute(read.conn()?, &batch, last, &digest).await?;
                report.batches += 1;
                report.rows += (batch.last_audit - last) as u64;
                last = batch.last_audit;
                for anchor in wanted.remove(&batch.number).unwrap_or_default() {
                    if anchor.digest != digest {
                        return Err(broken(format!(
                            "batch {} is not the one the event chain knows",
                            batch.number
                        )));
                    }
                    report.anchors += 1;
                }
            }
        }
        if let Some(batch) = wanted.keys().next() {
            return Err(broken(format!(
                "batch {batch}, which the event chain knows, is missing"
            )));
        }
        Ok(report)
    }

    async fn recompute(
        &self,
        conn: Conn<'_>,
        batch: &BatchRow,
        last: i64,
        before: &Digest,
    ) -> Result<Digest> {
        let stamp = Stamp {
            batch: batch.number,
            run_id: &batch.run_id,
            task_id: &batch.task_id,
            at: batch.at,
        };
        let mut chain = Chain::new(before, &stamp);
        for (id, number, table, changes) in parts(conn, last, batch.last_audit).await? {
            if number != batch.number {
                return Err(broken(format!(
                    "changes from {id} on say that they belong to batch {number}, and are of batch {}",
                    batch.number
                )));
            }
            chain.stored(id, &table, &changes);
        }
        let digest = chain.digest();
        match digest.to_string() == batch.digest {
            true => Ok(digest),
            false => Err(broken(format!(
                "batch {} or a change among {} to {} was changed or is missing",
                batch.number,
                last + 1,
                batch.last_audit
            ))),
        }
    }
}

/// A batch as it was noted.
struct BatchRow {
    number: i64,
    run_id: String,
    task_id: String,
    at: DateTime<Utc>,
    last_audit: i64,
    digest: String,
}

impl<'r, R: AnyRow> FromRow<'r, R> for BatchRow {
    fn from_row(row: &'r R) -> sqlx::Result<Self> {
        Ok(Self {
            number: row.int("batch")?,
            run_id: row.text("run_id")?,
            task_id: row.text("task_id")?,
            at: row.time("at")?,
            last_audit: row.int("last_audit")?,
            digest: row.text("digest")?,
        })
    }
}

async fn batches(conn: Conn<'_>, after: i64) -> Result<Vec<BatchRow>> {
    const SQL: &str = "SELECT batch, run_id, task_id, at, last_audit, digest FROM _batches WHERE batch > $1 ORDER BY batch LIMIT $2";
    Ok(on_conn!(conn, c => sqlx::query_as(SQL).bind(after).bind(BATCHES).fetch_all(&mut *c).await)?)
}

/// Number of the first change, batch, table and changes.
type PartRow = (i64, i64, String, String);

/// What is kept of the changes behind `after`, up to `to`.
async fn parts(conn: Conn<'_>, after: i64, to: i64) -> Result<Vec<PartRow>> {
    const SQL: &str = "SELECT id, batch, table_name, changes FROM _changes WHERE id > $1 AND id <= $2 ORDER BY id";
    Ok(on_conn!(conn, c => sqlx::query_as(SQL).bind(after).bind(to).fetch_all(&mut *c).await)?)
}

/// A number that no batch has counted, of which the last is `last`.
async fn stray(conn: Conn<'_>, last: i64) -> Result<Option<i64>> {
    const SQL: &str = "SELECT id FROM _changes WHERE id > $1 OR id < 1 ORDER BY id LIMIT 1";
    Ok(on_conn!(conn, c => sqlx::query_scalar(SQL).bind(last).fetch_optional(&mut *c).await)?)
}

fn broken(what: String) -> Error {
    Error::new(format!("the row audit does not hold: {what}"))
        .hint("`audit_log` was written by somebody else than galen; compare it with a backup")
}
