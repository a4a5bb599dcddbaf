//! The engine: the one that leads drives every run in its scope, pass by pass.
//!
//! A pass takes in all that happened since the last one, decides what follows, and writes it in one transaction; only then are
//! tries started. Whatever goes wrong in between, the store is right and memory is not: the runs concerned are loaded again.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::active::ActiveRun;
use super::backfilling::Backfilling;
use super::compiled::Versions;
use super::drive::News;
use super::due::Due;
use super::folder::Folder;
use super::group::{Group, Launch};
use super::handle::Handle;
use super::slots::{Lane, Slots};
use super::worker::{Completion, Worker};
use crate::base::{BackfillId, EventKind, Result, RunId};
use crate::db::Bell;
use crate::store::Run;

/// Which runs an engine drives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All there are, and new ones when they are due.
    All,
    /// Those of its goal only: a command in the foreground.
    Goal,
}

/// What a command in the foreground waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Goal {
    /// That these runs end.
    Runs(BTreeSet<RunId>),
    /// That this backfill ends or is paused.
    Backfill(BackfillId),
}

/// A try's slots, given back when the try is really over, whatever became of its run.
type Held = (Lane, u32);

/// Drives runs. Everything in here can be lost at any moment and found again in the store.
pub struct Engine {
    pub(super) handle: Handle,
    /// What it was started for; `None`: it leads until it is told to stop.
    pub(super) own: Option<Goal>,
    pub(super) scope: Scope,
    pub(super) worker: Worker,
    pub(super) versions: Versions,
    pub(super) active: BTreeMap<RunId, ActiveRun>,
    pub(super) queued: BTreeMap<RunId, Run>,
    pub(super) touched: BTreeSet<RunId>,
    pub(super) slots: Slots,
    pub(super) held: BTreeMap<tokio::task::Id, Held>,
    pub(super) timers: BTreeSet<(DateTime<Utc>, RunId, Option<usize>)>,
    pub(super) jobs: JoinSet<Completion>,
    pub(super) hooks: JoinSet<()>,
    /// Tells hooks under way to stop.
    pub(super) hook_stop: CancellationToken,
    pub(super) unsaved: Vec<Completion>,
    /// Last event this engine knows of.
    pub(super) seen: u64,
    /// No new work.
    pub(super) stopping: bool,
    /// When tries under way are told to stop.
    pub(super) grace_ends: Option<Instant>,
    /// When old logs were last looked for.
    pub(super) logs_swept: Option<DateTime<Utc>>,
    /// The list of DAGs, their pauses or backfills may have changed in the store.
    pub(super) dags_changed: bool,
    /// A place under `max_active_runs` may have come free, or a run may have been queued: look whether one may start.
    pub(super) queue_changed: bool,
    /// A run may have ended: look whether one more is to be made.
    pub(super) room_changed: bool,
    pub(super) due: Due,
    /// The DAG folder, in a process that schedules.
    pub(super) folder: Option<Folder>,
    /// Rings when another process may have written events, in a process that schedules.
    pub(super) bell: Option<Bell>,
    pub(super) backfills: Vec<Backfilling>,
    /// The process that leads, as the observer was told.
    pub(super) led_by: Option<String>,
    observer: UnboundedSender<News>,
}

impl Engine {
    /// An engine without work, for the installation of `handle`; what happens is also sent to `observer`.
    pub(super) fn new(handle: Handle, own: Option<Goal>, observer: UnboundedSender<News>) -> Self {
        let settings = &handle.settings;
        let pools = settings
            .pools
            .iter()
            .map(|(name, slots)| (name.into(), slots))
            .collect();
        Self {
            worker: Worker::new(handle.operators, settings.clone(), handle.clock.clone()),
            versions: Versions::new(handle.store.clone(), settings.clone()),
            slots: Slots::new(settings.engine.parallelism, pools),
            handle,
            scope: if own.is_some() {
                Scope::Goal
            } else {
                Scope::All
            },
            own,
            folder: None,
            bell: None,
            backfills: Vec::new(),
            active: BTreeMap::new(),
            queued: BTreeMap::new(),
            touched: BTreeSet::new(),
            held: BTreeMap::new(),
            timers: BTreeSet::new(),
            jobs: JoinSet::new(),
            hooks: JoinSet::new(),
            hook_stop: CancellationToken::new(),
            unsaved: Vec::new(),
            seen: 0,
            stopping: false,
            grace_ends: None,
            logs_swept: None,
            dags_changed: true,
            queue_changed: true,
            room_changed: true,
            due: Due::default(),
            led_by: None,
            observer,
        }
    }

