//! Recomputes the row audit's chain from `audit_log`.

use std::collections::BTreeMap;

use sqlx::AssertSqlSafe;

use super::Records;
use super::audit::{AuditRow, COLUMNS, Chain};
use crate::base::{AuditAnchor, Digest, Error, Result};
use crate::db::Conn;
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
            let batches = batches(read.conn()?, report.batches as i64).await?;
            if batches.is_empty() {
                break;
            }
            for batch in batches {
                let expected = report.batches as i64 + 1;
                if batch.0 != expected {
                    return Err(broken(format!("batch {expected} is missing")));
                }
                digest = self.recompute(read.conn()?, &batch, last, &digest).await?;
                report.batches += 1;
                report.rows += (batch.2 - last) as u64;
                last = batch.2;
                for anchor in wanted.remove(&batch.0).unwrap_or_default() {
                    if anchor.digest != digest {
                        return Err(broken(format!(
                            "batch {} is not the one the event chain knows",
                            batch.0
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
        let beyond = rows(read.conn()?, last, i64::MAX, 1).await?;
        match beyond.first() {
            Some(row) => Err(broken(format!(
                "row {} was added behind the last batch",
                row.id
            ))),
            None => Ok(report),
        }
    }

    async fn recompute(
        &self,
        mut conn: Conn<'_>,
        batch: &BatchRow,
        last: i64,
        before: &Digest,
    ) -> Result<Digest> {
        let (number, batch_id, last_audit, kept) = batch;
        let mut chain = Chain::new(before, *number, batch_id);
        let mut expected = last;
        for row in rows(conn.again(), last, *last_audit, i64::MAX).await? {
            expected += 1;
            if row.id != expected {
                return Err(broken(format!("row {expected} is missing")));
            }
            if row.batch != *number {
                return Err(broken(format!(
                    "row {} says that it belongs to another batch than {number}",
                    row.id
                )));
            }
            chain.row(&row);
        }
        if expected != *last_audit {
            return Err(broken(format!("row {} is missing", expected + 1)));
        }
        let digest = chain.digest();
        match digest.to_string() == *kept {
            true => Ok(digest),
            false => Err(broken(format!(
                "a row among {} to {last_audit}, of batch {number}, was changed",
                last + 1
            ))),
        }
    }
}

/// Number, id, last row of the audit, and digest of a batch.
type BatchRow = (i64, String, i64, String);

async fn batches(conn: Conn<'_>, after: i64) -> Result<Vec<BatchRow>> {
    const SQL: &str = "SELECT batch, batch_id, last_audit, digest FROM _batches WHERE batch > $1 ORDER BY batch LIMIT $2";
    Ok(on_conn!(conn, c => sqlx::query_as(SQL).bind(after).bind(BATCHES).fetch_all(&mut *c).await)?)
}

async fn rows(conn: Conn<'_>, after: i64, to: i64, limit: i64) -> Result<Vec<AuditRow>> {
    let sql =
        format!("SELECT {COLUMNS} FROM audit_log WHERE id > $1 AND id <= $2 ORDER BY id LIMIT $3");
    Ok(on_conn!(conn, c => {
        sqlx::query_as(AssertSqlSafe(sql)).bind(after).bind(to).bind(limit).fetch_all(&mut *c).await
    })?)
}

fn broken(what: String) -> Error {
    Error::new(format!("the row audit does not hold: {what}"))
        .hint("`audit_log` was written by somebody else than galen; compare it with a backup")
}
