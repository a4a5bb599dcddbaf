//! A schedule as a row of data intervals.

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;

use super::fires::Fires;
use super::{Cron, Schedule, midnight};
use crate::base::{Interval, Result};

/// The data intervals of a DAG: consecutive fire times of its schedule, half-open, without gap or overlap. A DAG without a
/// schedule, or with `@once`, has the days of its time zone for manual runs and backfills.
#[derive(Debug, Clone)]
pub struct Timetable {
    fires: Fires,
    zone: Tz,
    due: Due,
}

/// What runs by itself.
#[derive(Debug, Clone)]
enum Due {
    Never,
    Once(DateTime<Utc>),
    Repeatedly {
        start: Option<DateTime<Utc>>,
        end: Option<DateTime<Utc>>,
        catchup: bool,
    },
}

impl Timetable {
    /// The timetable of `schedule`; of `None`: nothing is ever due and intervals are UTC days.
    ///
    /// # Errors
    /// A bad cron expression.
    pub fn new(schedule: Option<&Schedule>) -> Result<Self> {
        let Some(schedule) = schedule else {
            return Self::daily(Tz::UTC, Due::Never);
        };
        if schedule.cron == Schedule::ONCE {
            return match schedule.start_date {
                Some(start) => Self::daily(schedule.timezone, Due::Once(start)),
                None => Self::daily(schedule.timezone, Due::Never),
            };
        }
        let cron = Cron::parse(&schedule.cron)?;
        Ok(Self {
            fires: Fires::new(cron, schedule.timezone),
            zone: schedule.timezone,
            due: Due::Repeatedly {
                start: schedule.start_date,
                end: schedule.end_date,
                catchup: schedule.catchup,
            },
        })
    }

    fn daily(zone: Tz, due: Due) -> Result<Self> {
        let cron = Cron::parse(Cron::expand("@daily"))?;
        Ok(Self {
            fires: Fires::new(cron, zone),
            zone,
            due,
        })
    }

    /// The intervals whose runs are due at `now`, oldest first: they have ended and start at or after `last_end`, the end of the
    /// latest interval that has a scheduled run. With `catchup` all of them, found as the iterator goes; otherwise only
    /// the latest.
    pub fn due(
        &self,
        last_end: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> impl Iterator<Item = Interval> + '_ {
        let all = match &self.due {
            Due::Repeatedly { catchup, .. } => *catchup,
            Due::Never | Due::Once(_) => true,
        };
        let from = match (all, self.latest_allowed(now)) {
            (true, _) | (false, None) => last_end,
            (false, Some(latest)) => {
                Some(last_end.map_or(latest.start, |end| end.max(latest.start)))
            }
        };
        self.scheduled(from)
            .take_while(move |interval| interval.end <= now)
    }

    /// When the next run that is not due yet at `now` becomes due; for the engine's sleep.
    pub fn next_due(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.upcoming(now).next().map(|interval| interval.end)
    }

