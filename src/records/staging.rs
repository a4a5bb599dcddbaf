//! A file on its way into a staging table, one chunk a transaction.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, NaiveDateTime, Utc};
use serde_json::{Map, Value};
use sqlx::AssertSqlSafe;

use super::progress::{self, Overlap, Progress};
use super::staged_key::staged_key;
use super::staging_insert::{NewRow, NewRows};
use super::staging_table::{Columns, records_table};
use super::{Records, rejects, staging_table};
use crate::base::{BadRecord, Counts, Digest, Error, Result, RunId, TaskId, TextBatch, nearest};
use crate::db::{Conn, Rows, quote};
use crate::on_conn;

/// One file for one staging table, as one run takes it.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The staging table.
    pub into: String,
    /// Columns that name what a record is about; empty: records are only told apart by their file.
    pub key: Vec<String>,
    /// The file's name, kept as `_file`.
    pub file: String,
    /// SHA-256 of its bytes.
    pub file_hash: Digest,
    /// SHA-256 of how the file is read: the same bytes read otherwise are other records.
    pub layout: Digest,
    /// The part of the file that the run takes; `None`: all of it.
    pub window: Option<Window>,
    /// The run.
    pub run_id: RunId,
    /// Its task.
    pub task_id: TaskId,
}

/// A half-open span of local time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// First moment inside.
    pub start: NaiveDateTime,
    /// First moment after.
    pub end: NaiveDateTime,
}

impl Delivery {
    /// The window as `_files` keeps it: texts that sort as the moments do; the whole file contains every window.
    pub fn window_texts(&self) -> (String, String) {
        match self.window {
            Some(window) => (moment_text(window.start), moment_text(window.end)),
            None => (String::new(), "9999-12-31T23:59:59.999999".to_owned()),
        }
    }
}

fn moment_text(moment: NaiveDateTime) -> String {
    moment.format("%Y-%m-%dT%H:%M:%S%.6f").to_string()
}

/// A delivery in progress.
///
/// Each [`Staging::write`] commits its chunk together with how far it came, so that a delivery that was cut off
/// anywhere goes on behind its last chunk, and one that is done adds nothing.
pub struct Staging {
    records: Records,
    delivery: Delivery,
    progress: Progress,
    /// Places of the key's columns.
    key: Vec<usize>,
    /// The file's columns as the table spells them.
    columns: Vec<String>,
}

impl Staging {
    /// Looks how far `delivery` has come.
    ///
    /// # Errors
    /// The database's.
    pub async fn begin(records: &Records, delivery: Delivery) -> Result<Self> {
        let mut read = records.read().await?;
        let progress = Progress::find(read.conn()?, &delivery).await?;
        Ok(Self {
            records: records.clone(),
            key: Vec::new(),
            columns: Vec::new(),
            progress: progress.seen_by(delivery.run_id.as_str(), delivery.task_id.as_str()),
            delivery,
        })
    }

    /// Records of the file that were looked at already, and are to be passed over.
    pub fn records_done(&self) -> u64 {
        self.progress.records
    }

    /// Whether nothing is left to do.
    pub fn is_done(&self) -> bool {
        self.progress.done
    }

    /// What became of the records that are the delivery's; what another run has staged of them is unchanged.
    pub fn counts(&self) -> Counts {
        self.progress.counts
    }

    /// Makes the staging table fit for the file's `columns`; gives the names of those added to a table that was there.
    ///
    /// # Errors
    /// When the file lacks a column of the key or of the table, or its columns cannot be those of a table.
    pub async fn prepare(&mut self, columns: &[String], at: DateTime<Utc>) -> Result<Vec<String>> {
        let Delivery { into, file, .. } = &self.delivery;
        self.key = self
            .delivery
            .key
            .iter()
            .map(|name| place(columns, name, file))
            .collect::<Result<_>>()?;
        let mut tx = self.records.begin().await?;
        let keyed = !self.key.is_empty();
        let Columns { names, added } =
            staging_table::ensure(tx.conn()?, into, file, columns, keyed).await?;
        Progress::start(tx.conn()?, &self.delivery, at).await?;
        tx.commit().await?;
        self.columns = names;
        Ok(added)
    }

