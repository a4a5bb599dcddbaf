//! Text to a value of a type, written in one canonical way, and from that to a column.

use chrono::NaiveDate;
use polars::prelude::*;

use super::column_type::ColumnType;
use super::place::unknown;
use crate::base::{Cell, Error, Result};
use crate::rules::convert;

const TYPES: [&str; 6] = [
    "integer",
    "float",
    "boolean",
    "date",
    "timestamp",
    "decimal",
];
const MOST_DECIMALS: u8 = 18;

/// Reads the type of a `cast` rule: a type's name, or `decimal(SCALE)`.
pub(super) fn parse_type(text: &str) -> Result<ColumnType> {
    let decimal = text
        .strip_prefix("decimal(")
        .and_then(|rest| rest.strip_suffix(')'));
    if let Some(scale) = decimal {
        let scale = scale.trim().parse().ok().filter(|n| *n <= MOST_DECIMALS);
        return scale.map(ColumnType::Decimal).ok_or_else(|| {
            Error::new(format!(
                "`{text}` has a wrong number of decimals, expected 0 to {MOST_DECIMALS}"
            ))
        });
    }
    match text {
        "integer" => Ok(ColumnType::Integer),
        "float" => Ok(ColumnType::Float),
        "boolean" => Ok(ColumnType::Boolean),
        "date" => Ok(ColumnType::Date),
        "timestamp" => Ok(ColumnType::Timestamp),
        "decimal" => {
            Err(Error::new("`decimal` has no number of decimals").hint("as `cast:decimal(2)`"))
        }
        _ => Err(unknown(format!("unknown type `{text}`"), text, TYPES)),
    }
}

/// `text` as a value of type `to`, in canonical form; `None` when it is not one.
pub(super) fn canonical(text: &str, to: ColumnType) -> Option<String> {
    let text = text.trim();
    match to {
        ColumnType::Text => Some(text.to_owned()),
        ColumnType::Integer => convert::integer(text).map(|n| n.to_string()),
        ColumnType::Float => convert::float(text).map(|n| n.to_string()),
        ColumnType::Boolean => convert::boolean(text).map(|cell| cell.to_string()),
        ColumnType::Date => date(text).map(|date| date.to_string()),
        ColumnType::Timestamp => convert::timestamp(text).map(|cell| cell.to_string()),
        ColumnType::Decimal(scale) => decimal(text, usize::from(scale)),
    }
}

/// A date as ISO 8601 writes it; the usual form without the detours of a general parser.
fn date(text: &str) -> Option<NaiveDate> {
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0u32, |number, digit| {
            digit
                .is_ascii_digit()
                .then(|| number * 10 + u32::from(digit - b'0'))
        })
    };
    match text.as_bytes() {
        [year @ .., b'-', m1, m2, b'-', d1, d2] if year.len() == 4 => {
            let year = i32::try_from(number(year)?).ok()?;
            NaiveDate::from_ymd_opt(year, number(&[*m1, *m2])?, number(&[*d1, *d2])?)
        }
        _ => text.parse().ok(),
    }
}

