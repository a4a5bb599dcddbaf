//! Backfills: a run for every data interval of a span of days, made one after the other as there is room.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::handle::Handle;
use super::trigger::params_of;
use crate::base::{
    BackfillId, DagId, Digest, Error, EventKind, Interval, Result, RunId, RunKind, RunState,
    Subject,
};
use crate::dag::Version;
use crate::schedule::Timetable;
use crate::store::{Backfill, BackfillState, Change, NewBackfill, Refusal, Run};

/// What to do with a date that has a run already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reprocess {
    /// Leave it.
    None,
    /// Run it again if its latest run failed or was cancelled.
    Failed,
    /// Run it again if its latest run has ended, in whatever way.
    Completed,
}

/// A backfill somebody asked for.
#[derive(Debug, Clone)]
pub struct BackfillRequest {
    /// The DAG.
    pub dag_id: DagId,
    /// First day, in the DAG's time zone.
    pub from: NaiveDate,
    /// Last day, itself in it.
    pub to: NaiveDate,
    /// What to do with dates that have a run.
    pub reprocess: Reprocess,
    /// Runs of the backfill at the same time; by default the DAG's own limit.
    pub max_active_runs: Option<u32>,
    /// Newest date first.
    pub backwards: bool,
    /// Parameters that differ from their defaults.
    pub params: Map<String, Value>,
    /// Write nothing.
    pub dry_run: bool,
}

/// What a backfill does.
#[derive(Debug, Clone, PartialEq)]
pub struct BackfillPlan {
    /// Its name; `None`: a dry run.
    pub backfill_id: Option<BackfillId>,
    /// It had been begun before and goes on.
    pub resumed: bool,
    /// Its dates, in order of time.
    pub dates: Vec<BackfillDay>,
}

/// One date of a backfill.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BackfillDay {
    /// The data interval.
    pub interval: Interval,
    /// The run made for it.
    pub run_id: Option<RunId>,
    /// How that run stands.
    pub state: Option<RunState>,
    /// `to run`, `created`, or why it is skipped.
    pub outcome: String,
}

/// How a backfill goes about it, as stored with it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Options {
    /// The version all its runs keep.
    pub version: Digest,
    /// Their parameters.
    pub params: Map<String, Value>,
    /// Runs at the same time.
    pub max_active_runs: u32,
    /// Newest date first.
    pub backwards: bool,
    /// Dates that have a run.
    pub reprocess: Reprocess,
}

const TO_RUN: &str = "to run";

impl Handle {
    /// Records a backfill, or goes on with the one over the same days that has not ended. With `dry_run` only says what would happen.
    ///
    /// # Errors
    /// When the DAG or a parameter is wrong, no interval starts in these days, or another backfill of the DAG that has not ended covers some of them.
    pub async fn backfill(&self, request: &BackfillRequest) -> Result<BackfillPlan> {
        let version = self.current(&request.dag_id)?;
        let params = params_of(&version.dag, &request.params)?;
        let dates = self.dates(&version, request).await?;
        let (Some(first), Some(last)) = (dates.first(), dates.last()) else {
            return Err(Error::new(format!(
                "no data interval of DAG `{}` starts from {} to {}",
                request.dag_id, request.from, request.to
            ))
            .hint("`galen dags next-runs` shows when it runs; both days are included"));
        };
        let span = Interval::new(first.interval.start, last.interval.end)?;
        if request.dry_run {
            return Ok(BackfillPlan {
                backfill_id: None,
                resumed: false,
                dates,
            });
        }
        if let Some(open) = self.same_backfill(&request.dag_id, span).await? {
            return self.resume(open).await;
        }
        let backfill_id = BackfillId::new(format!(
            "{}__{}_{}__{}",
            request.dag_id,
            request.from.format("%Y%m%d"),
            request.to.format("%Y%m%d"),
            self.clock.now().format("%Y%m%dT%H%M%S%.6fZ")
        ));
        let options = Options {
            version: version.hash,
            params,
            max_active_runs: request
                .max_active_runs
                .unwrap_or(version.dag.max_active_runs),
            backwards: request.backwards,
            reprocess: request.reprocess,
        };
        self.register(&version).await?;
        self.record(&backfill_id, &request.dag_id, span, &options, &dates)
            .await?;
        Ok(BackfillPlan {
            backfill_id: Some(backfill_id),
            resumed: false,
            dates,
        })
    }

    /// What became of each date of a backfill so far.
    ///
    /// # Errors
    /// When the store cannot be read or there is no such backfill.
    pub async fn backfill_days(&self, backfill_id: &BackfillId) -> Result<Vec<BackfillDay>> {
        let Some(backfill) = self.store.backfill(backfill_id).await? else {
            return Err(Error::new(format!("no backfill `{backfill_id}`")));
        };
        let options = Options::of(&backfill)?;
        let version = self.stored_dag(&options.version).await?;
        let timetable = Timetable::new(version.schedule.as_ref())?;
        let mut days = Vec::new();
        for date in self.store.backfill_dates(backfill_id).await? {
            let Some(interval) = timetable.containing(date.interval_start) else {
                continue;
            };
            let state = match &date.run_id {
                Some(run) => self.store.run(run).await?.map(|run| run.state),
                None => None,
            };
            days.push(BackfillDay {
                interval,
                run_id: date.run_id,
                state,
                outcome: date.outcome.unwrap_or_else(|| TO_RUN.to_owned()),
            });
        }
        Ok(days)
    }

