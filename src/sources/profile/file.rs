//! What is in a file.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::column::{ColumnProfile, Gatherer};
use super::probe::Probe;
use crate::base::{Result, TextBatch};
use crate::sources::{Delimiter, Format, Layout, Reader};

/// Different values kept over all columns, at most; a column keeps up to [`PER_COLUMN`].
const KEPT: usize = 500_000;
/// Different values kept of a column.
const PER_COLUMN: usize = 10_000;

/// What is in a file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Profile {
    /// The file.
    pub file: String,
    /// Its language.
    pub format: Format,
    /// Its encoding: `ascii`, `utf-8`, `windows-1252` or `latin1`.
    pub encoding: &'static str,
    /// Whether it starts with a byte order mark.
    pub bom: bool,
    /// Between the fields, of CSV.
    pub delimiter: Option<char>,
    /// Records that can be read.
    pub rows: u64,
    /// Records that cannot, by reason.
    pub rejected: BTreeMap<&'static str, u64>,
    /// In file order.
    pub columns: Vec<ColumnProfile>,
}

/// Reads the file at `path`, named `name`, from start to end in bounded memory; blocks.
///
/// # Errors
/// As [`Reader`]'s.
pub fn profile(path: &Path, name: &str, max_record_bytes: usize) -> Result<Profile> {
    let probe = Probe::of(path, name)?;
    let layout = Layout {
        delimiter: Delimiter::Byte(probe.delimiter),
        encoding: probe.encoding,
        ..Layout::of(probe.format, max_record_bytes)
    };
    let mut reader = Reader::open(path, name, &layout)?;
    let limit = (KEPT / reader.columns().len().max(1)).min(PER_COLUMN);
    let mut columns: Vec<Gatherer> = reader
        .columns()
        .iter()
        .map(|name| Gatherer::new(name, limit))
        .collect();
    let mut rows = 0;
    let mut rejected = BTreeMap::new();
    while let Some(batch) = reader.next_batch()? {
        rows += batch.len() as u64;
        for reject in &batch.rejects {
            *rejected.entry(reject.reason).or_default() += 1;
        }
        gather(&mut columns, &batch);
    }
    Ok(Profile {
        file: name.to_owned(),
        format: probe.format,
        encoding: probe.encoding_name,
        bom: probe.bom,
        delimiter: (probe.format == Format::Csv).then_some(char::from(probe.delimiter)),
        rows,
        rejected,
        columns: columns.into_iter().map(Gatherer::finish).collect(),
    })
}

fn gather(columns: &mut [Gatherer], batch: &TextBatch) {
    for (place, column) in columns.iter_mut().enumerate() {
        for row in 0..batch.len() {
            column.add(batch.cell(row, place));
        }
    }
}
