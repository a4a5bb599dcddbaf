//! The engine: the one that leads drives every run in its scope, pass by pass.
//!
//! A pass takes in all that happened since the last one, decides what follows, and writes it in one transaction; only then are
//! tries started. Whatever goes wrong in between, the store is right and memory is not: the runs concerned are loaded again.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::active::ActiveRun;
use super::backfilling::Backfilling;
use super::compiled::Versions;
use super::due::Due;
use super::folder::Folder;
use super::group::{Group, Launch};
use super::handle::Handle;
use super::slots::{Lane, Slots};
use super::worker::{Completion, Worker};
use crate::base::{
    BackfillId, Error, Event, EventKind, Result, RunId, RunState, Subject, TaskState,
};
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
    worker: Worker,
    pub(super) versions: Versions,
    pub(super) active: BTreeMap<RunId, ActiveRun>,
    pub(super) queued: BTreeMap<RunId, Run>,
    touched: BTreeSet<RunId>,
    pub(super) slots: Slots,
    held: BTreeMap<tokio::task::Id, Held>,
    timers: BTreeSet<(DateTime<Utc>, RunId, Option<usize>)>,
    pub(super) jobs: JoinSet<Completion>,
    pub(super) hooks: JoinSet<()>,
    unsaved: Vec<Completion>,
    /// Last event this engine knows of.
    pub(super) seen: u64,
    /// No new work.
    pub(super) stopping: bool,
    /// When tries under way are told to stop.
    pub(super) grace_ends: Option<Instant>,
    /// The list of DAGs, their pauses or backfills may have changed in the store.
    pub(super) dags_changed: bool,
    /// A place under `max_active_runs` may have come free, or a run may have been queued: look whether one may start.
    pub(super) queue_changed: bool,
    /// A run may have ended: look whether one more is to be made.
    pub(super) room_changed: bool,
    pub(super) due: Due,
    /// The DAG folder, in a process that schedules.
    pub(super) folder: Option<Folder>,
    pub(super) backfills: Vec<Backfilling>,
    observer: Option<UnboundedSender<Event>>,
}

