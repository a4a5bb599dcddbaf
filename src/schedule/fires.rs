//! The instants at which a cron expression fires in a time zone.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::Cron;
use super::zone::{offset, step, to_utc};

/// A cron expression in a time zone: a strictly increasing row of instants.
///
/// An expression that fires at least hourly fires whenever clocks show a time that it names, so that it follows elapsed
/// time. Any other fires once for each local time that it names: at the first of two, and when a time is skipped at the
/// next that exists.
#[derive(Debug, Clone)]
pub struct Fires {
    cron: Cron,
    zone: Tz,
}

/// A local time that is repeated comes back within this.
const LONGEST_REPEAT: TimeDelta = TimeDelta::hours(25);

impl Fires {
    pub fn new(cron: Cron, zone: Tz) -> Self {
        Self { cron, zone }
    }

    /// The first instant after `time`; `None` at the end of the calendar.
    pub fn after(&self, time: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if self.cron.is_hourly() {
            return self.shown_after(time);
        }
        let mut local = self.local(time);
        loop {
            local = self.cron.next(local)?;
            let fire = to_utc(self.zone, local);
            if fire > time {
                return Some(fire);
            }
        }
    }

    /// The last instant not after `time`; `None` at the start of the calendar.
    pub fn at_or_before(&self, time: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if self.cron.is_hourly() {
            return self.shown_at_or_before(time);
        }
        // in the second of two equal hours, a later local time may have fired already
        let mut local = self.local(time) + LONGEST_REPEAT;
        loop {
            local = self.cron.at_or_before(local)?;
            let fire = to_utc(self.zone, local);
            if fire <= time {
                return Some(fire);
            }
            local -= TimeDelta::seconds(1);
        }
    }

    /// The first instant after `time` at which clocks show a time of the expression: plain arithmetic within one offset,
    /// from step to step of the clock.
    fn shown_after(&self, time: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut from = time;
        let mut ahead = offset(self.zone, from);
        loop {
            let fire = self.cron.next((from + ahead).naive_utc())?.and_utc() - ahead;
            let near = fire.min(from + LONGEST_REPEAT);
            let Some(other) = self.other_offset(ahead, [near, fire]) else {
                return Some(fire);
            };
            // go on from the second before the step, read on the clock as it is from the step on
            let step = step(self.zone, from, other);
            ahead = offset(self.zone, step);
            from = step - TimeDelta::seconds(1);
        }
    }

    fn shown_at_or_before(&self, time: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut until = time;
        loop {
            let ahead = offset(self.zone, until);
            let local = (until + ahead).naive_utc();
            let fire = self.cron.at_or_before(local)?.and_utc() - ahead;
            let near = fire.max(until - LONGEST_REPEAT);
            let Some(other) = self.other_offset(ahead, [near, fire]) else {
                return Some(fire);
            };
            until = step(self.zone, other, until) - TimeDelta::seconds(1);
        }
    }

    fn other_offset(&self, ahead: TimeDelta, times: [DateTime<Utc>; 2]) -> Option<DateTime<Utc>> {
        times
            .into_iter()
            .find(|time| offset(self.zone, *time) != ahead)
    }

    fn local(&self, time: DateTime<Utc>) -> NaiveDateTime {
        time.with_timezone(&self.zone).naive_local()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().expect("time")
    }

    fn list(expression: &str, zone: Tz, after: &str, count: usize) -> Vec<String> {
        let fires = Fires::new(Cron::parse(expression).expect("cron"), zone);
        let mut now = time(after);
        std::iter::from_fn(|| {
            now = fires.after(now)?;
            Some(now.with_timezone(&zone).format("%d %H:%M %Z").to_string())
        })
        .take(count)
        .collect()
    }

    #[test]
    fn a_daily_time_that_is_skipped_fires_at_the_next_that_exists() {
        assert_eq!(
            list("30 2 * * *", Tz::Europe__Madrid, "2026-03-28T00:00:00Z", 3),
            ["28 02:30 CET", "29 03:00 CEST", "30 02:30 CEST"]
        );
        assert_eq!(
            list(
                "30 2 * * *",
                Tz::America__New_York,
                "2026-03-07T06:00:00Z",
                3
            ),
            ["07 02:30 EST", "08 03:00 EDT", "09 02:30 EDT"]
        );
    }