    /// Makes no more runs of a backfill until the same command is given again.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn pause_backfill(&self, backfill_id: &BackfillId) -> Result<()> {
        let Some(backfill) = self.store.backfill(backfill_id).await? else {
            return Err(Error::new(format!("no backfill `{backfill_id}`")));
        };
        if backfill.state != BackfillState::Running {
            return Ok(());
        }
        let kind = EventKind::BackfillPaused {
            backfill_id: backfill_id.to_string(),
        };
        self.apply(vec![Change::Event(Subject::Dag(backfill.dag_id), kind)])
            .await
    }

    /// Every interval that starts in the days asked for, and what is to become of it.
    async fn dates(
        &self,
        version: &Version,
        request: &BackfillRequest,
    ) -> Result<Vec<BackfillDay>> {
        let timetable = Timetable::new(version.dag.schedule.as_ref())?;
        let intervals: Vec<Interval> = timetable.between(request.from, request.to).collect();
        let starts: Vec<DateTime<Utc>> = intervals.iter().map(|i| i.start).collect();
        let mut latest: BTreeMap<DateTime<Utc>, Run> = BTreeMap::new();
        for run in self.store.runs_at(&request.dag_id, &starts).await? {
            if !self.is_partial(&run).await? {
                latest.insert(run.interval.start, run);
            }
        }
        let now = self.clock.now();
        let day = |interval: Interval| {
            let run = latest.get(&interval.start);
            let outcome = if interval.end > now {
                "skipped: it has not ended yet".to_owned()
            } else if !timetable.allows(interval) {
                "skipped: outside start_date and end_date".to_owned()
            } else {
                existing(run, request.reprocess)
            };
            BackfillDay {
                interval,
                run_id: run
                    .filter(|_| outcome != TO_RUN)
                    .map(|run| run.run_id.clone()),
                state: run.filter(|_| outcome != TO_RUN).map(|run| run.state),
                outcome,
            }
        };
        Ok(intervals.into_iter().map(day).collect())
    }

    /// Whether a run has only some tasks of its DAG: then its date is not done, however it ended.
    async fn is_partial(&self, run: &Run) -> Result<bool> {
        if run.kind != RunKind::Manual {
            return Ok(false);
        }
        let tasks = self.store.tasks(&run.run_id).await?;
        Ok(tasks.len() < self.stored_dag(&run.version).await?.tasks.len())
    }

    async fn same_backfill(&self, dag_id: &DagId, span: Interval) -> Result<Option<Backfill>> {
        let open = [BackfillState::Running, BackfillState::Paused];
        let open = self.store.backfills(Some(dag_id), &open).await?;
        Ok(open.into_iter().find(|backfill| backfill.span == span))
    }

    async fn resume(&self, backfill: Backfill) -> Result<BackfillPlan> {
        let id = backfill.backfill_id;
        if backfill.state == BackfillState::Paused {
            let kind = EventKind::BackfillResumed {
                backfill_id: id.to_string(),
            };
            self.apply(vec![Change::Event(Subject::Dag(backfill.dag_id), kind)])
                .await?;
        }
        let dates = self.backfill_days(&id).await?;
        Ok(BackfillPlan {
            backfill_id: Some(id),
            resumed: true,
            dates,
        })
    }

    async fn record(
        &self,
        backfill_id: &BackfillId,
        dag_id: &DagId,
        span: Interval,
        options: &Options,
        dates: &[BackfillDay],
    ) -> Result<()> {
        let mut changes = vec![Change::CreateBackfill(NewBackfill {
            backfill_id: backfill_id.clone(),
            dag_id: dag_id.clone(),
            span,
            options: options.to_map()?,
            dates: dates.iter().map(|day| day.interval.start).collect(),
        })];
        for day in dates.iter().filter(|day| day.outcome != TO_RUN) {
            let kind = EventKind::BackfillDate {
                backfill_id: backfill_id.to_string(),
                interval_start: day.interval.start,
                run_id: day.run_id.clone(),
                outcome: day.outcome.clone(),
            };
            changes.push(Change::Event(Subject::Dag(dag_id.clone()), kind));
        }
        let results = self
            .store
            .apply(&self.owner, self.clock.now(), changes)
            .await?;
        match results.into_iter().find_map(Result::err) {
            None => Ok(()),
            Some(Refusal::BackfillOverlaps(other)) => Err(Error::new(format!(
                "backfill `{other}` of DAG `{dag_id}` covers some of these days and has not ended"
            ))
            .hint("wait for it, or give the very days it was started with to go on with it")),
            Some(refusal) => Err(Error::new(refusal.to_string())),
        }
    }
}

fn existing(run: Option<&Run>, reprocess: Reprocess) -> String {
    let Some(run) = run else {
        return TO_RUN.to_owned();
    };
    match (run.state, reprocess) {
        (RunState::Queued | RunState::Running, _) => "skipped: it is running".to_owned(),
        (RunState::Failed | RunState::Cancelled, Reprocess::Failed) => TO_RUN.to_owned(),
        (_, Reprocess::Completed) => TO_RUN.to_owned(),
        (state, _) => format!("skipped: it exists ({state})"),
    }
}

impl Options {
    /// The options of a stored backfill.
    ///
    /// # Errors
    /// When another version of galen stored it.
    pub fn of(backfill: &Backfill) -> Result<Self> {
        serde_json::from_value(Value::Object(backfill.options.clone())).map_err(|error| {
            Error::new(format!(
                "backfill `{}` cannot be read back",
                backfill.backfill_id
            ))
            .because(error)
        })
    }

    fn to_map(&self) -> Result<Map<String, Value>> {
        match serde_json::to_value(self) {
            Ok(Value::Object(map)) => Ok(map),
            Ok(_) => Ok(Map::new()),
            Err(error) => Err(Error::new("a backfill cannot be written as JSON").because(error)),
        }
    }
}
