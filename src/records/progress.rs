//! How far the staging of a file has come: a row of `_files`.

use chrono::{DateTime, Utc};

use super::staging::Delivery;
use crate::base::{Counts, Error, Result};
use crate::db::Conn;
use crate::on_conn;

const FIND: &str = "SELECT records, done, inserted, updated, unchanged, duplicate, quarantined, run_id, task_id FROM _files \
     WHERE into_table = $1 AND sha256 = $2 AND layout = $3 AND window_start = $4 AND window_end = $5";
const START: &str = "INSERT INTO _files (into_table, sha256, layout, window_start, window_end, file, run_id, task_id, at, \
     records, done, inserted, updated, unchanged, duplicate, quarantined) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, FALSE, 0, 0, 0, 0, 0) ON CONFLICT DO NOTHING";
const ADVANCE: &str = "UPDATE _files SET records = $6, done = $7, inserted = $8, updated = $9, unchanged = $10, duplicate = $11, \
     quarantined = $12, run_id = $13, task_id = $14, at = $15 \
     WHERE into_table = $1 AND sha256 = $2 AND layout = $3 AND window_start = $4 AND window_end = $5 AND records = $16 AND NOT done";
const FARTHEST: &str = "SELECT COALESCE(MAX(records), 0) FROM _files WHERE into_table = $1 AND sha256 = $2 AND layout = $3";
const OVERLAPPING: &str = "SELECT window_start, window_end, records, done FROM _files \
     WHERE into_table = $1 AND sha256 = $2 AND layout = $3 AND window_start < $5 AND window_end > $4 \
     AND NOT (window_start = $4 AND window_end = $5)";

/// How far one delivery has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// Records of the file that were looked at, good and bad.
    pub records: u64,
    /// Whether that is all of them.
    pub done: bool,
    /// What became of those that are the delivery's.
    pub counts: Counts,
    /// The run and task that came so far.
    pub by: Option<(String, String)>,
}

/// Another window of the same file, which shares dates with this one.
pub(super) struct Overlap {
    pub start: String,
    pub end: String,
    /// Records it has looked at.
    pub records: u64,
}

type Row = (i64, bool, i64, i64, i64, i64, i64, String, String);

impl Progress {
    /// The progress of `delivery`, at the start when there is none.
    pub(super) async fn find(conn: Conn<'_>, delivery: &Delivery) -> Result<Self> {
        let [into, sha256, layout, start, end] = key(delivery);
        let row: Option<Row> = on_conn!(conn, c => sqlx::query_as(FIND)
            .bind(into).bind(sha256).bind(layout).bind(start).bind(end)
            .fetch_optional(&mut *c).await)?;
        Ok(row.map_or_else(Self::default, Self::from_row))
    }

    fn from_row(row: Row) -> Self {
        let (records, done, inserted, updated, unchanged, duplicate, quarantined, run, task) = row;
        let mut counts = Counts {
            read: 0,
            inserted: inserted as u64,
            updated: updated as u64,
            unchanged: unchanged as u64,
            duplicate: duplicate as u64,
            quarantined: quarantined as u64,
        };
        counts.read = counts.inserted
            + counts.updated
            + counts.unchanged
            + counts.duplicate
            + counts.quarantined;
        Self {
            records: records as u64,
            done,
            counts,
            by: Some((run, task)),
        }
    }

    /// The same, as the task `task` of run `run` reports it: what another has staged is unchanged.
    pub(super) fn seen_by(mut self, run: &str, task: &str) -> Self {
        let mine = self
            .by
            .as_ref()
            .is_none_or(|by| by.0 == run && by.1 == task);
        if !mine {
            let read = self.counts.read;
            self.counts = Counts {
                read,
                unchanged: read,
                ..Counts::default()
            };
        }
        self
    }

    /// Notes that `delivery` begins.
    pub(super) async fn start(
        conn: Conn<'_>,
        delivery: &Delivery,
        at: DateTime<Utc>,
    ) -> Result<()> {
        let [into, sha256, layout, start, end] = key(delivery);
        on_conn!(conn, c => sqlx::query(START)
            .bind(into).bind(sha256).bind(layout).bind(start).bind(end)
            .bind(&delivery.file).bind(delivery.run_id.as_str()).bind(delivery.task_id.as_str()).bind(at)
            .execute(&mut *c).await.map(drop))?;
        Ok(())
    }

    /// Notes that `delivery` came from `from` records to here.
    ///
    /// # Errors
    /// A transient one when somebody else has advanced it.
    pub(super) async fn advance(
        &self,
        conn: Conn<'_>,
        delivery: &Delivery,
        from: u64,
        at: DateTime<Utc>,
    ) -> Result<()> {
        let [into, sha256, layout, start, end] = key(delivery);
        let counts = &self.counts;
        let advanced = on_conn!(conn, c => sqlx::query(ADVANCE)
            .bind(into).bind(sha256).bind(layout).bind(start).bind(end)
            .bind(self.records as i64).bind(self.done)
            .bind(counts.inserted as i64).bind(counts.updated as i64).bind(counts.unchanged as i64)
            .bind(counts.duplicate as i64).bind(counts.quarantined as i64)
            .bind(delivery.run_id.as_str()).bind(delivery.task_id.as_str()).bind(at)
            .bind(from as i64)
            .execute(&mut *c).await.map(|done| done.rows_affected()))?;
        match advanced {
            1 => Ok(()),
            _ => Err(Error::new(format!(
                "file `{}` is being staged into `{}` by another run",
                delivery.file, delivery.into
            ))
            .hint("a retry finds what the other run has staged")
            .transient()),
        }
    }
}

/// How many records of the file any delivery of it has looked at: the bad ones among them are in quarantine.
pub(super) async fn farthest(conn: Conn<'_>, delivery: &Delivery) -> Result<u64> {
    let [into, sha256, layout, ..] = key(delivery);
    let records: i64 = on_conn!(conn, c => sqlx::query_scalar(FARTHEST)
        .bind(into).bind(sha256).bind(layout)
        .fetch_one(&mut *c).await)?;
    Ok(records as u64)
}

/// The other windows of the file that share dates with this one.
pub(super) async fn overlapping(conn: Conn<'_>, delivery: &Delivery) -> Result<Vec<Overlap>> {
    let [into, sha256, layout, start, end] = key(delivery);
    let rows: Vec<(String, String, i64, bool)> = on_conn!(conn, c => sqlx::query_as(OVERLAPPING)
        .bind(into).bind(sha256).bind(layout).bind(start).bind(end)
        .fetch_all(&mut *c).await)?;
    Ok(rows
        .into_iter()
        .map(|(start, end, records, done)| Overlap {
            start,
            end,
            records: if done { u64::MAX } else { records as u64 },
        })
        .collect())
}

fn key(delivery: &Delivery) -> [String; 5] {
    let (start, end) = delivery.window_texts();
    [
        delivery.into.clone(),
        delivery.file_hash.to_string(),
        delivery.layout.to_string(),
        start,
        end,
    ]
}
