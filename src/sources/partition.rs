//! Which records of a file are a run's: by a date in a column.

use chrono::format::{Item, StrftimeItems};
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime};
use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::Interval;

/// A date column by which runs share a file: each takes the records whose date is in its data interval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Partition {
    /// The column.
    pub column: String,
    /// How its dates are written, in the letters of strftime, as `%Y%m%d` or `%Y-%m-%dT%H:%M:%S%z`. Times without a zone
    /// are those of the DAG's time zone.
    #[serde(default = "default_format")]
    format: String,
}

fn default_format() -> String {
    "%Y-%m-%d".to_owned()
}

/// How exact the dates are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Grain {
    Day,
    LocalTime,
    Instant,
}

impl Partition {
    /// Whether the format can be read.
    ///
    /// # Errors
    /// What was expected.
    pub fn check(&self) -> Result<(), String> {
        let broken = StrftimeItems::new(&self.format).any(|item| matches!(item, Item::Error));
        // of a year with four digits: without anything between, more of them would run into the month
        let example = DateTime::UNIX_EPOCH.with_timezone(&Tz::UTC);
        let text = |format: &str| example.format(format).to_string();
        if broken || self.moment(&text(&self.format), Tz::UTC).is_none() {
            return Err(format!(
                "`{}` does not say how a date is written, expected for example `%Y-%m-%d`",
                self.format
            ));
        }
        Ok(())
    }

    /// The span of local time that is `interval`'s, its end excluded. Of dates without a time, whole days: the interval of a
    /// nightly run takes the day on which it starts. Intervals that follow each other share no moment and leave none out.
    pub fn window(&self, interval: Interval, zone: Tz) -> (NaiveDateTime, NaiveDateTime) {
        let local = |at: DateTime<chrono::Utc>| {
            let local = at.with_timezone(&zone).naive_local();
            match self.grain() {
                Grain::Day => local.date().and_time(NaiveTime::MIN),
                Grain::LocalTime | Grain::Instant => local,
            }
        };
        (local(interval.start), local(interval.end))
    }

    /// The local time that `text` stands for; `None` when it is not so written.
    pub fn moment(&self, text: &str, zone: Tz) -> Option<NaiveDateTime> {
        let text = text.trim();
        match self.grain() {
            Grain::Day => NaiveDate::parse_from_str(text, &self.format)
                .ok()
                .map(|day| day.and_time(NaiveTime::MIN)),
            Grain::LocalTime => NaiveDateTime::parse_from_str(text, &self.format).ok(),
            Grain::Instant => DateTime::parse_from_str(text, &self.format)
                .ok()
                .map(|at| at.with_timezone(&zone).naive_local()),
        }
    }

    fn grain(&self) -> Grain {
        let has = |parts: &[&str]| parts.iter().any(|part| self.format.contains(part));
        if has(&["%z", "%:z", "%::z", "%#z", "%+"]) {
            Grain::Instant
        } else if has(&["%H", "%I", "%T", "%R", "%X", "%r", "%c"]) {
            Grain::LocalTime
        } else {
            Grain::Day
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(format: &str) -> Partition {
        Partition {
            column: "at".to_owned(),
            format: format.to_owned(),
        }
    }

    fn interval(start: &str, end: &str) -> Interval {
        let at = |text: &str| text.parse().expect("a time");
        Interval::new(at(start), at(end)).expect("an interval")
    }

    #[test]
    fn a_nightly_run_takes_the_day_on_which_it_starts() {
        let days = partition("%Y%m%d");
        // 3:00 in Madrid on two days
        let night = interval("2026-01-05T02:00:00Z", "2026-01-06T02:00:00Z");
        let (start, end) = days.window(night, chrono_tz::Europe::Madrid);
        let day = |text| days.moment(text, chrono_tz::Europe::Madrid).expect("a day");
        assert_eq!((start, end), (day("20260105"), day("20260106")));
        assert_eq!(days.moment("2026-01-05", Tz::UTC), None);
        assert_eq!(days.moment("20260230", Tz::UTC), None);
    }

    #[test]
    fn times_with_a_zone_are_brought_to_the_local_one() {
        let times = partition("%Y-%m-%dT%H:%M:%S%z");
        let hour = interval("2026-07-01T10:00:00Z", "2026-07-01T11:00:00Z");
        let (start, end) = times.window(hour, chrono_tz::Europe::Madrid);
        let moment = times.moment("2026-07-01T08:30:00-0200", chrono_tz::Europe::Madrid);
        assert!(moment.is_some_and(|moment| start <= moment && moment < end));
    }

    #[test]
    fn a_format_without_a_date_is_refused() {
        for format in ["%Y-%m-%d", "%Y%m%d", "%d/%m/%Y %H:%M", "%Y%m%d%H%M%S%z"] {
            assert!(partition(format).check().is_ok(), "{format}");
        }
        for format in ["%H:%M", "%Y", "%Q", "yesterday"] {
            assert!(partition(format).check().is_err(), "{format}");
        }
    }
}