    /// Stages `batch`, the next records of the file, in one transaction. `moments` has the date of each good record when
    /// the delivery has a window, `None` where it cannot be told.
    ///
    /// # Errors
    /// The database's, transient when it is full or locked or when another run stages the same file; nothing of the
    /// batch is kept then.
    pub async fn write(
        &mut self,
        mut batch: TextBatch,
        moments: &[Option<NaiveDateTime>],
        at: DateTime<Utc>,
    ) -> Result<()> {
        let from = self.progress.records;
        let to = from + (batch.len() + batch.rejects.len()) as u64;
        let mut tx = self.records.begin().await?;
        let mut chunk = Chunk {
            rejects: std::mem::take(&mut batch.rejects),
            ..Chunk::default()
        };
        let new = self
            .choose(tx.conn()?, &batch, moments, to, &mut chunk)
            .await?;
        self.sort_by_key(tx.conn()?, &batch, new, &mut chunk)
            .await?;
        self.insert(tx.conn()?, &batch, &chunk.rows, at).await?;
        rejects::quarantine(tx.conn()?, &self.delivery, &chunk.rejects, at).await?;
        let mut next = self.progress.clone();
        next.records = to;
        next.counts += chunk.counted();
        next.advance(tx.conn()?, &self.delivery, from, at).await?;
        tx.commit().await?;
        self.progress = next;
        Ok(())
    }

    /// Notes that the file has no more records.
    ///
    /// # Errors
    /// The database's.
    pub async fn finish(&mut self, at: DateTime<Utc>) -> Result<()> {
        let mut next = self.progress.clone();
        next.done = true;
        let mut tx = self.records.begin().await?;
        next.advance(tx.conn()?, &self.delivery, next.records, at)
            .await?;
        tx.commit().await?;
        self.progress = next;
        Ok(())
    }

    /// The places of the records that are the delivery's and not staged yet. `to` is the number of records up to
    /// the end of the batch.
    async fn choose(
        &self,
        mut conn: Conn<'_>,
        batch: &TextBatch,
        moments: &[Option<NaiveDateTime>],
        to: u64,
        chunk: &mut Chunk,
    ) -> Result<Vec<usize>> {
        let Some(window) = self.delivery.window else {
            return Ok((0..batch.len()).collect());
        };
        let overlaps = progress::overlapping(conn.again(), &self.delivery).await?;
        let mut new = Vec::new();
        for (place, moment) in moments.iter().enumerate() {
            match moment {
                None => chunk.rejects.push(undated(batch, place)),
                Some(moment) if !window.contains(*moment) => {}
                Some(moment) if is_staged(&overlaps, *moment, to) => chunk.counts.unchanged += 1,
                Some(_) => new.push(place),
            }
        }
        // what belongs to no window is set aside by whichever comes first
        if progress::farthest(conn, &self.delivery).await? >= to {
            chunk.rejects.clear();
        }
        Ok(new)
    }

    /// Sorts records into new ones, new versions, and repetitions of the version that was staged last.
    async fn sort_by_key(
        &self,
        conn: Conn<'_>,
        batch: &TextBatch,
        new: Vec<usize>,
        chunk: &mut Chunk,
    ) -> Result<()> {
        if self.key.is_empty() {
            chunk.counts.inserted += new.len() as u64;
            chunk.rows = new
                .into_iter()
                .map(|place| NewRow { place, key: None })
                .collect();
            return Ok(());
        }
        let key = |place| {
            self.key
                .iter()
                .map(move |&column| batch.cell(place, column))
        };
        let keys: Vec<_> = new.iter().map(|&place| staged_key(key(place))).collect();
        let mut last = self.last_versions(conn, &keys).await?;
        for (place, key) in new.into_iter().zip(keys) {
            let hash = batch.hash(place).to_string();
            let before = key
                .as_ref()
                .and_then(|key| last.insert(key.clone(), hash.clone()));
            match before {
                None => chunk.counts.inserted += 1,
                Some(before) if before == hash => {
                    chunk.counts.duplicate += 1;
                    continue;
                }
                Some(_) => chunk.counts.updated += 1,
            }
            chunk.rows.push(NewRow { place, key });
        }
        Ok(())
    }

