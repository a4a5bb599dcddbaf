//! Date patterns as rule tables write them, `dd/MM/yyyy HH:mm`, letters as in Java: strict, and case matters.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};

use crate::base::{Error, Result};

/// How a date, or a date with a time, is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DatePattern {
    text: String,
    parts: Vec<Part>,
}

/// A piece of a pattern; a number is how many digits are expected, 1 meaning one or two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Literal(char),
    Year(usize),
    Month(usize),
    MonthName(bool),
    Day(usize),
    Weekday(bool),
    Hour(usize),
    HalfDayHour(usize),
    Noon,
    Minute(usize),
    Second(usize),
    Fraction(usize),
    Offset,
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

impl DatePattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// When a letter has no meaning, a quote is open, or year, month or day are missing; `mm` for a month is the usual mistake.
    pub fn parse(text: &str) -> Result<Self> {
        let mut parts = Vec::new();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            if c == '\'' {
                quoted(text, &mut chars, &mut parts)?;
            } else if c.is_ascii_alphabetic() {
                let mut count = 1;
                while chars.next_if_eq(&c).is_some() {
                    count += 1;
                }
                parts.push(part(text, c, count)?);
            } else {
                parts.push(Part::Literal(c));
            }
        }
        let pattern = Self {
            text: text.to_owned(),
            parts,
        };
        pattern.check()?;
        Ok(pattern)
    }

    /// The pattern as written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it tells the time of day too.
    pub fn has_time(&self) -> bool {
        let is_hour = |part: &Part| matches!(part, Part::Hour(_) | Part::HalfDayHour(_));
        self.parts.iter().any(is_hour)
    }

    /// What `text` says, all of it; `None` when it is not written so or there is no such day. A time with an offset is in UTC; a date keeps
    /// its day, as a `LocalDate` does.
    pub fn read(&self, text: &str) -> Option<NaiveDateTime> {
        let mut fields = Fields::default();
        let mut rest = text;
        for part in &self.parts {
            rest = fields.take(*part, rest)?;
        }
        if !self.has_time() {
            fields.offset = 0;
        }
        match rest {
            "" => fields.finish(),
            _ => None,
        }
    }

    fn check(&self) -> Result<()> {
        let has = |test: fn(&Part) -> bool| self.parts.iter().any(test);
        let minutes = has(|p| matches!(p, Part::Minute(_)));
        let months = has(|p| matches!(p, Part::Month(_) | Part::MonthName(_)));
        let complete =
            has(|p| matches!(p, Part::Year(_))) && months && has(|p| matches!(p, Part::Day(_)));
        let text = &self.text;
        if minutes && !self.has_time() {
            return Err(Error::new(format!(
                "date format `{text}` has minutes, `m`, without hours"
            ))
            .hint("case matters: `MM` is the month, `mm` is minutes"));
        }
        if !complete {
            return Err(
                Error::new(format!("date format `{text}` has no year, month or day"))
                    .hint("expected all three, as in `yyyy-MM-dd`"),
            );
        }
        if has(|p| matches!(p, Part::HalfDayHour(_))) != has(|p| matches!(p, Part::Noon)) {
            return Err(Error::new(format!(
                "date format `{text}` has one of `h` and `a` without the other"
            ))
            .hint("`hh:mm a` is 01:30 PM, `HH:mm` is 13:30"));
        }
        Ok(())
    }
}

fn quoted(
    text: &str,
    chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
    parts: &mut Vec<Part>,
) -> Result<()> {
    if chars.next_if_eq(&'\'').is_some() {
        parts.push(Part::Literal('\''));
        return Ok(());
    }
    for c in chars.by_ref() {
        if c == '\'' {
            return Ok(());
        }
        parts.push(Part::Literal(c));
    }
    Err(Error::new(format!(
        "date format `{text}` has an open quote"
    )))
}

