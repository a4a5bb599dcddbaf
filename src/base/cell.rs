//! One typed value of a table, and how it is written as text.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use serde_json::Value;

/// Type of a column, as far as Galen tells types apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellType {
    /// Text.
    Text,
    /// A whole number of 64 bits.
    Integer,
    /// A finite number of double precision.
    Float,
    /// True or false.
    Boolean,
    /// A calendar date.
    Date,
    /// An instant, to the microsecond.
    Timestamp,
}

impl CellType {
    /// The type's name in a message.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "integer",
            Self::Float => "number",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
        }
    }
}

/// A value. `Display` writes it the same for every database: ISO dates, instants in UTC with
/// microseconds, the shortest number that reads back equal, `true` and `false`, nothing for null.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Unknown or absent.
    Null,
    /// Text.
    Text(Arc<str>),
    /// A whole number.
    Integer(i64),
    /// A finite number.
    Float(f64),
    /// True or false.
    Boolean(bool),
    /// A calendar date.
    Date(NaiveDate),
    /// An instant.
    Timestamp(DateTime<Utc>),
}

impl Cell {
    /// Whether the value is null.
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The value as JSON: numbers and booleans as such, everything else as its text.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Integer(number) => Value::from(*number),
            Self::Float(number) => Value::from(*number),
            Self::Boolean(value) => Value::from(*value),
            Self::Text(text) => Value::from(text.as_ref()),
            Self::Date(_) | Self::Timestamp(_) => Value::from(self.to_string()),
        }
    }

    /// Order within one type; null before everything, text by its bytes.
    pub fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
            (Self::Integer(a), Self::Integer(b)) => a.cmp(b),
            (Self::Float(a), Self::Float(b)) => a.total_cmp(b),
            (Self::Boolean(a), Self::Boolean(b)) => a.cmp(b),
            (Self::Date(a), Self::Date(b)) => a.cmp(b),
            (Self::Timestamp(a), Self::Timestamp(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }

    const fn rank(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Boolean(_) => 1,
            Self::Integer(_) => 2,
            Self::Float(_) => 3,
            Self::Date(_) => 4,
            Self::Timestamp(_) => 5,
            Self::Text(_) => 6,
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => Ok(()),
            Self::Text(text) => f.write_str(text),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Float(number) => write!(f, "{number}"),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Date(date) => write!(f, "{date}"),
            Self::Timestamp(time) => {
                f.write_str(&time.to_rfc3339_opts(SecondsFormat::Micros, true))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_one_text_per_value() {
        let time = DateTime::from_timestamp_micros(1_000_001).expect("time");
        let day = NaiveDate::from_ymd_opt(2016, 1, 2).expect("date");
        let texts = [
            (Cell::Float(0.1 + 0.2), "0.30000000000000004"),
            (Cell::Float(2047.0), "2047"),
            (Cell::Boolean(true), "true"),
            (Cell::Date(day), "2016-01-02"),
            (Cell::Timestamp(time), "1970-01-01T00:00:01.000001Z"),
            (Cell::Null, ""),
        ];
        for (cell, text) in texts {
            assert_eq!(cell.to_string(), text);
        }
    }

    #[test]
    fn null_comes_first() {
        assert_eq!(Cell::Null.order(&Cell::Integer(-5)), Ordering::Less);
        assert_eq!(
            Cell::Text("b".into()).order(&Cell::Text("a".into())),
            Ordering::Greater
        );
    }
}
