//! Reads and shapes the next records while the last ones are written.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::prepared::Prepared;
use crate::base::Result;
use crate::operators::blocking::blocking;
use crate::records::{Batch, Delivered, Staged, TableRows};
use crate::rules::{Agreement, References, Shaped};

/// Records shaped at a time, at least: a query of polars costs the same for few rows as for many.
const CHUNK: usize = 500;

/// Groups looked at in one statement.
const GROUPS: usize = 5_000;

/// Shaped chunks as they become ready; stops when dropped.
pub struct Shaping {
    chunks: mpsc::Receiver<Result<Chunk>>,
    _worker: AbortOnDropHandle<()>,
}

impl Shaping {
    /// Starts on the records that wait, at most `left`. All chunks but the last are multiples of `batch_size`.
    pub fn start(prepared: Prepared, batch_size: usize, left: u64) -> Self {
        let (sender, chunks) = mpsc::channel(1);
        let size = batch_size * CHUNK.div_ceil(batch_size);
        let worker = tokio::spawn(async move {
            let mut reading = Reading {
                after: i64::MIN,
                left,
            };
            loop {
                let chunk = reading.next(&prepared, size as u64).await.transpose();
                let Some(chunk) = chunk else { return };
                let is_last = chunk.is_err();
                if sender.send(chunk).await.is_err() || is_last {
                    return;
                }
            }
        });
        Self {
            chunks,
            _worker: AbortOnDropHandle::new(worker),
        }
    }

    /// The next chunk when it is ready.
    pub fn at_hand(&mut self) -> Result<Option<Chunk>> {
        self.chunks.try_recv().ok().transpose()
    }

    /// The next chunk; `None` after the last.
    pub async fn next(&mut self) -> Result<Option<Chunk>> {
        self.chunks.recv().await.transpose()
    }
}

struct Reading {
    after: i64,
    left: u64,
}

impl Reading {
    async fn next(&mut self, prepared: &Prepared, size: u64) -> Result<Option<Chunk>> {
        let limit = size.min(self.left);
        if limit == 0 {
            return Ok(None);
        }
        let staged = prepared
            .records
            .unprocessed(&prepared.columns, self.after, limit)
            .await?;
        let Some(last) = staged.delivered.last() else {
            return Ok(None);
        };
        self.after = last.row_id;
        self.left -= staged.delivered.len() as u64;
        let references = references(prepared, &staged).await?;
        let plan = prepared.plan.clone();
        let Staged { delivered, text } = staged;
        let shaped = blocking(move || plan.shape(text, &references)).await?;
        Ok(Some(Chunk { delivered, shaped }))
    }
}

/// For each agreement the value that the groups of these records must have, where a group is in conflict.
async fn references(prepared: &Prepared, staged: &Staged) -> Result<References> {
    let mut references = Vec::new();
    for (number, agreement) in prepared.plan.agreements.iter().enumerate() {
        references.push(reference(prepared, number, agreement, staged).await?);
    }
    Ok(references)
}

async fn reference(
    prepared: &Prepared,
    number: usize,
    agreement: &Agreement,
    staged: &Staged,
) -> Result<HashMap<String, String>> {
    let (within, sources) = prepared.plan.places(agreement);
    let groups: BTreeSet<&str> = staged.text[within]
        .iter()
        .flatten()
        .map(String::as_str)
        .collect();
    let groups: Vec<&str> = groups.into_iter().collect();
    let mut split = Vec::new();
    for groups in groups.chunks(GROUPS) {
        split.extend(
            prepared
                .records
                .split_groups(&prepared.columns, within, &sources, groups)
                .await?,
        );
    }
    let mut reference = HashMap::new();
    for groups in split.chunks(GROUPS) {
        let rows = prepared
            .records
            .group_rows(&prepared.columns, within, groups)
            .await?;
        let plan = prepared.plan.clone();
        reference.extend(blocking(move || plan.reference(number, rows)).await?);
    }
    Ok(reference)
}

/// Shaped records, to be written batch by batch.
pub struct Chunk {
    delivered: Vec<Delivered>,
    shaped: Shaped,
}

impl Chunk {
    /// Number of records.
    pub fn len(&self) -> usize {
        self.delivered.len()
    }

    /// The batch of at most `size` records that begins with record `start`.
    pub fn batch<'a>(&'a self, prepared: &'a Prepared, start: usize, size: usize) -> Batch<'a> {
        let end = (start + size).min(self.len());
        let plan = &prepared.plan;
        let tables = prepared.tables.iter().filter_map(|bound| {
            let target = &plan.targets[bound.target];
            let rows = &self.shaped.targets[bound.target];
            let first = rows
                .records
                .partition_point(|record| (*record as usize) < start);
            let last = rows
                .records
                .partition_point(|record| (*record as usize) < end);
            let width = bound.columns.len();
            Some(TableRows {
                table: prepared.schema.table(&target.table).ok()?,
                columns: &bound.columns,
                keys: target.keys,
                records: rows.records[first..last]
                    .iter()
                    .map(|record| *record as usize - start)
                    .collect(),
                cells: &rows.cells[first * width..last * width],
                given: target.is_versioned().then(|| &rows.versions[first..last]),
                delivered: &self.delivered[start..end],
                parents: bound.parents.clone(),
            })
        });
        Batch {
            delivered: &self.delivered[start..end],
            reasons: self.shaped.reasons[start..end]
                .iter()
                .map(|reasons| plan.words(*reasons))
                .collect(),
            expected: self.expected(start, end),
            tables: tables.collect(),
            main: prepared
                .tables
                .iter()
                .position(|bound| bound.target == 0)
                .unwrap_or(0),
        }
    }

    /// What was expected of the records from `start` to `end`, by their place among them.
    fn expected(&self, start: usize, end: usize) -> BTreeMap<usize, Vec<Cow<'_, str>>> {
        let all = &self.shaped.expected;
        let place = |bound: usize| all.partition_point(|(record, _)| (*record as usize) < bound);
        let mut expected: BTreeMap<usize, Vec<Cow<'_, str>>> = BTreeMap::new();
        for (record, text) in &all[place(start)..place(end)] {
            let texts = expected.entry(*record as usize - start).or_default();
            texts.push(Cow::Borrowed(text));
        }
        expected
    }
}
