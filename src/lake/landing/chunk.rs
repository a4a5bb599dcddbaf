//! Records on their way into a Delta table, until there are enough of them for a commit.

use std::fmt::Write;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::arrow::array::{
    Array, ArrayRef, BinaryArray, Int64Array, RecordBatch, StringArray, StringBuilder,
    TimestampMicrosecondArray,
};

use crate::base::{BadRecord, Error, Result, TextBatch, sha256};
use crate::lake::provenance::{landed, unread};
use crate::records::Delivery;

/// Bytes of text after which a chunk is full, however few its records.
const MOST_BYTES: usize = 64 << 20;

/// Records that were read and not committed yet.
#[derive(Default)]
pub(super) struct Chunk {
    /// Names as the table spells them, in the file's order.
    names: Vec<String>,
    columns: Vec<StringBuilder>,
    lines: Vec<i64>,
    hashes: StringBuilder,
    bytes: usize,
    pub rejects: Vec<BadRecord>,
}

impl Chunk {
    /// An empty one for a file with these columns.
    pub fn new(names: Vec<String>) -> Self {
        Self {
            columns: names.iter().map(|_| StringBuilder::new()).collect(),
            names,
            ..Self::default()
        }
    }

    /// Takes the records of `batch` at `places`.
    pub fn add(&mut self, batch: &TextBatch, places: &[usize]) {
        for (number, column) in self.columns.iter_mut().enumerate() {
            for &place in places {
                let cell = batch.cell(place, number);
                self.bytes += cell.map_or(0, str::len);
                column.append_option(cell);
            }
        }
        for &place in places {
            self.lines.push(number(batch.line(place)));
            // written into the builder, it needs no text of its own
            let _ = write!(self.hashes, "{}", batch.hash(place));
            self.hashes.append_value("");
        }
    }

    /// Takes records that could not be read.
    pub fn reject(&mut self, rejects: Vec<BadRecord>) {
        self.bytes += rejects.iter().map(|reject| reject.raw.len()).sum::<usize>();
        self.rejects.extend(rejects);
    }

    /// Whether it has `records` of them, or as many bytes as it may.
    pub fn is_full(&self, records: u64) -> bool {
        (self.lines.len() + self.rejects.len()) as u64 >= records || self.bytes >= MOST_BYTES
    }

    /// Takes the good records out of it.
    pub fn records(&mut self, delivery: &Delivery, at: DateTime<Utc>) -> Result<RecordBatch> {
        let rows = self.lines.len();
        let mut columns: Vec<ArrayRef> = self
            .columns
            .iter_mut()
            .map(|column| Arc::new(taken(column)) as ArrayRef)
            .collect();
        let lines = std::mem::take(&mut self.lines);
        columns.extend(origin(delivery, lines, taken(&mut self.hashes), at));
        debug_assert_eq!(columns[0].len(), rows);
        self.bytes = 0;
        RecordBatch::try_new(landed(self.names.iter().map(String::as_str)), columns).map_err(uneven)
    }
}

/// The texts of `builder`, which has room for as many more: a chunk is like the one before, and need not grow bit by bit.
fn taken(builder: &mut StringBuilder) -> StringArray {
    let texts = builder.finish();
    *builder = StringBuilder::with_capacity(texts.len(), texts.value_data().len());
    texts
}

/// The table of `rejects`, which the delivery `id` has set aside.
pub(super) fn unreadable(
    rejects: &[BadRecord],
    delivery: &Delivery,
    id: &str,
    at: DateTime<Utc>,
) -> Result<RecordBatch> {
    let lines = rejects.iter().map(|reject| number(reject.line)).collect();
    let hashes = rejects.iter().map(|reject| sha256(&reject.raw).to_string());
    let mut columns = origin(delivery, lines, StringArray::from_iter_values(hashes), at);
    columns.extend([
        Arc::new(StringArray::from_iter_values(
            rejects.iter().map(|reject| reject.reason),
        )) as ArrayRef,
        Arc::new(StringArray::from_iter_values(
            rejects.iter().map(|reject| &reject.detail),
        )),
        Arc::new(BinaryArray::from_iter_values(
            rejects.iter().map(|reject| &reject.raw),
        )),
        Arc::new(StringArray::from_iter_values(rejects.iter().map(|_| id))),
    ]);
    RecordBatch::try_new(unread(), columns).map_err(uneven)
}

/// The columns of [`crate::lake::provenance::provenance`].
fn origin(
    delivery: &Delivery,
    lines: Vec<i64>,
    hashes: StringArray,
    at: DateTime<Utc>,
) -> Vec<ArrayRef> {
    let rows = lines.len();
    let same = |text: &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(std::iter::repeat_n(
            text, rows,
        )))
    };
    let at = vec![at.timestamp_micros(); rows];
    vec![
        same(&delivery.file),
        same(&delivery.file_hash.to_string()),
        Arc::new(Int64Array::from(lines)),
        Arc::new(hashes),
        same(delivery.run_id.as_str()),
        Arc::new(TimestampMicrosecondArray::from(at).with_timezone("UTC")),
    ]
}

/// A line as the table keeps it.
pub(super) fn number(line: u64) -> i64 {
    i64::try_from(line).unwrap_or(i64::MAX)
}

fn uneven(error: datafusion::arrow::error::ArrowError) -> Error {
    Error::new("the columns of a chunk do not fit its table").because(error)
}