fn part(text: &str, letter: char, count: usize) -> Result<Part> {
    let part = match (letter, count) {
        ('y' | 'u', 2 | 4) => Part::Year(count),
        ('M' | 'L', 1 | 2) => Part::Month(count),
        ('M' | 'L', 3) => Part::MonthName(true),
        ('M' | 'L', 4) => Part::MonthName(false),
        ('d', 1 | 2) => Part::Day(count),
        ('E', 1..=3) => Part::Weekday(true),
        ('E', 4) => Part::Weekday(false),
        ('H', 1 | 2) => Part::Hour(count),
        ('h', 1 | 2) => Part::HalfDayHour(count),
        ('a', 1) => Part::Noon,
        ('m', 1 | 2) => Part::Minute(count),
        ('s', 1 | 2) => Part::Second(count),
        ('S', 1..=6) => Part::Fraction(count),
        ('X' | 'Z', 1..=3) => Part::Offset,
        _ => {
            let piece = letter.to_string().repeat(count);
            let error = Error::new(format!(
                "date format `{text}` has `{piece}`, which has no meaning here"
            ));
            return Err(match letter {
                'Y' => error.hint("years are `yyyy`; case matters"),
                'D' => error.hint("days are `dd`; case matters"),
                'y' | 'u' => error.hint("years are `yyyy`, or `yy` for 2000 to 2099"),
                _ => error.hint(
                    "letters: `yyyy MM MMM dd HH mm ss SSS hh a EEE XXX`, text in single quotes",
                ),
            });
        }
    };
    Ok(part)
}

/// What has been read so far.
#[derive(Default)]
struct Fields {
    year: i32,
    month: u32,
    day: u32,
    hour: u32,
    half_day: bool,
    afternoon: bool,
    minute: u32,
    second: u32,
    micro: u32,
    offset: i64,
}

impl Fields {
    /// Takes `part` off the beginning of `rest`.
    fn take<'a>(&mut self, part: Part, rest: &'a str) -> Option<&'a str> {
        match part {
            Part::Literal(c) => return rest.strip_prefix(c),
            Part::MonthName(short) => {
                let (number, rest) = name(&MONTHS, short, rest)?;
                self.month = number;
                return Some(rest);
            }
            Part::Weekday(short) => return name(&DAYS, short, rest).map(|(_, rest)| rest),
            Part::Noon => {
                let (half, rest) = rest.split_at_checked(2)?;
                self.afternoon = half.eq_ignore_ascii_case("pm");
                return (self.afternoon || half.eq_ignore_ascii_case("am")).then_some(rest);
            }
            Part::Offset => {
                let (offset, rest) = offset(rest)?;
                self.offset = offset;
                return Some(rest);
            }
            _ => {}
        }
        let (number, rest) = digits(part, rest)?;
        match part {
            Part::Year(2) => self.year = 2000 + number as i32,
            Part::Year(_) => self.year = number as i32,
            Part::Month(_) => self.month = number,
            Part::Day(_) => self.day = number,
            Part::Hour(_) => self.hour = number,
            Part::HalfDayHour(_) if !(1..=12).contains(&number) => return None,
            Part::HalfDayHour(_) => {
                self.hour = number % 12;
                self.half_day = true;
            }
            Part::Minute(_) => self.minute = number,
            Part::Second(_) => self.second = number,
            Part::Fraction(count) => self.micro = number * 10u32.pow(6 - count as u32),
            _ => return None,
        }
        Some(rest)
    }

    fn finish(self) -> Option<NaiveDateTime> {
        let day = NaiveDate::from_ymd_opt(self.year, self.month, self.day)?;
        let hour = match self.half_day && self.afternoon {
            true => self.hour + 12,
            false => self.hour,
        };
        let time = NaiveTime::from_hms_micro_opt(hour, self.minute, self.second, self.micro)?;
        day.and_time(time)
            .checked_sub_signed(TimeDelta::seconds(self.offset))
    }
}

/// As many digits as `part` expects.
fn digits(part: Part, rest: &str) -> Option<(u32, &str)> {
    let (least, most) = match part {
        Part::Month(1)
        | Part::Day(1)
        | Part::Hour(1)
        | Part::HalfDayHour(1)
        | Part::Minute(1)
        | Part::Second(1) => (1, 2),
        Part::Year(n) | Part::Fraction(n) => (n, n),
        _ => (2, 2),
    };
    let count = rest
        .bytes()
        .take(most)
        .take_while(u8::is_ascii_digit)
        .count();
    if count < least {
        return None;
    }
    let (digits, rest) = rest.split_at(count);
    Some((digits.parse().ok()?, rest))
}

/// A name of a month or a day, whatever its case, and its number from 1.
fn name<'a>(names: &[&str], short: bool, rest: &'a str) -> Option<(u32, &'a str)> {
    (1..).zip(names).find_map(|(number, name)| {
        let name = if short { &name[..3] } else { name };
        let (word, rest) = rest.split_at_checked(name.len())?;
        word.eq_ignore_ascii_case(name).then_some((number, rest))
    })
}

