//! Five-field cron expressions, read as Vixie cron reads them.

use chrono::{DateTime, NaiveDateTime, SubsecRound, TimeDelta, Utc};
use croner::parser::{CronParser, Seconds, Year};

use crate::base::{Error, Result};

/// A checked expression: the minutes, in some time zone's local time, at which it fires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    cron: croner::Cron,
    hourly: bool,
}

const FIELDS: [&str; 5] = ["minute", "hour", "day of month", "month", "day of week"];

const PRESETS: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

impl Cron {
    /// Reads minute, hour, day of month, month and day of week (0 and 7 are Sunday; names and `L` as usual). Where both days are
    /// restricted, either is enough.
    ///
    /// # Errors
    /// Names the field that is wrong; also when the expression never fires, as on 30 February.
    pub fn parse(expression: &str) -> Result<Self> {
        let fields: Vec<&str> = expression.split_whitespace().collect();
        if fields.len() != FIELDS.len() {
            let found = fields.len();
            return Err(invalid(
                expression,
                &format!("it has {found} fields, expected 5"),
            ));
        }
        let cron = parse(&fields.join(" "))
            .map_err(|reason| invalid(expression, &wrong_field(&fields).unwrap_or(reason)))?;
        if next(&cron, DateTime::UNIX_EPOCH.naive_utc()).is_none() {
            return Err(invalid(expression, "it never fires"));
        }
        Ok(Self {
            hourly: every_hour(&cron),
            cron,
        })
    }

    /// The expression behind a preset such as `@daily`; any other text as it is.
    pub fn expand(text: &str) -> &str {
        let preset = PRESETS.iter().find(|(name, _)| *name == text.trim());
        preset.map_or(text, |(_, expression)| expression)
    }

    /// The presets, `@hourly` to `@annually`.
    pub fn presets() -> impl Iterator<Item = &'static str> {
        PRESETS.iter().map(|(name, _)| *name)
    }

    /// Whether it fires in every hour of the days on which it fires.
    pub(super) fn is_hourly(&self) -> bool {
        self.hourly
    }

    /// The first local time after `time` at which it fires.
    pub(super) fn next(&self, time: NaiveDateTime) -> Option<NaiveDateTime> {
        next(&self.cron, time)
    }

    /// The last local time not after `time` at which it fires.
    pub(super) fn at_or_before(&self, time: NaiveDateTime) -> Option<NaiveDateTime> {
        let whole = time.trunc_subsecs(0).and_utc();
        let found = self.cron.find_previous_occurrence(&whole, true);
        found.ok().map(|time| time.naive_utc())
    }
}

fn parse(expression: &str) -> Result<croner::Cron, String> {
    CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed)
        .build()
        .parse(expression)
        .map_err(|error| reason(&error))
}

/// The first field that is wrong on its own, and why.
fn wrong_field(fields: &[&str]) -> Option<String> {
    FIELDS.iter().enumerate().find_map(|(position, name)| {
        let mut alone = ["*"; FIELDS.len()];
        alone[position] = fields[position];
        let reason = parse(&alone.join(" ")).err()?;
        Some(format!("{name} `{}`: {reason}", fields[position]))
    })
}

/// The library's message in the manner of the house.
fn reason(error: &croner::errors::CronError) -> String {
    let text = error.to_string();
    let text = text.rsplit_once(": ").map_or(&*text, |(_, detail)| detail);
    text.trim_end_matches('.').to_lowercase()
}

/// Times go through the library as UTC, which has no gaps and no repeated hours; zones are dealt with in [`super::fires`].
fn next(cron: &croner::Cron, time: NaiveDateTime) -> Option<NaiveDateTime> {
    let found = cron.find_next_occurrence(&time.trunc_subsecs(0).and_utc(), false);
    found.ok().map(|time| time.naive_utc())
}

fn every_hour(cron: &croner::Cron) -> bool {
    let Some(first) = next(cron, DateTime::UNIX_EPOCH.naive_utc()) else {
        return false;
    };
    let midnight = first.date().and_time(chrono::NaiveTime::MIN);
    (0..24).all(|hour| {
        let start: DateTime<Utc> = (midnight + TimeDelta::hours(hour)).and_utc();
        let found = cron.find_next_occurrence(&start, true);
        found.is_ok_and(|time| time < start + TimeDelta::hours(1))
    })
}

