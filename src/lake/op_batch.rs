//! A chunk of operational rows as the engine's columns.

use std::sync::Arc;

use chrono::NaiveDate;
use datafusion::arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch, RecordBatchOptions,
    StringArray, TimestampMicrosecondArray,
};
use datafusion::arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::error::{DataFusionError, Result};

use crate::records::{Chunk, ScanColumn, Texts};

/// The rows of `chunk` under `schema`, whose columns are those of the scan.
pub(super) fn batch(chunk: Chunk, schema: &SchemaRef) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(chunk.rows));
    let columns = chunk
        .columns
        .into_iter()
        .map(array)
        .collect::<Result<_>>()?;
    Ok(RecordBatch::try_new_with_options(
        Arc::clone(schema),
        columns,
        &options,
    )?)
}

fn array(column: ScanColumn) -> Result<ArrayRef> {
    Ok(match column {
        ScanColumn::Text(texts) => Arc::new(strings(texts)?),
        ScanColumn::Integer(cells) => Arc::new(Int64Array::from(cells)),
        ScanColumn::Float(cells) => Arc::new(Float64Array::from(cells)),
        ScanColumn::Boolean(cells) => Arc::new(BooleanArray::from(cells)),
        ScanColumn::Date(cells) => {
            let days = cells.into_iter().map(|date| date.map(days));
            Arc::new(Date32Array::from_iter(days))
        }
        ScanColumn::Timestamp(cells) => {
            let micros = cells
                .into_iter()
                .map(|time| time.map(|time| time.timestamp_micros()));
            Arc::new(TimestampMicrosecondArray::from_iter(micros).with_timezone("UTC"))
        }
    })
}

/// The texts as they lie: none is copied.
fn strings(texts: Texts) -> Result<StringArray> {
    let ends = std::iter::once(0).chain(texts.ends);
    let ends = ends
        .map(i32::try_from)
        .collect::<Result<Vec<i32>, _>>()
        .map_err(|_| DataFusionError::ResourcesExhausted("texts of a chunk".to_owned()))?;
    let offsets = OffsetBuffer::new(ScalarBuffer::from(ends));
    let valid = NullBuffer::from(texts.valid);
    Ok(StringArray::try_new(
        offsets,
        Buffer::from_vec(texts.text.into_bytes()),
        Some(valid),
    )?)
}

/// Days since 1970-01-01.
fn days(date: NaiveDate) -> i32 {
    let days = date.signed_duration_since(NaiveDate::default()).num_days();
    // chrono's dates span fewer days than the type
    i32::try_from(days).unwrap_or_default()
}
