//! From a file to batches, whatever the language.

use std::path::Path;
use std::sync::Arc;

use super::csv::CsvRecords;
use super::input::Input;
use super::json_array::JsonArray;
use super::ndjson::Ndjson;
use super::{Format, Layout};
use crate::base::{Result, TextBatch};

/// Records in a batch, at most, good and bad together.
pub const BATCH_RECORDS: usize = 5_000;

/// Bytes that a batch holds, about: it ends with the record that reaches this.
pub const BATCH_BYTES: usize = 8 << 20;

/// One record after the other.
pub(super) trait Records: Send {
    /// Column names, in the order of the batch's cells.
    fn columns(&self) -> &Arc<[String]>;

    /// The way out when the columns are not those that somebody expects, as far as the file tells.
    fn doubt(&self) -> Option<String> {
        None
    }

    /// Appends the next record to `batch`, as a record or a reject; `false` at the end.
    fn read(&mut self, batch: &mut TextBatch) -> Result<bool>;
}

/// Reads one file in bounded memory. A batch is cut by [`BATCH_RECORDS`] and [`BATCH_BYTES`] alone, so that
/// the same file always gives the same batches.
pub struct Reader {
    records: Box<dyn Records>,
    read: u64,
}

impl Reader {
    /// Opens the file at `path`, named `name` in errors.
    ///
    /// # Errors
    /// When the file cannot be read, is empty, or its columns cannot be told; see each format.
    pub fn open(path: &Path, name: &str, layout: &Layout) -> Result<Self> {
        let input = Input::open(path, name)?;
        let records: Box<dyn Records> = match layout.format {
            Format::Csv => Box::new(CsvRecords::open(input, layout)?),
            Format::Json => Box::new(JsonArray::open(input, path, layout)?),
            Format::Ndjson => Box::new(Ndjson::open(input, path, layout)?),
        };
        Ok(Self { records, read: 0 })
    }

    /// Column names, in the order of the batches' cells.
    pub fn columns(&self) -> &Arc<[String]> {
        self.records.columns()
    }

    /// The way out when the columns are not those that somebody expects, as far as the file tells.
    pub fn doubt(&self) -> Option<String> {
        self.records.doubt()
    }

    /// Records read so far, good and bad.
    pub fn records_read(&self) -> u64 {
        self.read
    }

    /// The next batch; `None` at the end of the file.
    ///
    /// # Errors
    /// When the file cannot be read on: it is cut short, damaged, or a record is longer than allowed.
    pub fn next_batch(&mut self) -> Result<Option<TextBatch>> {
        let mut batch = TextBatch::new(Arc::clone(self.records.columns()));
        let cell_bytes = size_of::<u64>() * self.records.columns().len();
        let mut reject_bytes = 0;
        loop {
            let rejects = batch.rejects.len();
            if !self.records.read(&mut batch)? {
                break;
            }
            self.read += 1;
            reject_bytes += batch.rejects[rejects..]
                .iter()
                .map(|reject| reject.raw.len())
                .sum::<usize>();
            let bytes = batch.text_bytes() + batch.len() * cell_bytes + reject_bytes;
            if batch.len() + batch.rejects.len() >= BATCH_RECORDS || bytes >= BATCH_BYTES {
                break;
            }
        }
        Ok((!batch.is_empty()).then_some(batch))
    }

    /// Passes over `count` records, good or bad, which an earlier try has taken.
    ///
    /// # Errors
    /// As [`Reader::next_batch`].
    pub fn skip(&mut self, count: u64) -> Result<()> {
        let mut left = count;
        while left > 0 {
            let mut passed = TextBatch::new(Arc::clone(self.records.columns()));
            let chunk = left.min(500);
            for _ in 0..chunk {
                if !self.records.read(&mut passed)? {
                    return Ok(());
                }
                self.read += 1;
            }
            left -= chunk;
        }
        Ok(())
    }
}
