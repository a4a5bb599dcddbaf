//! What is due: runs that the schedules and backfills ask for, and queued runs that may start.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::Map;

use super::active::ActiveRun;
use super::compiled::Compiled;
use super::engine::{Engine, Scope};
use super::group::Group;
use super::trigger::{params_of, planned_run};
use crate::base::{DagId, EventKind, Result, RunId, RunKind, Subject};
use crate::dag::Version;
use crate::schedule::Timetable;
use crate::store::{Change, NewRun, Refusal, Run};

/// The DAGs that run by themselves, as this process sees them.
#[derive(Default)]
pub struct Due {
    /// By id; only those with a schedule.
    planned: BTreeMap<DagId, Planned>,
    /// When the next one is due that could not be made yet.
    wake: Option<DateTime<Utc>>,
}

struct Planned {
    version: Version,
    timetable: Timetable,
    paused: bool,
    /// End of the latest interval that has a scheduled run.
    last_end: Option<DateTime<Utc>>,
}

impl Engine {
    /// Queues the runs that are due, each at most once whoever else may do the same.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub async fn tick(&mut self) -> Result<()> {
        if self.stopping {
            return Ok(());
        }
        let edited = match &mut self.folder {
            Some(folder) => folder.refresh().await?,
            None => false,
        };
        if edited || self.dags_changed {
            self.plan_dags().await?;
            self.plan_backfills().await?;
            self.dags_changed = false;
            self.room_changed = true;
        }
        let now = self.handle.clock.now();
        if self.room_changed || self.due.wake.is_some_and(|wake| wake <= now) {
            self.room_changed = false;
            let runs = self.due_runs(now);
            self.create(runs, now).await?;
            self.create_backfill_runs().await?;
            self.due.wake = self.due.planned.values().filter_map(|p| p.next(now)).min();
        }
        Ok(())
    }

    /// When the next scheduled run is due.
    pub(super) fn next_due(&self) -> Option<DateTime<Utc>> {
        self.due.wake.filter(|_| !self.stopping)
    }

    /// Takes over the current DAGs: their timetables, pauses, and how far each has come.
    async fn plan_dags(&mut self) -> Result<()> {
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        let current = folder.dags.versions.values().cloned();
        self.versions.offer(current.collect());
        let rows = self.handle.store.dags().await?;
        let mut planned = BTreeMap::new();
        for version in folder.dags.versions.values().cloned() {
            let Some(schedule) = &version.dag.schedule else {
                continue;
            };
            let dag_id = version.dag.dag_id.clone();
            let row = rows.iter().find(|row| row.dag_id == dag_id);
            if row.is_none_or(|row| row.version != version.hash) {
                self.handle.register(&version).await?;
            }
            let last = self.handle.store.last_scheduled(&dag_id).await?;
            planned.insert(
                dag_id,
                Planned {
                    timetable: Timetable::new(Some(schedule))?,
                    paused: row.is_some_and(|row| row.paused),
                    last_end: last.map(|run| run.interval.end),
                    version,
                },
            );
        }
        self.due.planned = planned;
        self.due.wake = None;
        Ok(())
    }

    /// The runs that are due now, oldest first, no more of a DAG than `max_active_runs` leaves room for.
    fn due_runs(&mut self, now: DateTime<Utc>) -> Vec<NewRun> {
        let mut open: BTreeMap<DagId, u32> = BTreeMap::new();
        for dag in self.open_runs() {
            *open.entry(dag).or_default() += 1;
        }
        let mut runs = Vec::new();
        for (dag_id, planned) in self.due.planned.iter_mut().filter(|(_, p)| !p.paused) {
            let dag = &planned.version.dag;
            let room = dag
                .max_active_runs
                .saturating_sub(open.get(dag_id).copied().unwrap_or(0));
            let intervals: Vec<_> = planned
                .timetable
                .due(planned.last_end, now)
                .take(room as usize)
                .collect();
            for interval in intervals {
                let Ok(params) = params_of(dag, &Map::new()) else {
                    continue; // defaults fit their definition: the check of the DAG saw to it
                };
                let hash = planned.version.hash;
                runs.push(planned_run(dag, hash, RunKind::Scheduled, interval, params));
                planned.last_end = Some(interval.end);
            }
        }
        runs
    }

    /// DAGs of the runs that have not ended, one item a run.
    fn open_runs(&self) -> impl Iterator<Item = DagId> + '_ {
        let queued = self.queued.values().map(|row| row.dag_id.clone());
        queued.chain(
            self.active
                .values()
                .map(|run| run.compiled.dag.dag_id.clone()),
        )
    }

    /// Records runs and takes them up; one that exists already is left as it is.
    pub(super) async fn create(&mut self, runs: Vec<NewRun>, now: DateTime<Utc>) -> Result<()> {
        if runs.is_empty() {
            return Ok(());
        }
        let ids: Vec<RunId> = runs.iter().map(|run| run.run_id.clone()).collect();
        let changes = runs.into_iter().map(Change::CreateRun).collect();
        for result in self
            .handle
            .store
            .apply(&self.handle.owner, now, changes)
            .await?
        {
            match result {
                Ok(_) | Err(Refusal::RunExists(_)) => {}
                Err(refusal) => tracing::error!(%refusal, "a run that is due was refused"),
            }
        }
        self.reload(ids).await
    }

    /// Starts queued runs, oldest first, as far as `max_active_runs` of their DAGs allows.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(super) async fn start_runs(&mut self, group: &mut Group) -> Result<()> {
        if self.stopping || !self.queue_changed {
            return Ok(());
        }
        let mut waiting: Vec<Run> = self.queued.values().cloned().collect();
        waiting.sort_by(|a, b| {
            (a.created_at, a.interval.start, &a.run_id).cmp(&(
                b.created_at,
                b.interval.start,
                &b.run_id,
            ))
        });
        let mut starting: Vec<(Run, Arc<Compiled>)> = Vec::new();
        for row in waiting {
            let compiled = self.versions.get(&row.version).await?;
            let of_dag = |run: &&(Run, _)| run.0.dag_id == row.dag_id;
            let ahead = starting.iter().filter(of_dag).count();
            if self.may_start(&row, ahead, compiled.dag.max_active_runs) {
                starting.push((row, compiled));
            }
        }
        let ids: Vec<RunId> = starting.iter().map(|(row, _)| row.run_id.clone()).collect();
        let mut tasks = self.tasks_by_run(&ids).await?;
        for (mut row, compiled) in starting {
            row.started_at = Some(group.at);
            self.queued.remove(&row.run_id);
            let tasks = tasks.remove(&row.run_id).unwrap_or_default();
            let run = ActiveRun::new(compiled, &row, tasks, BTreeMap::new());
            let subject = Subject::Run(row.dag_id.clone(), row.run_id.clone());
            group.change(subject, EventKind::RunStarted);
            self.take_up(run);
        }
        self.queue_changed = false;
        Ok(())
    }

    /// A backfill brings its own limit, which may be wider than the DAG's; runs of every kind count against both, and so do
    /// those `ahead` that start now.
    fn may_start(&self, row: &Run, ahead: usize, limit: u32) -> bool {
        let of_dag = || {
            self.active
                .values()
                .filter(|run| run.compiled.dag.dag_id == row.dag_id)
        };
        let limit = match row
            .backfill_id
            .as_ref()
            .and_then(|id| self.backfill_limit(id))
        {
            Some(own) => own.max(limit),
            None => limit,
        };
        of_dag().count() + ahead < limit as usize
    }

    /// Whether it drives everything rather than a few runs.
    pub(super) fn drives_all(&self) -> bool {
        self.scope == Scope::All
    }
}

impl Planned {
    /// When the next run of this DAG is due after `now`.
    fn next(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.timetable.next_due(now).filter(|_| !self.paused)
    }
}
