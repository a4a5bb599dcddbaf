//! From the columns of a batch to typed cells, and from text to dates and numbers. What does not fit is
//! reported, never silently null.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use polars::prelude::*;

use super::expression::as_text;
use crate::base::{Cell, CellType, Error, Result};

/// A column as cells of one type, and for each whether its value did not fit (the cell is then null).
pub struct Converted {
    /// One for each row.
    pub cells: Vec<Cell>,
    /// Rows whose value did not fit the type.
    pub failed: Vec<usize>,
}

/// Converts a column of any type to cells of type `to`.
///
/// # Errors
/// When no value of the column's type can fit, as a boolean in a date.
pub fn cells(column: &Column, to: CellType) -> Result<Converted> {
    let mut converted = Converted {
        cells: Vec::with_capacity(column.len()),
        failed: Vec::new(),
    };
    match (column.dtype(), to) {
        (DataType::Null, _) => converted.cells = vec![Cell::Null; column.len()],
        (_, CellType::Text) => converted.fill_text(&as_text(column)?),
        (DataType::String, CellType::Integer) => {
            converted.parse_text(column, |t| integer(t).map(Cell::Integer))?
        }
        (DataType::String, CellType::Float) => {
            converted.parse_text(column, |t| float(t).map(Cell::Float))?
        }
        (DataType::String, CellType::Boolean) => converted.parse_text(column, boolean)?,
        (DataType::String, CellType::Date) => {
            converted.parse_text(column, |t| t.parse().ok().map(Cell::Date))?
        }
        (DataType::String, CellType::Timestamp) => converted.parse_text(column, timestamp)?,
        (DataType::Boolean, CellType::Boolean) => {
            let values = column.bool().map_err(unexpected)?;
            converted.fill(values.iter(), |v| Some(Cell::Boolean(v)));
        }
        (from, CellType::Integer) if from.is_integer() => {
            let values = column.cast(&DataType::Int64).map_err(unexpected)?;
            let values = values.i64().map_err(unexpected)?;
            converted.fill(values.iter(), |v| Some(Cell::Integer(v)));
        }
        (from, CellType::Integer) if from.is_float() => {
            let values = column.cast(&DataType::Float64).map_err(unexpected)?;
            let values = values.f64().map_err(unexpected)?;
            converted.fill(values.iter(), |v| whole(v).map(Cell::Integer));
        }
        (from, CellType::Float) if from.is_numeric() => {
            let values = column.cast(&DataType::Float64).map_err(unexpected)?;
            let values = values.f64().map_err(unexpected)?;
            converted.fill(values.iter(), |v| v.is_finite().then_some(Cell::Float(v)));
        }
        (DataType::Date, CellType::Date) => {
            let values = column.date().map_err(unexpected)?;
            converted.fill(values.physical().iter(), |days| {
                date_of(days).map(Cell::Date)
            });
        }
        (DataType::Datetime(..), CellType::Timestamp) => {
            let micros = DataType::Datetime(TimeUnit::Microseconds, None);
            let values = column.cast(&micros).map_err(unexpected)?;
            let values = values.datetime().map_err(unexpected)?;
            converted.fill(values.physical().iter(), |v| {
                DateTime::from_timestamp_micros(v).map(Cell::Timestamp)
            });
        }
        (from, to) => {
            return Err(Error::new(format!(
                "a value of type {from} was given, expected {}",
                to.name()
            )));
        }
    }
    Ok(converted)
}

impl Converted {
    fn fill<T>(
        &mut self,
        values: impl Iterator<Item = Option<T>>,
        mut to_cell: impl FnMut(T) -> Option<Cell>,
    ) {
        for (row, value) in values.enumerate() {
            let cell = match value.map(&mut to_cell) {
                Some(Some(cell)) => cell,
                Some(None) => {
                    self.failed.push(row);
                    Cell::Null
                }
                None => Cell::Null,
            };
            self.cells.push(cell);
        }
    }

    /// What a column says again and again, row after row, is kept once.
    fn fill_text(&mut self, texts: &StringChunked) {
        let mut last: Option<Arc<str>> = None;
        self.fill(texts.iter(), |value| {
            if last.as_deref() != Some(value) {
                last = text(value);
            }
            last.clone().map(Cell::Text)
        });
    }

    fn parse_text(
        &mut self,
        column: &Column,
        to_cell: impl Fn(&str) -> Option<Cell>,
    ) -> Result<()> {
        let text = column.str().map_err(unexpected)?;
        self.fill(text.iter(), |t| to_cell(t.trim()));
        Ok(())
    }
}

fn unexpected(error: PolarsError) -> Error {
    Error::new("a column changed its type").because(error)
}

/// Text as a database can keep it: PostgreSQL has no place for NUL.
fn text(value: &str) -> Option<Arc<str>> {
    (!value.as_bytes().contains(&0)).then(|| value.into())
}

/// A whole number, also one written as `1929.0`.
pub fn integer(text: &str) -> Option<i64> {
    text.parse().ok().or_else(|| whole(float(text)?))
}

fn whole(number: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53: every whole number up to here is exact
    (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i64)
}

/// A finite number.
pub fn float(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// A date in a strftime format.
pub fn date(text: &str, format: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(text.trim(), format).ok()
}

/// Days since 1970, as polars keeps a date.
pub fn days_of(date: NaiveDate) -> i32 {
    date.to_epoch_days()
}

fn date_of(days: i32) -> Option<NaiveDate> {
    NaiveDate::from_epoch_days(days)
}

/// True or false, as databases and people write them.
pub fn boolean(text: &str) -> Option<Cell> {
    match text {
        "true" | "True" | "TRUE" | "t" | "1" => Some(Cell::Boolean(true)),
        "false" | "False" | "FALSE" | "f" | "0" => Some(Cell::Boolean(false)),
        _ => None,
    }
}

/// RFC 3339, or a local form without an offset, which is taken as UTC.
pub fn timestamp(text: &str) -> Option<Cell> {
    let exact = DateTime::parse_from_rfc3339(text).map(|time| time.with_timezone(&Utc));
    let naive = || {
        ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"]
            .iter()
            .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
            .map(|time| time.and_utc())
    };
    let time = exact.ok().or_else(naive)?;
    DateTime::from_timestamp_micros(time.timestamp_micros()).map(Cell::Timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_numbers_without_losing_any() {
        assert_eq!(integer("1929.0"), Some(1929));
        assert_eq!(integer("1929.5"), None);
        assert_eq!(integer("9223372036854775807"), Some(i64::MAX));
        assert_eq!(integer("900000000000000000000000000000000000001"), None);
        assert_eq!(float("nan"), None);
        assert_eq!(date("20171341", "%Y%m%d"), None);
    }

    #[test]
    fn what_does_not_fit_is_reported() {
        let column = Column::new("n".into(), [Some("1"), Some("x"), None]);
        let converted = cells(&column, CellType::Integer).expect("converts");
        assert_eq!(converted.cells, [Cell::Integer(1), Cell::Null, Cell::Null]);
        assert_eq!(converted.failed, [1]);
        let column = Column::new("b".into(), [true]);
        assert!(cells(&column, CellType::Date).is_err());
        let column = Column::new("t".into(), ["a\0b"]);
        assert_eq!(
            cells(&column, CellType::Text).expect("converts").failed,
            [0]
        );
    }
}
