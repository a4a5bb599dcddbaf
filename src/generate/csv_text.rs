//! Values as CSV text: quotes where they are needed, whole numbers, fixed decimals and dates.

use chrono::{Datelike, NaiveDate};

use super::spec::DateFormat;

/// `text` as a CSV field.
pub fn quoted(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    push_field(&mut out, text);
    out
}

/// Appends `text` as a CSV field.
pub fn push_field(out: &mut Vec<u8>, text: &[u8]) {
    let special = |byte: u8| matches!(byte, b',' | b'"' | b'\n' | b'\r');
    // looking at every byte is faster than stopping at the first: there is nothing to branch on
    if !text.iter().fold(false, |any, &byte| any | special(byte)) {
        out.extend_from_slice(text);
        return;
    }
    out.push(b'"');
    let mut start = 0;
    for quote in memchr::memchr_iter(b'"', text) {
        out.extend_from_slice(&text[start..=quote]);
        start = quote;
    }
    out.extend_from_slice(&text[start..]);
    out.push(b'"');
}

/// Appends `number`, with zeros before it up to `width` digits.
pub fn push_number(out: &mut Vec<u8>, number: i64, width: usize) {
    if number < 0 {
        out.push(b'-');
    }
    let mut digits = [b'0'; 20];
    let mut at = digits.len();
    let mut rest = number.unsigned_abs();
    while rest > 0 {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    let count = digits.len() - at;
    let zeros = width.max(1).saturating_sub(count);
    out.extend(std::iter::repeat_n(b'0', zeros));
    out.extend_from_slice(&digits[at..]);
}

/// Appends `units / 10^decimals`, with exactly `decimals` digits after the point.
pub fn push_decimal(out: &mut Vec<u8>, units: i64, decimals: u8) {
    let scale = 10_u64.pow(u32::from(decimals));
    let size = units.unsigned_abs();
    if units < 0 {
        out.push(b'-');
    }
    push_number(out, (size / scale) as i64, 1);
    if decimals > 0 {
        out.push(b'.');
        push_number(out, (size % scale) as i64, usize::from(decimals));
    }
}

/// Appends `date`.
pub fn push_date(out: &mut Vec<u8>, date: NaiveDate, format: DateFormat) {
    let year = i64::from(date.year());
    let month = i64::from(date.month());
    let day = i64::from(date.day());
    if format == DateFormat::Named {
        push_number(out, day, 2);
        out.extend_from_slice(date.format(" %b ").to_string().as_bytes());
        return push_number(out, year, 4);
    }
    let (parts, separator): ([(i64, usize); 3], &[u8]) = match format {
        DateFormat::Iso | DateFormat::Named => ([(year, 4), (month, 2), (day, 2)], b"-"),
        DateFormat::Compact => ([(year, 4), (month, 2), (day, 2)], b""),
        DateFormat::DayFirst => ([(day, 2), (month, 2), (year, 4)], b"/"),
        DateFormat::MonthFirst => ([(month, 2), (day, 2), (year, 4)], b"/"),
    };
    for (n, (number, width)) in parts.into_iter().enumerate() {
        if n > 0 {
            out.extend_from_slice(separator);
        }
        push_number(out, number, width);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn quotes_only_where_needed() {
        assert_eq!(quoted(b"plain 'text'"), b"plain 'text'");
        assert_eq!(quoted(b"a,\"b\"\nc"), b"\"a,\"\"b\"\"\nc\"");
        assert_eq!(quoted(b""), b"");
    }

    #[test]
    fn writes_numbers_and_dates() {
        assert_eq!(text(|out| push_number(out, 0, 0)), "0");
        assert_eq!(text(|out| push_number(out, 42, 6)), "000042");
        assert_eq!(
            text(|out| push_number(out, i64::MIN, 0)),
            i64::MIN.to_string()
        );
        assert_eq!(text(|out| push_decimal(out, -5, 2)), "-0.05");
        assert_eq!(text(|out| push_decimal(out, 12_345, 3)), "12.345");
        assert_eq!(text(|out| push_decimal(out, 7, 0)), "7");
        let date = NaiveDate::from_ymd_opt(2026, 1, 31).expect("a date");
        assert_eq!(
            text(|out| push_date(out, date, DateFormat::Iso)),
            "2026-01-31"
        );
        assert_eq!(
            text(|out| push_date(out, date, DateFormat::Compact)),
            "20260131"
        );
        assert_eq!(
            text(|out| push_date(out, date, DateFormat::DayFirst)),
            "31/01/2026"
        );
    }
}