    /// Takes in what ended, decides and writes all that follows, and starts what may start.
    ///
    /// # Errors
    /// When the store cannot be written; nothing is lost, see [`Engine::recover`].
    pub async fn pass(&mut self) -> Result<()> {
        loop {
            let mut group = Group::new(self.handle.clock.now());
            // first what can fail: nothing is in hand yet that would be lost with the group
            self.start_runs(&mut group).await?;
            self.absorb(&mut group);
            self.ring(&mut group);
            self.advance(&mut group);
            self.give_slots(&mut group);
            if group.changes.is_empty() {
                return Ok(());
            }
            self.commit(group).await?;
        }
    }

    /// Turns ended tries into events.
    fn absorb(&mut self, group: &mut Group) {
        for done in std::mem::take(&mut self.unsaved) {
            let Some(run) = self.active.get_mut(&done.run) else {
                continue;
            };
            if !run.ended(done.task, done.try_number) {
                continue;
            }
            let event = super::ending::event(run, &done, group.at);
            if let EventKind::TaskRetryPlanned { at, .. } | EventKind::TaskDeferred { until: at } =
                &event
            {
                self.timers.insert((*at, done.run.clone(), Some(done.task)));
            }
            let again = matches!(event, EventKind::TaskInterrupted { .. });
            if run.record(done.task, event, group).is_ok() && again {
                let (lane, waiting) = run.waiting(done.task);
                self.slots.wait(lane, waiting);
            }
            self.touched.insert(done.run.clone());
            group.absorbed.push(done);
        }
    }

    /// Does what is due by the clock: retries, next looks, time limits of runs.
    fn ring(&mut self, group: &mut Group) {
        while let Some(timer) = self
            .timers
            .first()
            .filter(|(at, ..)| *at <= group.at)
            .cloned()
        {
            self.timers.remove(&timer);
            let (_, run_id, task) = timer;
            let Some(run) = self.active.get_mut(&run_id) else {
                continue;
            };
            match task {
                Some(task) => {
                    // the state may have moved on since the timer was set; then there is nothing to do
                    if run.record(task, EventKind::TaskScheduled, group).is_ok() {
                        let (lane, waiting) = run.waiting(task);
                        self.slots.wait(lane, waiting);
                    }
                }
                None => {
                    self.slots.forget(&run_id);
                    super::ending::time_out(run, group);
                }
            }
            self.touched.insert(run_id);
        }
    }

    /// Follows every run that was touched to where nothing follows any more, and ends those that are done.
    fn advance(&mut self, group: &mut Group) {
        for run_id in std::mem::take(&mut self.touched) {
            let Some(run) = self.active.get_mut(&run_id) else {
                continue;
            };
            let slots = &mut self.slots;
            let mut moved = Ok(());
            for task in run.cut_off() {
                let reason = "its process is gone".to_owned();
                moved = moved.and(run.record(task, EventKind::TaskInterrupted { reason }, group));
                let (lane, waiting) = run.waiting(task);
                slots.wait(lane, waiting);
            }
            let moved = moved.and(run.advance(group, |lane, waiting| slots.wait(lane, waiting)));
            if let Err(error) = moved {
                tracing::error!(run = %run_id, %error, "a step of the plan was refused");
                continue;
            }
            if let Some(outcome) = run.plan.outcome() {
                super::ending::run(run, &outcome, group);
                group.ended.push(run_id);
            }
        }
    }

    fn give_slots(&mut self, group: &mut Group) {
        if self.stopping {
            return;
        }
        while let Some((lane, waiting)) = self.slots.take() {
            let started = self.active.get_mut(&waiting.run).and_then(|run| {
                run.record(waiting.task, EventKind::TaskQueued, group)
                    .ok()?;
                let event = EventKind::TaskStarted {
                    r#try: run.next_try(waiting.task),
                    owner: self.handle.owner.clone(),
                };
                run.record(waiting.task, event, group).ok()
            });
            if started.is_none() {
                self.slots.give_back(&lane, waiting.slots);
                continue;
            }
            group.launches.push(Launch {
                run: waiting.run,
                task: waiting.task,
                lane,
                slots: waiting.slots,
            });
        }
    }

    /// Takes a try that ended and gives its slots back.
    pub(super) fn receive(
        &mut self,
        done: Result<(tokio::task::Id, Completion), tokio::task::JoinError>,
    ) {
        let id = match &done {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        if let Some((lane, slots)) = self.held.remove(&id) {
            self.slots.give_back(&lane, slots);
        }
        match done {
            Ok((_, completion)) => self.unsaved.push(completion),
            Err(error) => tracing::error!(%error, "a worker broke off"),
        }
    }

    /// When the next thing is due by the clock.
    pub(super) fn next_timer(&self) -> Option<DateTime<Utc>> {
        self.timers.first().map(|(at, ..)| *at)
    }

    /// Sends news to the observer.
    pub(super) fn inform(&self, news: News) {
        // nobody listens any more: then nobody misses it
        let _ = self.observer.send(news);
    }

    /// Tells every try under way to stop.
    pub(super) fn cancel_all(&self) {
        for run in self.active.values() {
            run.cancel();
        }
    }
}