/// An offset from UTC in seconds: `Z`, `+01`, `+0100` or `+01:00`.
fn offset(rest: &str) -> Option<(i64, &str)> {
    if let Some(rest) = rest.strip_prefix(['Z', 'z']) {
        return Some((0, rest));
    }
    let sign = if rest.starts_with('-') { -1 } else { 1 };
    let rest = rest.strip_prefix(['+', '-'])?;
    let (hours, rest) = digits(Part::Hour(2), rest)?;
    let after = rest.strip_prefix(':').unwrap_or(rest);
    let (minutes, rest) = digits(Part::Minute(2), after).unwrap_or((0, rest));
    (hours <= 18 && minutes < 60).then_some((sign * i64::from(hours * 3600 + minutes * 60), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pattern: &str, text: &str) -> Option<String> {
        let pattern = DatePattern::parse(pattern).expect(pattern);
        pattern.read(text).map(|time| time.to_string())
    }

    #[test]
    fn reads_what_is_written_so_and_nothing_else() {
        let day = Some("2025-03-17 00:00:00".to_owned());
        assert_eq!(read("yyyy-MM-dd", "2025-03-17"), day);
        assert_eq!(read("d/M/yyyy", "17/3/2025"), day);
        assert_eq!(read("dd MMM yy", "17 mar 25"), day);
        assert_eq!(read("EEE, d MMMM yyyy", "Mon, 17 March 2025"), day);
        assert_eq!(read("yyyyMMdd'T'", "20250317T"), day);
        assert_eq!(read("yyyy-MM-ddXXX", "2025-03-17+05:00"), day);
        assert_eq!(read("yyyy-MM-ddXXX", "2025-03-17-05:00"), day);
        for text in [
            "2025-3-17",
            "25-03-17",
            "2025-03-17 ",
            "2025-02-30",
            "20250-03-17",
            "",
            "é",
        ] {
            assert_eq!(read("yyyy-MM-dd", text), None, "{text}");
        }
        let time = Some("2025-03-17 13:05:09.250".to_owned());
        assert_eq!(
            read("yyyy-MM-dd HH:mm:ss.SSS", "2025-03-17 13:05:09.250"),
            time
        );
        assert_eq!(
            read(
                "yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
                "2025-03-17T14:05:09.250+01:00"
            ),
            time
        );
        assert_eq!(
            read("dd/MM/yyyy hh:mm:ss.SSS a", "17/03/2025 01:05:09.250 PM"),
            time
        );
        assert_eq!(
            read("dd/MM/yyyy h:mm a", "17/03/2025 12:00 am").as_deref(),
            Some("2025-03-17 00:00:00")
        );
    }

    #[test]
    fn mistakes_are_named_with_the_way_out() {
        for (pattern, message, hint) in [
            ("yyyy-mm-dd", "minutes", "`MM` is the month"),
            ("YYYY-MM-dd", "`YYYY`", "years are `yyyy`"),
            ("yyyy-MM-DD", "`DD`", "days are `dd`"),
            ("yyyy-MM", "no year, month or day", "all three"),
            ("dd/MM/yyyy hh:mm", "without the other", "HH:mm"),
            ("yyyy-MM-dd'T", "open quote", ""),
            ("yyy-MM-dd", "`yyy`", "`yyyy`"),
            ("yyyy-MM-ddQ", "`Q`", "letters"),
        ] {
            let error = DatePattern::parse(pattern).expect_err(pattern);
            assert!(error.to_string().contains(message), "{error:?}");
            assert!(
                error.hint_text().unwrap_or_default().contains(hint),
                "{error:?}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read_back(seconds in 0i64..4_102_444_800, micros in 0u32..1_000_000) {
            let time = chrono::DateTime::from_timestamp(seconds, micros * 1000).expect("time");
            let time = time.naive_utc();
            for (pattern, written) in [
                ("yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX", "%Y-%m-%dT%H:%M:%S%.6f+00:00"),
                ("EEEE d MMMM yyyy hh:mm:ss a SSSSSS", "%A %-d %B %Y %I:%M:%S %p %6f"),
                ("ddMMyyyyHmmss SSSSSS", "%d%m%Y%-H%M%S %6f"),
            ] {
                // digits without a sign between them must be two by two
                if pattern.contains("yyyyH") && time.format("%H").to_string().starts_with('0') {
                    continue;
                }
                let read = DatePattern::parse(pattern).expect(pattern);
                let text = time.format(written).to_string();
                proptest::prop_assert_eq!(read.read(&text), Some(time), "{} {}", pattern, text);
            }
        }
    }
}
