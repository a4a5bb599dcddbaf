//! What kind of value a text is.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime};
use serde::Serialize;

/// A kind of value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A whole number of at most 15 digits; a longer one is an identifier and text.
    Integer,
    /// A number.
    Number,
    /// A day.
    Date,
    /// A day and a time.
    Time,
    /// `true`, `false`, `yes` or `no`.
    Boolean,
    /// A list or object in brackets.
    List,
    /// Anything else.
    Text,
}

impl Kind {
    /// How many kinds there are.
    pub(super) const COUNT: usize = 7;

    /// The name as printed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Date => "date",
            Self::Time => "time",
            Self::Boolean => "boolean",
            Self::List => "list",
            Self::Text => "text",
        }
    }
}

/// A value as far as its kind has an order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value {
    Number(f64),
    Date(NaiveDate),
    Time(NaiveDateTime),
    None,
}

/// How dates are written, the first that fits.
pub(super) const DATE_FORMATS: &[&str] = &[
    "%Y-%m-%d", "%Y%m%d", "%Y/%m/%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y",
];

/// A text's kind, its value, and for a date its place in [`DATE_FORMATS`].
pub(super) fn classify(text: &str) -> (Kind, Value, usize) {
    let text = text.trim();
    let other = |kind| (kind, Value::None, 0);
    match text.as_bytes() {
        [b'0'..=b'9' | b'+' | b'-' | b'.', ..] => of_digits(text),
        [b'[', .., b']'] | [b'{', .., b'}'] => other(Kind::List),
        [_, ..]
            if text.len() <= 5
                && ["true", "false", "yes", "no"]
                    .iter()
                    .any(|word| text.eq_ignore_ascii_case(word)) =>
        {
            other(Kind::Boolean)
        }
        _ => other(Kind::Text),
    }
}

fn of_digits(text: &str) -> (Kind, Value, usize) {
    if text.len() <= 10
        && let Some((date, format)) = date(text)
    {
        return (Kind::Date, Value::Date(date), format);
    }
    let digits = text.trim_start_matches(['+', '-']);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return match digits.len() {
            // zeros in front are part of an identifier
            1..=15 if digits == "0" || !digits.starts_with('0') => (Kind::Integer, number(text), 0),
            _ => (Kind::Text, Value::None, 0),
        };
    }
    if let number @ Value::Number(_) = number(text) {
        return (Kind::Number, number, 0);
    }
    match time(text) {
        Some(time) => (Kind::Time, Value::Time(time), 0),
        None => (Kind::Text, Value::None, 0),
    }
}

fn number(text: &str) -> Value {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Value::Number(number),
        _ => Value::None,
    }
}

fn date(text: &str) -> Option<(NaiveDate, usize)> {
    let marks = |mark: u8| text.bytes().filter(|&byte| byte == mark).count() == 2;
    let compact = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !compact && !marks(b'-') && !marks(b'/') && !marks(b'.') {
        return None;
    }
    DATE_FORMATS.iter().enumerate().find_map(|(place, format)| {
        let date = NaiveDate::parse_from_str(text, format).ok()?;
        (1850..=2150)
            .contains(&date.year())
            .then_some((date, place))
    })
}

fn time(text: &str) -> Option<NaiveDateTime> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.naive_utc());
    }
    [
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M",
    ]
    .iter()
    .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_apart() {
        let kind = |text: &str| classify(text).0;
        for (text, expected) in [
            ("12", Kind::Integer),
            ("-7", Kind::Integer),
            ("0", Kind::Integer),
            ("007", Kind::Text),
            ("1929.0", Kind::Number),
            ("1e3", Kind::Number),
            ("20140915", Kind::Date),
            ("20149915", Kind::Integer),
            ("2014-09-15", Kind::Date),
            ("15/09/2014", Kind::Date),
            ("2014-09-15T10:00:00Z", Kind::Time),
            ("2014-09-15 10:00:00", Kind::Time),
            ("123456789012345678901234567890123456789", Kind::Text),
            ("['a', 'b']", Kind::List),
            ("Yes", Kind::Boolean),
            ("nan", Kind::Text),
            ("M", Kind::Text),
            ("-", Kind::Text),
        ] {
            assert_eq!(kind(text), expected, "{text}");
        }
        let format = |text: &str| DATE_FORMATS[classify(text).2];
        assert_eq!(format("20140915"), "%Y%m%d");
        assert_eq!(format("15/09/2014"), "%d/%m/%Y");
        assert_eq!(format("09/15/2014"), "%m/%d/%Y");
    }
}