    #[test]
    fn a_daily_time_that_occurs_twice_fires_once() {
        assert_eq!(
            list("30 2 * * *", Tz::Europe__Madrid, "2026-10-24T00:00:00Z", 3),
            ["24 02:30 CEST", "25 02:30 CEST", "26 02:30 CET"]
        );
        assert_eq!(
            list(
                "30 1 * * *",
                Tz::America__New_York,
                "2026-10-31T04:00:00Z",
                3
            ),
            ["31 01:30 EDT", "01 01:30 EDT", "02 01:30 EST"]
        );
    }

    #[test]
    fn an_hourly_schedule_follows_elapsed_time() {
        assert_eq!(
            list("0 * * * *", Tz::Europe__Madrid, "2026-10-24T23:30:00Z", 4),
            [
                "25 02:00 CEST",
                "25 02:00 CET",
                "25 03:00 CET",
                "25 04:00 CET"
            ]
        );
        assert_eq!(
            list("0 * * * *", Tz::Europe__Madrid, "2026-03-28T23:30:00Z", 3),
            ["29 01:00 CET", "29 03:00 CEST", "29 04:00 CEST"]
        );
        assert_eq!(
            list(
                "*/30 * * * *",
                Tz::America__New_York,
                "2026-11-01T05:00:00Z",
                4
            ),
            [
                "01 01:30 EDT",
                "01 01:00 EST",
                "01 01:30 EST",
                "01 02:00 EST"
            ]
        );
    }

    #[test]
    fn several_skipped_times_fire_once_together() {
        assert_eq!(
            list(
                "*/20 1-3 * * *",
                Tz::Europe__Madrid,
                "2026-03-29T00:30:00Z",
                3
            ),
            ["29 01:40 CET", "29 03:00 CEST", "29 03:20 CEST"]
        );
    }

    /// Every minute of a span around a step of the clock, held against the definition in words.
    #[test]
    fn agrees_with_a_scan_of_every_minute() {
        for (zone, around) in [
            (Tz::Europe__Madrid, "2026-03-29T01:00:00Z"),
            (Tz::Europe__Madrid, "2026-10-25T01:00:00Z"),
            (Tz::America__New_York, "2026-03-08T07:00:00Z"),
            (Tz::America__New_York, "2026-11-01T06:00:00Z"),
            (Tz::Australia__Lord_Howe, "2026-04-04T15:00:00Z"),
            (Tz::Asia__Beirut, "2026-10-24T21:00:00Z"),
            (Tz::Pacific__Apia, "2011-12-30T10:00:00Z"),
        ] {
            let (from, until) = (
                time(around) - TimeDelta::hours(60),
                time(around) + TimeDelta::hours(60),
            );
            for expression in [
                "7 * * * *",
                "*/30 * * * 6",
                "0 0 * * *",
                "30 2 * * *",
                "15 1-2 * * *",
            ] {
                let fires = Fires::new(Cron::parse(expression).expect("cron"), zone);
                let expected = scan(&fires, from, until);
                let mut found = Vec::new();
                let mut now = from;
                while let Some(next) = fires.after(now).filter(|next| *next <= until) {
                    assert_eq!(fires.at_or_before(next), Some(next));
                    assert_eq!(
                        fires
                            .at_or_before(next - TimeDelta::seconds(1))
                            .filter(|t| *t > from),
                        found.last().copied()
                    );
                    found.push(next);
                    now = next;
                }
                assert_eq!(found, expected, "{expression} in {zone} around {around}");
            }
        }
    }

    fn scan(fires: &Fires, from: DateTime<Utc>, until: DateTime<Utc>) -> Vec<DateTime<Utc>> {
        let named = |local: NaiveDateTime| fires.cron.at_or_before(local) == Some(local);
        let mut found = Vec::new();
        if fires.cron.is_hourly() {
            let mut now = from + TimeDelta::minutes(1);
            while now <= until {
                if named(fires.local(now)) {
                    found.push(now);
                }
                now += TimeDelta::minutes(1);
            }
        } else {
            let mut local = from.naive_utc() - TimeDelta::days(2);
            while local < until.naive_utc() + TimeDelta::days(2) {
                let fire = to_utc(fires.zone, local);
                if named(local) && fire > from && fire <= until && found.last() != Some(&fire) {
                    found.push(fire);
                }
                local += TimeDelta::minutes(1);
            }
        }
        found
    }
}
