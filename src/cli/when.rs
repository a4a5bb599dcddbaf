//! Dates as they are given on the command line.

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, Utc};
use chrono_tz::Tz;

use crate::schedule::midnight;

/// A day, or an instant for schedules that fire more than daily.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// A calendar day in the DAG's time zone.
    Day(NaiveDate),
    /// An instant.
    Instant(DateTime<Utc>),
}

impl When {
    /// The instant at which it begins, in `zone`.
    pub fn start(self, zone: Tz) -> DateTime<Utc> {
        match self {
            Self::Day(day) => midnight(zone, day),
            Self::Instant(instant) => instant,
        }
    }

    /// The first instant after it: of a day its end, of an instant itself.
    pub fn end(self, zone: Tz) -> DateTime<Utc> {
        match self {
            Self::Day(day) => day
                .checked_add_days(Days::new(1))
                .map_or(DateTime::<Utc>::MAX_UTC, |next| midnight(zone, next)),
            Self::Instant(instant) => instant,
        }
    }
}

/// Reads `2026-01-31`, or `2026-01-31T14:00` and RFC 3339, in UTC where no offset is given.
///
/// # Errors
/// A text that says what was expected.
pub fn when(text: &str) -> Result<When, String> {
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Ok(When::Day(day));
    }
    if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        return Ok(When::Instant(instant.to_utc()));
    }
    ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
        .map(|instant| When::Instant(instant.and_utc()))
        .ok_or_else(|| {
            "expected a date as `2026-01-31`, or a time as `2026-01-31T14:00Z`".to_owned()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_instants_are_told_apart() {
        let day = NaiveDate::from_ymd_opt(2026, 1, 31).expect("day");
        let instant = When::Instant(day.and_hms_opt(14, 0, 0).expect("time").and_utc());
        assert_eq!(when("2026-01-31"), Ok(When::Day(day)));
        for text in [
            "2026-01-31T14:00",
            "2026-01-31T14:00:00",
            "2026-01-31T15:00:00+01:00",
        ] {
            assert_eq!(when(text), Ok(instant), "{text}");
        }
        for text in ["2026-02-30", "yesterday", "31/01/2026", ""] {
            assert!(when(text).is_err(), "{text}");
        }
    }
}