    /// The hash of the version of each key that was staged last.
    async fn last_versions(
        &self,
        conn: Conn<'_>,
        keys: &[Option<String>],
    ) -> Result<HashMap<String, String>> {
        let wanted: BTreeSet<&str> = keys.iter().flatten().map(String::as_str).collect();
        let sql = format!(
            "SELECT s._key, s._hash, s._row_id FROM ({{rows}}) AS v CROSS JOIN {} AS s WHERE s._key = v.k",
            quote(&records_table(&self.delivery.into))
        );
        let mut found: Vec<(String, String, i64)> =
            Rows::new().text("k", wanted).fetch(conn, &sql).await?;
        found.sort_unstable_by_key(|(.., row_id)| *row_id);
        Ok(found
            .into_iter()
            .map(|(key, hash, _)| (key, hash))
            .collect())
    }

    async fn insert(
        &self,
        mut conn: Conn<'_>,
        batch: &TextBatch,
        rows: &[NewRow],
        at: DateTime<Utc>,
    ) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let chunk = self.note_chunk(conn.again(), at).await?;
        let records = records_table(&self.delivery.into);
        let last = format!("SELECT MAX(_row_id) FROM {}", quote(&records));
        let last: Option<i64> = on_conn!(conn.again(), c => {
            sqlx::query_scalar(AssertSqlSafe(last)).fetch_one(&mut *c).await
        })?;
        let rows = NewRows {
            table: &self.delivery.into,
            records: &records,
            batch,
            columns: &self.columns,
            rows,
            first_id: last.unwrap_or(0) + 1,
            chunk,
        };
        rows.insert(conn).await
    }

    /// Writes once what the records of a chunk have in common; gives its number.
    async fn note_chunk(&self, conn: Conn<'_>, at: DateTime<Utc>) -> Result<i64> {
        const SQL: &str = "INSERT INTO _chunks (chunk, file, file_hash, run_id, loaded_at)
            SELECT COALESCE(MAX(chunk), 0) + 1, $1, $2, $3, $4 FROM _chunks RETURNING chunk";
        Ok(on_conn!(conn, c => sqlx::query_scalar(SQL)
            .bind(&self.delivery.file)
            .bind(self.delivery.file_hash.to_string())
            .bind(self.delivery.run_id.as_str())
            .bind(at)
            .fetch_one(&mut *c).await)?)
    }
}

/// What a batch adds.
#[derive(Default)]
struct Chunk {
    rows: Vec<NewRow>,
    rejects: Vec<BadRecord>,
    counts: Counts,
}

impl Chunk {
    fn counted(&self) -> Counts {
        let mut counts = self.counts;
        counts.quarantined = self.rejects.len() as u64;
        counts.read = counts.inserted
            + counts.updated
            + counts.unchanged
            + counts.duplicate
            + counts.quarantined;
        counts
    }
}

impl Window {
    /// Whether `moment` is inside.
    pub fn contains(self, moment: NaiveDateTime) -> bool {
        self.start <= moment && moment < self.end
    }
}

/// Whether another window has staged the record of `moment`, which is among the first `to` of the file.
fn is_staged(overlaps: &[Overlap], moment: NaiveDateTime, to: u64) -> bool {
    let covers = |overlap: &Overlap| {
        let moment = moment_text(moment);
        overlap.records >= to && overlap.start <= moment && moment < overlap.end
    };
    overlaps.iter().any(covers)
}

/// The reject of a record whose date cannot be told; its text is that of its cells, as JSON.
pub fn undated(batch: &TextBatch, row: usize) -> BadRecord {
    let cells: Map<String, Value> = (0..)
        .zip(batch.columns().iter())
        .map(|(column, name)| (name.clone(), batch.cell(row, column).into()))
        .collect();
    BadRecord {
        line: batch.line(row),
        reason: "bad_partition_date",
        detail: "the date that says which run takes the record cannot be read".to_owned(),
        raw: Value::Object(cells).to_string().into_bytes(),
    }
}

fn place(columns: &[String], name: &str, file: &str) -> Result<usize> {
    let found = columns
        .iter()
        .position(|column| column.to_lowercase() == name.to_lowercase());
    found.ok_or_else(|| {
        let error = Error::new(format!(
            "`{file}` has no column `{name}`, which the key names"
        ));
        match nearest(name, columns.iter().map(String::as_str)) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error.hint("look at the first line of the file with `galen profile`"),
        }
    })
}