fn invalid(expression: &str, reason: &str) -> Error {
    Error::new(format!("`{expression}` is not a cron expression: {reason}")).hint(
        "minute 0-59, hour 0-23, day of month 1-31, month 1-12, day of week 0-7, as `0 3 * * *`; or a preset such as `@daily`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fires(expression: &str, from: &str, count: usize) -> Vec<String> {
        let cron = Cron::parse(expression).expect(expression);
        let mut time: NaiveDateTime = format!("{from}T00:00:00").parse().expect("time");
        time -= TimeDelta::seconds(1);
        std::iter::from_fn(|| {
            time = cron.next(time)?;
            Some(time.format("%a %m-%d %H:%M").to_string())
        })
        .take(count)
        .collect()
    }

    #[test]
    fn counts_days_of_the_week_as_vixie_does() {
        for sunday in ["0", "7", "sun", "SUN"] {
            assert_eq!(
                fires(&format!("5 4 * * {sunday}"), "2026-01-01", 1),
                ["Sun 01-04 04:05"]
            );
        }
        assert_eq!(
            fires("0 0 * * 5-7", "2026-01-01", 4),
            [
                "Fri 01-02 00:00",
                "Sat 01-03 00:00",
                "Sun 01-04 00:00",
                "Fri 01-09 00:00"
            ]
        );
        assert_eq!(fires("0 0 * * mon", "2026-01-01", 1), ["Mon 01-05 00:00"]);
    }

    #[test]
    fn either_day_is_enough_when_both_are_restricted() {
        assert_eq!(
            fires("0 0 13 * 5", "2026-01-01", 4),
            [
                "Fri 01-02 00:00",
                "Fri 01-09 00:00",
                "Tue 01-13 00:00",
                "Fri 01-16 00:00"
            ]
        );
    }

    #[test]
    fn knows_month_ends_and_leap_days() {
        assert_eq!(
            fires("0 0 L * *", "2028-01-01", 3),
            ["Mon 01-31 00:00", "Tue 02-29 00:00", "Fri 03-31 00:00"]
        );
        assert_eq!(
            fires("0 0 31 * *", "2026-01-01", 3),
            ["Sat 01-31 00:00", "Tue 03-31 00:00", "Sun 05-31 00:00"]
        );
        assert_eq!(fires("0 0 29 feb *", "2026-01-01", 1), ["Tue 02-29 00:00"]);
    }

    #[test]
    fn tells_whether_it_fires_every_hour() {
        for (expression, hourly) in [
            ("* * * * *", true),
            ("*/15 * * * *", true),
            ("59 * * * 1", true),
            ("0 0-23 * * *", true),
            ("0 */2 * * *", false),
            ("*/5 8-18 * * *", false),
            ("0 3 * * *", false),
        ] {
            let cron = Cron::parse(expression).expect(expression);
            assert_eq!(cron.is_hourly(), hourly, "{expression}");
        }
    }

    #[test]
    fn names_the_wrong_field() {
        for (expression, message) in [
            ("0 3 * *", "it has 4 fields, expected 5"),
            ("0 0 3 * * *", "it has 6 fields, expected 5"),
            ("61 3 * * *", "minute `61`: number out of bounds"),
            ("0 24 * * *", "hour `24`: number out of bounds"),
            ("0 0 * * 8", "day of week `8`: number out of bounds"),
            ("0 0 30 2 *", "it never fires"),
        ] {
            let error = Cron::parse(expression).expect_err(expression).to_string();
            let expected = format!("`{expression}` is not a cron expression: {message}");
            assert_eq!(error, expected);
        }
        assert!(Cron::parse("0 0 */0 * *").is_err());
        assert!(Cron::parse("0 0 5-1 * *").is_err());
        assert!(Cron::parse("0 0 * foo *").is_err());
        assert!(Cron::parse("").is_err());
    }

    #[test]
    fn presets_are_expressions() {
        for preset in Cron::presets() {
            Cron::parse(Cron::expand(preset)).expect(preset);
        }
        assert_eq!(Cron::expand(" @daily "), "0 0 * * *");
        assert_eq!(Cron::expand("1 2 * * *"), "1 2 * * *");
    }
}