impl Engine {
    /// An engine without work, for the installation of `handle`; what happens is also sent to `observer`.
    pub(super) fn new(
        handle: Handle,
        own: Option<Goal>,
        observer: Option<UnboundedSender<Event>>,
    ) -> Self {
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
            backfills: Vec::new(),
            active: BTreeMap::new(),
            queued: BTreeMap::new(),
            touched: BTreeSet::new(),
            held: BTreeMap::new(),
            timers: BTreeSet::new(),
            jobs: JoinSet::new(),
            hooks: JoinSet::new(),
            unsaved: Vec::new(),
            seen: 0,
            stopping: false,
            grace_ends: None,
            dags_changed: true,
            queue_changed: true,
            room_changed: true,
            due: Due::default(),
            observer,
        }
    }

    /// Loads every run in scope as the store has it; tries of this process that are still right go on, all others are cut off.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn recover(&mut self) -> Result<()> {
        self.dags_changed = true;
        self.queue_changed = true;
        self.room_changed = true;
        self.seen = self.handle.store.position().await?;
        let mut runs: BTreeSet<RunId> = self.active.keys().cloned().collect();
        runs.extend(std::mem::take(&mut self.queued).into_keys());
        runs.extend(
            self.handle
                .store
                .active_runs()
                .await?
                .into_iter()
                .map(|row| row.run_id),
        );
        for run in runs {
            self.reload(&run).await?;
        }
        Ok(())
    }

    /// Forgets the run and takes it up again as the store has it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(super) async fn reload(&mut self, run_id: &RunId) -> Result<()> {
        let row = self.handle.store.run(run_id).await?;
        let tasks = match &row {
            Some(row) if row.state == RunState::Running => self.handle.store.tasks(run_id).await?,
            _ => Vec::new(),
        };
        let compiled = match &row {
            Some(row) if !tasks.is_empty() => Some(self.versions.get(&row.version).await?),
            _ => None,
        };
        // nothing below can fail: memory changes only once the store was read
        self.room_changed |= self.queued.remove(run_id).is_some();
        self.slots.forget(run_id);
        self.timers.retain(|(_, run, _)| run != run_id);
        let mine = self
            .active
            .remove(run_id)
            .map(ActiveRun::take_tries)
            .unwrap_or_default();
        match (row, compiled) {
            (Some(row), Some(compiled)) if self.in_scope(&row) => {
                let mut run = ActiveRun::new(compiled, &row, tasks, mine);
                for completion in self.unsaved.iter().filter(|done| done.run == *run_id) {
                    run.expect(completion.task, completion.try_number);
                }
                run.cancel_strays();
                self.take_up(run);
            }
            (row, _) => {
                for (_, cancel) in mine.into_values() {
                    cancel.cancel();
                }
                if let Some(row) = row
                    && !row.state.is_terminal()
                    && self.in_scope(&row)
                {
                    self.queued.insert(run_id.clone(), row);
                    self.queue_changed = true;
                }
            }
        }
        Ok(())
    }

    fn in_scope(&self, run: &Run) -> bool {
        match (self.scope, &self.own) {
            (Scope::Goal, Some(Goal::Runs(runs))) => runs.contains(&run.run_id),
            (Scope::Goal, Some(Goal::Backfill(id))) => run.backfill_id.as_ref() == Some(id),
            _ => true,
        }
    }

    /// Puts a run among the active ones: its timers, its tasks that wait for a slot, and a first look at all its tasks.
    pub(super) fn take_up(&mut self, run: ActiveRun) {
        let id = run.facts.run_id.clone();
        let dag = &run.compiled.dag;
        self.slots.limit_dag(&dag.dag_id, dag.max_active_tasks);
        self.timers
            .extend(run.due_times().map(|(at, task)| (at, id.clone(), task)));
        for task in 0..run.plan.states().len() {
            if run.plan.state(task) == Some(TaskState::Scheduled) {
                let (lane, waiting) = run.waiting(task);
                self.slots.wait(lane, waiting);
            }
        }
        self.touched.insert(id.clone());
        self.active.insert(id, run);
    }

    /// Takes in what ended, decides and writes all that follows, and starts what may start.
    ///
    /// # Errors
    /// When the store cannot be written; nothing is lost, see [`Engine::recover`].
    pub async fn pass(&mut self) -> Result<()> {
        loop {
            let mut group = Group::new(self.handle.clock.now());
            self.absorb(&mut group);
            self.ring(&mut group);
            self.start_runs(&mut group).await?;
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

    /// Writes the group, then starts its tries. Runs that somebody else changed meanwhile are taken out of it, loaded again, and decided anew.
    async fn commit(&mut self, mut group: Group) -> Result<()> {
        loop {
            let applied = self
                .handle
                .store
                .apply_after(
                    &self.handle.owner,
                    group.at,
                    self.seen,
                    group.changes.clone(),
                )
                .await;
            let results = match applied {
                Ok(Some(results)) => results,
                Ok(None) => {
                    let elsewhere = self.elsewhere().await?;
                    self.give_up(&mut group, &elsewhere).await?;
                    continue;
                }
                Err(error) => {
                    self.unsaved.append(&mut group.absorbed);
                    for launch in group.launches {
                        self.slots.give_back(&launch.lane, launch.slots);
                    }
                    return Err(error);
                }
            };
            let mut refused = BTreeSet::new();
            for (change, result) in group.changes.iter().zip(results) {
                match result {
                    Ok(event) => self.observe(event),
                    Err(refusal) => {
                        tracing::warn!(%refusal, "the store refused an event");
                        refused.extend(change.run().cloned());
                    }
                }
            }
            for run in group.ended.iter().filter(|run| !refused.contains(*run)) {
                self.active.remove(run);
                self.queue_changed = true;
                self.room_changed = true;
            }
            if !group.ended.is_empty() {
                self.versions.sweep();
            }
            let at = group.at;
            for launch in group.launches {
                self.launch(launch, at, &refused);
            }
            for call in group
                .hooks
                .into_iter()
                .filter(|call| !refused.contains(call.run_id()))
            {
                self.hooks.spawn(self.worker.clone().call(call));
            }
            for run in &refused {
                self.reload(run).await?;
            }
            for run in group.reopened {
                self.reload(&run).await?;
            }
            return Ok(());
        }
    }

    fn launch(&mut self, launch: Launch, at: DateTime<Utc>, refused: &BTreeSet<RunId>) {
        let run = self
            .active
            .get_mut(&launch.run)
            .filter(|_| !refused.contains(&launch.run));
        let Some(run) = run else {
            self.slots.give_back(&launch.lane, launch.slots);
            return;
        };
        let job = run.job(launch.task, at);
        let handle = self.jobs.spawn(self.worker.clone().run(job));
        self.held.insert(handle.id(), (launch.lane, launch.slots));
    }

    /// Takes runs out of a group that was not written, and loads them again.
    async fn give_up(&mut self, group: &mut Group, runs: &BTreeSet<RunId>) -> Result<()> {
        group
            .changes
            .retain(|change| !change.run().is_some_and(|run| runs.contains(run)));
        group.ended.retain(|run| !runs.contains(run));
        group.reopened.retain(|run| !runs.contains(run));
        group.hooks.retain(|call| !runs.contains(call.run_id()));
        let (dropped, kept) = std::mem::take(&mut group.launches)
            .into_iter()
            .partition(|l| runs.contains(&l.run));
        group.launches = kept;
        let dropped: Vec<Launch> = dropped;
        for launch in dropped {
            self.slots.give_back(&launch.lane, launch.slots);
        }
        let (again, kept) = std::mem::take(&mut group.absorbed)
            .into_iter()
            .partition(|d| runs.contains(&d.run));
        group.absorbed = kept;
        let again: Vec<Completion> = again;
        self.unsaved.extend(again);
        for run in runs {
            self.reload(run).await?;
        }
        Ok(())
    }

    /// Takes note of what others wrote; gives the runs concerned.
    ///
    /// # Errors
    /// When another process has taken the lead.
    pub(super) async fn elsewhere(&mut self) -> Result<BTreeSet<RunId>> {
        let mut runs = BTreeSet::new();
        loop {
            let events = self.handle.store.events_after(self.seen, 1_000).await?;
            if events.is_empty() {
                return Ok(runs);
            }
            for event in events {
                match (&event.subject, &event.kind) {
                    (_, EventKind::LeaseTaken { owner }) if *owner != self.handle.owner => {
                        return Err(Error::new("another process has taken the lead").transient());
                    }
                    (Subject::Run(_, run) | Subject::Task(_, run, _), _) => {
                        runs.insert(run.clone());
                    }
                    _ => self.dags_changed = true,
                }
                self.observe(event);
            }
        }
    }

    fn observe(&mut self, event: Event) {
        self.seen = event.seq;
        if let Some(observer) = &self.observer {
            // nobody listens any more: then nobody misses it
            let _ = observer.send(event);
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

    /// Forgets every run; what the store has is all that counts.
    pub(super) fn forget(&mut self) {
        for run in std::mem::take(&mut self.active).into_keys() {
            self.slots.forget(&run);
        }
        for (lane, slots) in std::mem::take(&mut self.held).into_values() {
            self.slots.give_back(&lane, slots);
        }
        self.queued.clear();
        self.touched.clear();
        self.timers.clear();
        self.unsaved.clear();
    }

    /// When the next thing is due by the clock.
    pub(super) fn next_timer(&self) -> Option<DateTime<Utc>> {
        self.timers.first().map(|(at, ..)| *at)
    }

    /// Tells every try under way to stop.
    pub(super) fn cancel_all(&self) {
        for run in self.active.values() {
            run.cancel();
        }
    }
}
