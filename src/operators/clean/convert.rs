//! Columns from the engine of tables to that of rules, and back.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array,
    RecordBatch, StringArray, TimestampMicrosecondArray,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float64Type, TimeUnit, TimestampMicrosecondType};
use datafusion::arrow::error::ArrowError;
use polars::prelude::{
    Column, DataFrame, Float64Chunked, Int64Chunked, IntoColumn, NewChunkedArray, PolarsError,
    StringChunked,
};

use crate::base::{Error, Result};
use crate::lake::texts_of;
use crate::rules::tables::ColumnType;

/// Digits of a decimal number in a table.
const DIGITS: u8 = ColumnType::MOST_DIGITS as u8;

/// The type under which a table keeps a column of this type.
pub(super) fn arrow_type(of: ColumnType) -> DataType {
    match of {
        ColumnType::Text => DataType::Utf8,
        ColumnType::Integer => DataType::Int64,
        ColumnType::Float => DataType::Float64,
        ColumnType::Boolean => DataType::Boolean,
        ColumnType::Date => DataType::Date32,
        ColumnType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        ColumnType::Decimal(scale) => DataType::Decimal128(DIGITS, scale_of(scale)),
    }
}

fn scale_of(scale: u8) -> i8 {
    i8::try_from(scale).unwrap_or(i8::MAX)
}

/// The columns `names` of `chunk`, which are text.
pub(super) fn frame<'a>(
    chunk: &RecordBatch,
    names: impl Iterator<Item = &'a str>,
) -> Result<DataFrame> {
    let mut columns = Vec::new();
    for name in names {
        let column = chunk
            .column_by_name(name)
            .ok_or_else(|| Error::new(format!("column `{name}` is missing")))?;
        let texts = texts_of(column)?;
        let texts = StringChunked::from_iter_options(name.into(), texts.iter());
        columns.push(texts.into_column());
    }
    DataFrame::new(chunk.num_rows(), columns)
        .map_err(|error| Error::new("columns of a chunk differ in length").because(error))
}

/// A column of a table, which rules have left there, as rules take it up again: called `name`, of numbers and times where it has them, else
/// of text. Rules write numbers and times in a form of their own.
pub(super) fn column(name: &str, array: &ArrayRef) -> Result<Column> {
    let failed = |error: ArrowError| {
        Error::new(format!("column `{name}` has a type that rules cannot read")).because(error)
    };
    match array.data_type() {
        from if from.is_floating() => {
            let cells = cast(array, &DataType::Float64).map_err(failed)?;
            let cells = cells.as_primitive::<Float64Type>().iter();
            let cells = Float64Chunked::from_iter_options(name.into(), cells);
            Ok(cells.into_column())
        }
        DataType::Timestamp(_, zone) => {
            let micros = DataType::Timestamp(TimeUnit::Microsecond, zone.clone());
            let cells = cast(array, &micros).map_err(failed)?;
            let cells = cells.as_primitive::<TimestampMicrosecondType>().iter();
            let cells = Int64Chunked::from_iter_options(name.into(), cells);
            let micros = polars::prelude::TimeUnit::Microseconds;
            Ok(cells.into_datetime(micros, None).into_column())
        }
        _ => {
            let cells = cast(array, &DataType::Utf8).map_err(failed)?;
            let texts = texts_of(&cells)?;
            let texts = StringChunked::from_iter_options(name.into(), texts.iter());
            Ok(texts.into_column())
        }
    }
}

/// A column as rules leave it, for a table.
pub(super) fn array(column: &Column, of: ColumnType) -> Result<ArrayRef> {
    let made: std::result::Result<ArrayRef, PolarsError> = match of {
        ColumnType::Text => column
            .str()
            .map(|cells| Arc::new(cells.iter().collect::<StringArray>()) as ArrayRef),
        ColumnType::Integer => column
            .i64()
            .map(|cells| Arc::new(cells.iter().collect::<Int64Array>()) as ArrayRef),
        ColumnType::Float => column
            .f64()
            .map(|cells| Arc::new(cells.iter().collect::<Float64Array>()) as ArrayRef),
        ColumnType::Boolean => column
            .bool()
            .map(|cells| Arc::new(cells.iter().collect::<BooleanArray>()) as ArrayRef),
        ColumnType::Date => column
            .date()
            .map(|cells| Arc::new(cells.physical().iter().collect::<Date32Array>()) as ArrayRef),
        ColumnType::Timestamp => column.datetime().map(|cells| {
            let cells: TimestampMicrosecondArray = cells.physical().iter().collect();
            Arc::new(cells.with_timezone("UTC")) as ArrayRef
        }),
        ColumnType::Decimal(scale) => return decimals(column, scale),
    };
    made.map_err(|error| {
        Error::new(format!("column `{}` is not {of}", column.name())).because(error)
    })
}

/// Decimal numbers, which come as text with exactly `scale` digits behind the point.
fn decimals(column: &Column, scale: u8) -> Result<ArrayRef> {
    let wrong = || {
        Error::new(format!(
            "column `{}` is not decimal({scale})",
            column.name()
        ))
    };
    let texts = column.str().map_err(|_| wrong())?;
    let mut numbers = Vec::with_capacity(texts.len());
    let mut digits = String::new();
    for text in texts.iter() {
        let Some(text) = text else {
            numbers.push(None);
            continue;
        };
        let behind = text.split_once('.').map_or(0, |(_, behind)| behind.len());
        if behind != usize::from(scale) {
            return Err(wrong());
        }
        digits.clear();
        digits.extend(text.chars().filter(|c| *c != '.'));
        numbers.push(Some(digits.parse::<i128>().map_err(|_| wrong())?));
    }
    let numbers = Decimal128Array::from(numbers)
        .with_precision_and_scale(DIGITS, scale_of(scale))
        .map_err(|_| wrong())?;
    Ok(Arc::new(numbers))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_exact() {
        let texts = [Some("-1234.50"), None, Some("0.01")];
        let column = StringChunked::from_iter_options("a".into(), texts.into_iter()).into_column();
        let array = array(&column, ColumnType::Decimal(2)).expect("decimals");
        let expected = Decimal128Array::from(vec![Some(-123_450), None, Some(1)]);
        let expected = expected.with_precision_and_scale(38, 2).expect("a type");
        assert_eq!(array.as_ref(), &expected);
        assert!(super::array(&column, ColumnType::Decimal(3)).is_err());
    }
}