    /// The scheduled intervals that end after `now`, in order.
    pub fn upcoming(&self, now: DateTime<Utc>) -> impl Iterator<Item = Interval> + '_ {
        let from = self.containing(now).map(|interval| interval.start);
        let from = match self.due {
            Due::Repeatedly { .. } => from,
            Due::Never | Due::Once(_) => None,
        };
        self.scheduled(from)
            .skip_while(move |interval| interval.end <= now)
    }

    /// The last interval that has ended at `now`, whether or not the schedule's dates allow it; what a manual run takes.
    pub fn last_complete(&self, now: DateTime<Utc>) -> Option<Interval> {
        let end = self.fires.at_or_before(now)?;
        self.ending(end)
    }

    /// The interval that `time` lies in.
    pub fn containing(&self, time: DateTime<Utc>) -> Option<Interval> {
        let start = self.fires.at_or_before(time)?;
        self.starting(start)
    }

    /// The interval of the local day `date`: the first that starts on it, or the one in which it starts.
    pub fn at(&self, date: NaiveDate) -> Option<Interval> {
        self.between(date, date)
            .next()
            .or_else(|| self.containing(midnight(self.zone, date)))
    }

    /// The intervals that start on the local days `from` to `to`, both included, in order, whether or not the schedule's dates
    /// allow them.
    pub fn between(&self, from: NaiveDate, to: NaiveDate) -> impl Iterator<Item = Interval> + '_ {
        let until = match to.checked_add_days(Days::new(1)) {
            Some(next) => midnight(self.zone, next),
            None => DateTime::<Utc>::MAX_UTC,
        };
        self.row(midnight(self.zone, from))
            .take_while(move |interval| interval.start < until)
    }

    /// Whether the schedule's start and end dates allow a run of `interval`.
    pub fn allows(&self, interval: Interval) -> bool {
        match &self.due {
            Due::Never | Due::Once(_) => true,
            Due::Repeatedly { start, end, .. } => {
                start.is_none_or(|start| interval.start >= start)
                    && end.is_none_or(|end| interval.start < end)
            }
        }
    }

    /// The time zone of dates and of the expression.
    pub fn zone(&self) -> Tz {
        self.zone
    }

    /// The intervals that get a run by themselves and start at or after `from`.
    fn scheduled(&self, from: Option<DateTime<Utc>>) -> Box<dyn Iterator<Item = Interval> + '_> {
        match self.due {
            Due::Never => Box::new(std::iter::empty()),
            Due::Once(start) => {
                // no longer than needed not to be empty, so that the run starts at its date
                let end = start + TimeDelta::seconds(1);
                let wanted = from.is_none_or(|from| start >= from);
                Box::new(wanted.then_some(Interval { start, end }).into_iter())
            }
            Due::Repeatedly { start, .. } => match from.max(start) {
                Some(from) => {
                    Box::new(self.row(from).take_while(|interval| self.allows(*interval)))
                }
                None => Box::new(std::iter::empty()),
            },
        }
    }

    /// The latest interval that has ended at `now` and that the schedule's dates allow.
    fn latest_allowed(&self, now: DateTime<Utc>) -> Option<Interval> {
        let latest = self.last_complete(now)?;
        let Due::Repeatedly { end: Some(end), .. } = self.due else {
            return Some(latest).filter(|latest| self.allows(*latest));
        };
        let last = self.fires.at_or_before(end - TimeDelta::seconds(1))?;
        let latest = if latest.start > last {
            self.starting(last)?
        } else {
            latest
        };
        Some(latest).filter(|latest| self.allows(*latest))
    }

    /// All intervals that start at or after `from`, in order.
    fn row(&self, from: DateTime<Utc>) -> impl Iterator<Item = Interval> + '_ {
        let exact = self.fires.at_or_before(from).filter(|fire| *fire == from);
        let first = exact.or_else(|| self.fires.after(from));
        std::iter::successors(first.and_then(|start| self.starting(start)), |previous| {
            self.starting(previous.end)
        })
    }

    fn starting(&self, start: DateTime<Utc>) -> Option<Interval> {
        let end = self.fires.after(start)?;
        Some(Interval { start, end })
    }

    fn ending(&self, end: DateTime<Utc>) -> Option<Interval> {
        let start = self.fires.at_or_before(end - TimeDelta::seconds(1))?;
        Some(Interval { start, end })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().expect("time")
    }

    fn date(text: &str) -> NaiveDate {
        text.parse().expect("date")
    }

    fn schedule(cron: &str, zone: Tz, start: Option<&str>, catchup: bool) -> Schedule {
        Schedule {
            cron: Cron::expand(cron).to_owned(),
            timezone: zone,
            start_date: start.map(time),
            end_date: None,
            catchup,
        }
    }

    fn table(schedule: &Schedule) -> Timetable {
        Timetable::new(Some(schedule)).expect("timetable")
    }

    fn starts(intervals: impl Iterator<Item = Interval>) -> Vec<String> {
        intervals
            .map(|interval| interval.start.format("%m-%d %H:%M").to_string())
            .collect()
    }

    #[test]
    fn after_a_week_of_downtime_catchup_runs_every_missed_interval_oldest_first() {
        let start = Some("2026-01-01T00:00:00Z");
        let every = table(&schedule("@daily", Tz::UTC, start, true));
        let last_end = Some(time("2026-01-05T00:00:00Z"));
        let now = time("2026-01-12T09:00:00Z");
        let missed = [
            "01-05", "01-06", "01-07", "01-08", "01-09", "01-10", "01-11",
        ];
        assert_eq!(
            starts(every.due(last_end, now)),
            missed.map(|day| format!("{day} 00:00"))
        );
        assert_eq!(every.due(None, now).count(), 11);

        let latest = table(&schedule("@daily", Tz::UTC, start, false));
        assert_eq!(starts(latest.due(last_end, now)), ["01-11 00:00"]);
        assert_eq!(starts(latest.due(None, now)), ["01-11 00:00"]);
        let up_to_date = Some(time("2026-01-12T00:00:00Z"));
        assert_eq!(latest.due(up_to_date, now).count(), 0);
        assert_eq!(every.due(up_to_date, now).count(), 0);
    }

    #[test]
    fn a_run_is_due_the_moment_its_interval_ends() {
        let table = table(&schedule("0 3 * * *", Tz::Europe__Madrid, None, false));
        let end = time("2026-01-02T02:00:00Z");
        let last = Some(time("2026-01-01T02:00:00Z"));
        assert_eq!(table.due(last, end - TimeDelta::milliseconds(1)).count(), 0);
        assert_eq!(starts(table.due(last, end)), ["01-01 02:00"]);
        assert_eq!(table.next_due(end - TimeDelta::milliseconds(1)), Some(end));
        assert_eq!(table.next_due(end), Some(end + TimeDelta::days(1)));
    }

    #[test]
    fn start_and_end_dates_bound_what_runs_by_itself() {
        let mut bounded = schedule("@daily", Tz::UTC, Some("2026-01-03T12:00:00Z"), true);
        bounded.end_date = Some(time("2026-01-06T00:00:00Z"));
        let now = time("2026-02-01T00:00:00Z");
        let days = ["01-04 00:00", "01-05 00:00"];
        assert_eq!(starts(table(&bounded).due(None, now)), days);
        assert_eq!(table(&bounded).next_due(now), None);
        assert_eq!(
            table(&bounded).next_due(time("2026-01-01T00:00:00Z")),
            Some(time("2026-01-05T00:00:00Z"))
        );
        bounded.catchup = false;
        assert_eq!(starts(table(&bounded).due(None, now)), days[1..]);
        assert_eq!(
            table(&bounded)
                .due(None, time("2026-01-04T23:00:00Z"))
                .count(),
            0
        );
        let before = table(&bounded).at(date("2026-01-01")).expect("interval");
        assert!(!table(&bounded).allows(before));
    }

    #[test]
    fn once_is_due_once() {
        let once = table(&schedule(
            "@once",
            Tz::UTC,
            Some("2026-01-03T00:00:00Z"),
            false,
        ));
        assert_eq!(once.due(None, time("2026-01-02T00:00:00Z")).count(), 0);
        let now = time("2026-05-01T00:00:00Z");
        let run = once.due(None, now).next().expect("due");
        assert_eq!(run.start, time("2026-01-03T00:00:00Z"));
        assert_eq!(once.due(Some(run.end), now).count(), 0);
        assert_eq!(once.next_due(now), None);
        assert_eq!(once.next_due(time("2026-01-01T00:00:00Z")), Some(run.end));
    }

    #[test]
    fn without_a_schedule_there_are_days_but_nothing_is_due() {
        let none = Timetable::new(None).expect("timetable");
        let now = time("2026-03-01T10:00:00Z");
        assert_eq!(none.due(None, now).count(), 0);
        assert_eq!(none.next_due(now), None);
        assert_eq!(
            none.last_complete(now).expect("interval").to_string(),
            "2026-02-28T00:00:00Z to 2026-03-01T00:00:00Z"
        );
    }

    #[test]
    fn finds_the_intervals_of_dates() {
        let madrid = table(&schedule("0 3 * * *", Tz::Europe__Madrid, None, false));
        let (first, last) = (date("2026-03-28"), date("2026-03-30"));
        assert_eq!(
            starts(madrid.between(first, last)),
            ["03-28 02:00", "03-29 01:00", "03-30 01:00"]
        );
        assert_eq!(starts(madrid.at(first).into_iter()), ["03-28 02:00"]);
        let monthly = table(&schedule("@monthly", Tz::UTC, None, false));
        assert_eq!(
            starts(monthly.at(date("2026-02-14")).into_iter()),
            ["02-01 00:00"]
        );
        assert_eq!(monthly.between(first, last).count(), 0);
        let leap = table(&schedule("0 0 29 2 *", Tz::UTC, None, false));
        let interval = leap
            .containing(time("2026-06-01T00:00:00Z"))
            .expect("interval");
        assert_eq!(
            interval.to_string(),
            "2024-02-29T00:00:00Z to 2028-02-29T00:00:00Z"
        );
    }

    proptest! {
        /// From any instant of two years with four steps of the clock: consecutive intervals touch, none is empty, and every
        /// instant lies in the interval that is said to contain it.
        #[test]
        fn intervals_tile_the_line(
            minute in 0_i64..1_051_200,
            cron in prop::sample::select(vec![
                "*/7 * * * *", "0 * * * *", "30 2 * * *", "0 */2 * * *", "0 0 * * 1", "15 1-3 1,15 * *", "0 0 L * *", "*/20 2 * * *",
            ]),
            zone in prop::sample::select(vec![
                Tz::Europe__Madrid, Tz::America__New_York, Tz::Australia__Lord_Howe, Tz::Asia__Kolkata,
            ]),
        ) {
            let table = table(&schedule(cron, zone, None, true));
            let from = time("2026-01-01T00:00:00Z") + TimeDelta::minutes(minute);
            let around = table.containing(from).expect("interval");
            prop_assert!(around.start <= from && from < around.end);
            prop_assert_eq!(table.last_complete(from).expect("interval").end, around.start);
            let mut previous = around;
            for interval in table.row(around.end).take(30) {
                prop_assert_eq!(interval.start, previous.end);
                prop_assert!(interval.start < interval.end);
                prop_assert_eq!(table.containing(interval.start), Some(interval));
                prop_assert_eq!(table.containing(interval.end - TimeDelta::seconds(1)), Some(interval));
                previous = interval;
            }
        }
    }
}
