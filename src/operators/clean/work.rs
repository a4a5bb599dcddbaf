//! Chunk after chunk through the rules.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, UInt32Array,
};
use datafusion::arrow::compute::{filter_record_batch, take};
use serde_json::{Map, Value, json};

use super::prepared::Prepared;
use super::{convert, next};
use crate::base::{Error, Result};
use crate::lake::{Batches, Sender, texts_of};
use crate::operators::blocking::side_by_side;
use crate::rules::tables::{Cleaned, Known, Repeats, Seen};

/// The rules of a table with all they need to judge a record.
pub(super) struct Rules {
    pub prepared: Arc<Prepared>,
    pub known: Known,
    /// Which records may have a key that comes again; `None` when none is named by its values.
    pub repeats: Option<Repeats>,
}

/// Where records go.
#[derive(Clone)]
pub(super) struct Ways {
    pub passed: Sender,
    pub rejected: Sender,
    /// For those that must wait.
    pub waiting: Option<Sender>,
}

/// Rules with what they have seen.
pub(super) struct Work {
    rules: Arc<Rules>,
    seen: Seen,
}

/// What a chunk becomes.
struct Shaped {
    /// Columns of the two tables.
    passed: Vec<ArrayRef>,
    rejected: Vec<ArrayRef>,
    /// Columns of records that must wait, as they came.
    waiting: Vec<ArrayRef>,
}

/// Takes records that are on their own through the rules, whatever their order, and sends the others to wait.
pub(super) async fn alone(rules: &Arc<Rules>, chunks: Vec<Batches>, ways: Ways) -> Result<Seen> {
    let workers = chunks.into_iter().map(|chunks| {
        let work = Work::new(Arc::clone(rules));
        work.run(chunks, ways.clone(), Work::shape_alone)
    });
    let mut all = Seen::default();
    for work in side_by_side(workers).await? {
        all.add(&work.seen);
    }
    Ok(all)
}

/// Takes records in their order through the rules, each held against those before it.
pub(super) async fn in_order(rules: &Arc<Rules>, chunks: Batches, ways: Ways) -> Result<Seen> {
    let work = Work::new(Arc::clone(rules));
    let work = work.run(chunks, ways, Work::shape).await?;
    Ok(work.seen)
}

impl Work {
    fn new(rules: Arc<Rules>) -> Self {
        Self {
            rules,
            seen: Seen::default(),
        }
    }

    async fn run(
        mut self,
        mut chunks: Batches,
        ways: Ways,
        shape: fn(&mut Self, &RecordBatch) -> Result<Shaped>,
    ) -> Result<Self> {
        while let Some(chunk) = next(&mut chunks).await? {
            // on the thread that drives the engine as well: memory that passes between many threads comes back late
            let shaped = shape(&mut self, &chunk)?;
            ways.passed.send(shaped.passed).await?;
            ways.rejected.send(shaped.rejected).await?;
            if let Some(waiting) = &ways.waiting {
                waiting.send(shaped.waiting).await?;
            }
        }
        Ok(self)
    }

    fn shape_alone(&mut self, chunk: &RecordBatch) -> Result<Shaped> {
        let rules = Arc::clone(&self.rules);
        let cleaning = &rules.prepared.cleaning;
        let frame = convert::frame(chunk, rules.prepared.columns())?;
        let Some(repeats) = &rules.repeats else {
            let cleaned = cleaning.apply_alone(&frame, &rules.known, &mut self.seen)?;
            return self.shaped(chunk, &cleaned, None);
        };
        let again = cleaning.again(&frame, repeats)?;
        let taken = |wanted: bool| {
            let rows = again.iter().map(|again| Some(*again == wanted));
            filter_record_batch(chunk, &rows.collect::<BooleanArray>()).map_err(|error| {
                Error::new("records of a chunk cannot be taken apart").because(error)
            })
        };
        let rest = taken(false)?;
        let frame = convert::frame(&rest, rules.prepared.columns())?;
        let cleaned = cleaning.apply_alone(&frame, &rules.known, &mut self.seen)?;
        let mut shaped = self.shaped(&rest, &cleaned, None)?;
        shaped.waiting = taken(true)?.columns().to_vec();
        Ok(shaped)
    }

    fn shape(&mut self, chunk: &RecordBatch) -> Result<Shaped> {
        let rules = Arc::clone(&self.rules);
        let cleaning = &rules.prepared.cleaning;
        let before = self.seen.counts().read;
        let frame = convert::frame(chunk, rules.prepared.columns())?;
        let cleaned = cleaning.apply(&frame, &rules.known, &mut self.seen)?;
        let place = (!cleaning.key().is_empty()).then_some(before);
        self.shaped(chunk, &cleaned, place)
    }

    /// The columns of both tables; with the place of each record behind `before` others.
    fn shaped(
        &self,
        chunk: &RecordBatch,
        cleaned: &Cleaned,
        before: Option<u64>,
    ) -> Result<Shaped> {
        let cleaning = &self.rules.prepared.cleaning;
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
        if let Some(before) = before {
            let places = cleaned.passed_rows.iter();
            let places = places.map(|row| before.saturating_add(u64::from(*row)) as i64);
            passed.push(Arc::new(places.collect::<Int64Array>()));
        }
        Ok(Shaped {
            passed,
            rejected: self.rejected(chunk, cleaned)?,
            waiting: Vec::new(),
        })
    }

    /// The columns that go along, of `rows`.
    fn carried(&self, chunk: &RecordBatch, rows: &UInt32Array) -> Result<Vec<ArrayRef>> {
        let fields = self.rules.prepared.carried.iter();
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
        let cleaning = &self.rules.prepared.cleaning;
        let rows: UInt32Array = cleaned
            .rejected
            .iter()
            .map(|rejected| rejected.row)
            .collect();
        let mut columns = self.carried(chunk, &rows)?;
        let mut texts = Vec::new();
        for name in self.rules.prepared.columns() {
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