/// A plain decimal number with exactly `scale` decimals; `None` when it has more that count.
fn decimal(text: &str, scale: usize) -> Option<String> {
    let (negative, number) = match text.strip_prefix('-') {
        Some(number) => (true, number),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    decimal_text(negative, whole, decimals, scale)
}

/// The number of these digits with exactly `scale` decimals; `None` when they are no digits, or there are more than there may be.
pub(super) fn decimal_text(
    negative: bool,
    whole: &str,
    decimals: &str,
    scale: usize,
) -> Option<String> {
    let is_number = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if !is_number(whole) || !is_number(decimals) || whole.len() + decimals.len() == 0 {
        return None;
    }
    let decimals = decimals.trim_end_matches('0');
    let whole = whole.trim_start_matches('0');
    if decimals.len() > scale || whole.len() + scale > ColumnType::MOST_DIGITS {
        return None;
    }
    let is_zero = whole.is_empty() && decimals.is_empty();
    let whole = if whole.is_empty() { "0" } else { whole };
    let sign = if negative && !is_zero { "-" } else { "" };
    Some(match scale {
        0 => format!("{sign}{whole}"),
        _ => format!("{sign}{whole}.{decimals:0<scale$}"),
    })
}

/// A column on its way, from canonical text.
pub(super) enum Values {
    Text(StringChunkedBuilder),
    Integer(Vec<Option<i64>>),
    Float(Vec<Option<f64>>),
    Boolean(Vec<Option<bool>>),
    Date(Vec<Option<i32>>),
    Timestamp(Vec<Option<i64>>),
}

impl Values {
    /// A column of type `to` with room for `height` values.
    pub fn new(to: ColumnType, height: usize) -> Self {
        match to {
            ColumnType::Text | ColumnType::Decimal(_) => {
                Self::Text(StringChunkedBuilder::new(PlSmallStr::EMPTY, height))
            }
            ColumnType::Integer => Self::Integer(Vec::with_capacity(height)),
            ColumnType::Float => Self::Float(Vec::with_capacity(height)),
            ColumnType::Boolean => Self::Boolean(Vec::with_capacity(height)),
            ColumnType::Date => Self::Date(Vec::with_capacity(height)),
            ColumnType::Timestamp => Self::Timestamp(Vec::with_capacity(height)),
        }
    }

    /// Adds a value. Text that is not canonical becomes null; rules that could make such text are refused when they are read.
    pub fn push(&mut self, text: Option<&str>) {
        match self {
            Self::Text(values) => values.append_option(text),
            Self::Integer(values) => values.push(text.and_then(convert::integer)),
            Self::Float(values) => values.push(text.and_then(convert::float)),
            Self::Boolean(values) => values.push(text.map(|text| text == "true")),
            Self::Date(values) => values.push(text.and_then(date).map(convert::days_of)),
            Self::Timestamp(values) => {
                let micros = |text: &str| match convert::timestamp(text) {
                    Some(Cell::Timestamp(time)) => Some(time.timestamp_micros()),
                    _ => None,
                };
                values.push(text.and_then(micros));
            }
        }
    }

    /// The column.
    pub fn finish(self, name: &str) -> Column {
        let name = PlSmallStr::from_str(name);
        match self {
            Self::Text(values) => values.finish().with_name(name).into_column(),
            Self::Integer(values) => Column::new(name, values),
            Self::Float(values) => Column::new(name, values),
            Self::Boolean(values) => Column::new(name, values),
            Self::Date(values) => Int32Chunked::from_iter_options(name, values.into_iter())
                .into_date()
                .into_column(),
            Self::Timestamp(values) => Int64Chunked::from_iter_options(name, values.into_iter())
                .into_datetime(TimeUnit::Microseconds, None)
                .into_column(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_in_one_way() {
        for (to, text, expected) in [
            (ColumnType::Integer, " 1929.0 ", Some("1929")),
            (ColumnType::Integer, "12.5", None),
            (ColumnType::Float, "1e2", Some("100")),
            (ColumnType::Boolean, "TRUE", Some("true")),
            (ColumnType::Boolean, "maybe", None),
            (ColumnType::Date, "2025-03-17", Some("2025-03-17")),
            (ColumnType::Date, "2025-02-30", None),
            (ColumnType::Date, "2025-0x-01", None),
            (ColumnType::Date, "+12025-01-01", Some("+12025-01-01")),
            (
                ColumnType::Timestamp,
                "2025-03-17 10:00:00",
                Some("2025-03-17T10:00:00.000000Z"),
            ),
            (ColumnType::Decimal(2), "-0007.5", Some("-7.50")),
            (ColumnType::Decimal(2), "1.005", None),
            (ColumnType::Decimal(2), "-0.00", Some("0.00")),
            (ColumnType::Decimal(0), "12.0", Some("12")),
            (ColumnType::Decimal(2), ".", None),
            (ColumnType::Decimal(2), "1,5", None),
            (
                ColumnType::Decimal(2),
                "1000000000000000000000000000000000000",
                None,
            ),
        ] {
            let value = canonical(text, to);
            assert_eq!(value.as_deref(), expected, "{to} {text}");
            if let Some(value) = value {
                assert_eq!(canonical(&value, to).as_ref(), Some(&value), "{to} {text}");
            }
        }
    }

    #[test]
    fn unknown_types_are_errors() {
        assert!(parse_type("decimal").is_err());
        assert!(parse_type("decimal(40)").is_err());
        let error = parse_type("integr").expect_err("unknown");
        assert_eq!(error.hint_text(), Some("did you mean `integer`?"));
    }
}
