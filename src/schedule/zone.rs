//! Local time to UTC, where the clock may skip or repeat an hour.

use chrono::{DateTime, MappedLocalTime, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeDelta};
use chrono::{TimeZone, Utc};
use chrono_tz::Tz;

/// No zone ever set its clock by more than this in one step.
const LARGEST_STEP: TimeDelta = TimeDelta::hours(26);

/// The instant at which clocks in `zone` show `local`: of two the first, and for a time that is skipped the instant of
/// the skip, when they show the next time that exists.
pub fn to_utc(zone: Tz, local: NaiveDateTime) -> DateTime<Utc> {
    match zone.from_local_datetime(&local) {
        MappedLocalTime::Single(time) | MappedLocalTime::Ambiguous(time, _) => {
            time.with_timezone(&Utc)
        }
        MappedLocalTime::None => {
            let guess = local.and_utc();
            let (before, after) = (guess - LARGEST_STEP, guess + LARGEST_STEP);
            first_second(before, after, |time| {
                time.with_timezone(&zone).naive_local() >= local
            })
        }
    }
}

/// The start of `date` in `zone`.
pub fn midnight(zone: Tz, date: NaiveDate) -> DateTime<Utc> {
    to_utc(zone, date.and_time(NaiveTime::MIN))
}

/// What clocks in `zone` are ahead of UTC at `time`.
pub(super) fn offset(zone: Tz, time: DateTime<Utc>) -> TimeDelta {
    let seconds = zone.offset_from_utc_datetime(&time.naive_utc()).fix();
    TimeDelta::seconds(seconds.local_minus_utc().into())
}

/// The first instant after `before` at which the offset is that of `after`; the two must lie around one step of the clock.
pub(super) fn step(zone: Tz, before: DateTime<Utc>, after: DateTime<Utc>) -> DateTime<Utc> {
    let target = offset(zone, after);
    first_second(before, after, |time| offset(zone, time) == target)
}

/// The first whole second in `(before, after]` for which `reached` holds, which from there on it does.
fn first_second(
    before: DateTime<Utc>,
    after: DateTime<Utc>,
    reached: impl Fn(DateTime<Utc>) -> bool,
) -> DateTime<Utc> {
    let (mut low, mut high) = (before.timestamp(), after.timestamp());
    let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap_or(after);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if reached(at(middle)) {
            high = middle;
        } else {
            low = middle;
        }
    }
    at(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(zone: Tz, local: &str) -> String {
        to_utc(zone, local.parse().expect("local time")).to_rfc3339()
    }

    #[test]
    fn a_skipped_time_is_the_next_that_exists() {
        let madrid = Tz::Europe__Madrid;
        for local in [
            "2026-03-29T02:00:00",
            "2026-03-29T02:30:00",
            "2026-03-29T03:00:00",
        ] {
            assert_eq!(utc(madrid, local), "2026-03-29T01:00:00+00:00");
        }
        assert_eq!(
            utc(madrid, "2026-03-29T01:59:00"),
            "2026-03-29T00:59:00+00:00"
        );
        assert_eq!(
            utc(Tz::America__New_York, "2026-03-08T02:30:00"),
            "2026-03-08T07:00:00+00:00"
        );
        // a whole day was skipped
        assert_eq!(
            utc(Tz::Pacific__Apia, "2011-12-30T12:00:00"),
            "2011-12-30T10:00:00+00:00"
        );
    }

    #[test]
    fn of_a_repeated_time_it_is_the_first() {
        assert_eq!(
            utc(Tz::Europe__Madrid, "2026-10-25T02:30:00"),
            "2026-10-25T00:30:00+00:00"
        );
        assert_eq!(
            utc(Tz::America__New_York, "2026-11-01T01:30:00"),
            "2026-11-01T05:30:00+00:00"
        );
    }

    #[test]
    fn a_day_can_start_late() {
        let date = NaiveDate::from_ymd_opt(2026, 9, 6).expect("date");
        let start = midnight(Tz::America__Santiago, date).with_timezone(&Tz::America__Santiago);
        assert_eq!(start.to_rfc3339(), "2026-09-06T01:00:00-03:00");
    }
}
