//! Chunk after chunk through the rules.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, Int64Array, RecordBatch, StringArray, UInt32Array,
};
use datafusion::arrow::compute::take;
use serde_json::{Map, Value, json};

use super::prepared::Prepared;
use super::{convert, next};
use crate::base::{Error, Result};
use crate::lake::{Batches, Sender, texts_of};
use crate::operators::blocking::blocking;
use crate::rules::tables::{Cleaned, Cleaning, Counts, Known, Seen};

/// Rules with what they have seen.
pub(super) struct Work {
    prepared: Prepared,
    known: Known,
    seen: Seen,
}

/// What a chunk becomes: columns of the two tables.
struct Shaped {
    passed: Vec<ArrayRef>,
    rejected: Vec<ArrayRef>,
}

impl Work {
    /// Nothing seen yet.
    pub fn new(prepared: Prepared, known: Known) -> Self {
        Self {
            prepared,
            known,
            seen: Seen::default(),
        }
    }

    /// What became of the records.
    pub fn counts(&self) -> Counts {
        self.seen.counts()
    }

    /// The rules.
    pub fn cleaning(&self) -> &Cleaning {
        &self.prepared.cleaning
    }

    /// What they have seen.
    pub fn seen(&self) -> &Seen {
        &self.seen
    }

    /// Takes all of `chunks` through the rules, into `passed` and `rejected`.
    pub async fn run(
        mut self,
        mut chunks: Batches,
        passed: Sender,
        rejected: Sender,
    ) -> Result<Self> {
        while let Some(chunk) = next(&mut chunks).await? {
            let (work, shaped) = blocking(move || {
                let shaped = self.shape(&chunk)?;
                Ok((self, shaped))
            })
            .await?;
            self = work;
            passed.send(shaped.passed).await?;
            rejected.send(shaped.rejected).await?;
        }
        // rejects first: what passed is what others go on with
        rejected.end().await?;
        passed.end().await?;
        Ok(self)
    }

    fn shape(&mut self, chunk: &RecordBatch) -> Result<Shaped> {
        let cleaning = &self.prepared.cleaning;
        let before = self.seen.counts().read;
        let frame = convert::frame(chunk, self.prepared.columns())?;
        let cleaned = cleaning.apply(&frame, &self.known, &mut self.seen)?;
        let mut passed = Vec::new();
        for (name, of) in cleaning.columns() {
            let column = cleaned
                .passed
                .column(name)
                .map_err(|error| Error::new(format!("column `{name}` is gone")).because(error))?;
            passed.push(convert::array(column, *of)?);
        }
        let rows = UInt32Array::from(cleaned.passed_rows.clone());
        passed.extend(self.carried(chunk, &rows)?);
        if !cleaning.key().is_empty() {
            let places = cleaned.passed_rows.iter();
            let places = places.map(|row| before.saturating_add(u64::from(*row)) as i64);
            passed.push(Arc::new(places.collect::<Int64Array>()));
        }
        Ok(Shaped {
            passed,
            rejected: self.rejected(chunk, &cleaned)?,
        })
    }

    /// The columns that go along, of `rows`.
    fn carried(&self, chunk: &RecordBatch, rows: &UInt32Array) -> Result<Vec<ArrayRef>> {
        let fields = self.prepared.carried.iter();
        let columns = fields.map(|field| {
            let name = field.name();
            let column = chunk
                .column_by_name(name)
                .ok_or_else(|| Error::new(format!("column `{name}` is missing")))?;
            let failed = || Error::new(format!("column `{name}` cannot be taken along"));
            let taken = take(column, rows, None).map_err(|_| failed())?;
            match taken.data_type() == field.data_type() {
                true => Ok(taken),
                false => datafusion::arrow::compute::cast(&taken, field.data_type())
                    .map_err(|_| failed()),
            }
        });
        columns.collect()
    }

    fn rejected(&self, chunk: &RecordBatch, cleaned: &Cleaned) -> Result<Vec<ArrayRef>> {
        let cleaning = &self.prepared.cleaning;
        let rows: UInt32Array = cleaned
            .rejected
            .iter()
            .map(|rejected| rejected.row)
            .collect();
        let mut columns = self.carried(chunk, &rows)?;
        let mut texts = Vec::new();
        for name in self.prepared.columns() {
            if let Some(column) = chunk.column_by_name(name) {
                texts.push((name, texts_of(column)?));
            }
        }
        let (mut reasons, mut rules, mut records) = (Vec::new(), Vec::new(), Vec::new());
        for rejected in &cleaned.rejected {
            reasons.push(json!(cleaning.words(rejected)).to_string());
            let places = rejected.reasons.iter();
            let places = places.map(|(rule, _)| cleaning.rules()[*rule].place.to_string());
            rules.push(json!(places.collect::<Vec<String>>()).to_string());
            let row = rejected.row as usize;
            let cells = texts.iter().map(|(name, column)| {
                let cell = column.is_valid(row).then(|| column.value(row));
                ((*name).to_owned(), Value::from(cell))
            });
            records.push(Value::Object(cells.collect::<Map<String, Value>>()).to_string());
        }
        for texts in [reasons, rules, records] {
            columns.push(Arc::new(StringArray::from(texts)) as ArrayRef);
        }
        Ok(columns)
    }
}
