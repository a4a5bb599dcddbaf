//! A group of changes in memory: what they touch as it was read, and what becomes of it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::{
    Backfill, BackfillDate, BackfillState, Change, NewBackfill, NewRun, NewVersion, Refusal,
    RegisteredDag, Run, TaskInstance, Try,
};
use crate::base::{BackfillId, DagId, EventKind, Result, RunId, Subject, TaskId, TransitionError};
use crate::db::Conn;

/// What the changes of one group touch. Everything here is pure but [`Group::load`] and [`Group::write`].
#[derive(Default)]
pub(super) struct Group {
    runs: Touched<RunId, Run>,
    tasks: Touched<(RunId, TaskId), TaskInstance>,
    tries: Touched<(RunId, TaskId, u32), Try>,
    dags: Touched<DagId, RegisteredDag>,
    backfills: Touched<BackfillId, Backfill>,
    dates: Touched<(BackfillId, DateTime<Utc>), BackfillDate>,
    versions: Vec<NewVersion>,
}

impl Group {
    /// Reads what `changes` touch.
    pub(super) async fn load(mut conn: Conn<'_>, changes: &[Change]) -> Result<Self> {
        let wanted = Wanted::of(changes);
        let runs: Vec<_> = wanted.runs.into_iter().collect();
        let tasks: Vec<_> = wanted.tasks.into_iter().collect();
        let dags: Vec<_> = wanted.dags.into_iter().collect();
        let backfills: Vec<_> = wanted.backfills.iter().collect();
        let backfill_dags: Vec<_> = wanted.backfill_dags.into_iter().collect();

        let mut group = Self::default();
        for run in Run::load(conn.again(), &runs).await? {
            group.runs.read(run.run_id.clone(), run);
        }
        for task in TaskInstance::load(conn.again(), &tasks).await? {
            group
                .tasks
                .read((task.run_id.clone(), task.task_id.clone()), task);
        }
        for dag in RegisteredDag::load(conn.again(), &dags).await? {
            group.dags.read(dag.dag_id.clone(), dag);
        }
        for backfill in Backfill::load(conn, &backfills, &backfill_dags).await? {
            group.backfills.read(backfill.backfill_id.clone(), backfill);
        }
        Ok(group)
    }

    /// Makes one change; gives back the event it is recorded as.
    pub(super) fn make(
        &mut self,
        at: DateTime<Utc>,
        change: Change,
    ) -> Result<(Subject, EventKind), Refusal> {
        match change {
            Change::Event(subject, kind) => {
                self.follow(at, &subject, &kind)?;
                Ok((subject, kind))
            }
            Change::CreateRun(new) => self.create_run(at, new),
            Change::RegisterDag(new) => self.register(at, new),
            Change::CreateBackfill(new) => self.create_backfill(at, new),
        }
    }

    fn follow(
        &mut self,
        at: DateTime<Utc>,
        subject: &Subject,
        kind: &EventKind,
    ) -> Result<(), Refusal> {
        match subject {
            Subject::Task(_, run_id, task_id) => self.follow_task(at, run_id, task_id, kind),
            Subject::Run(_, run_id) => {
                let run = self.runs.get(run_id);
                let run = run.ok_or_else(|| Refusal::not_found("run", run_id))?;
                run.apply(at, kind)?;
                self.runs.changed.insert(run_id.clone());
                Ok(())
            }
            Subject::Dag(dag_id) => match kind {
                EventKind::DagPaused => self.pause(dag_id, true),
                EventKind::DagUnpaused => self.pause(dag_id, false),
                _ => self.follow_backfill(kind),
            },
            Subject::System => match kind {
                EventKind::LeaseTaken { .. } | EventKind::LeaseReleased { .. } => Ok(()),
                _ => self.follow_backfill(kind),
            },
        }
    }

    fn follow_task(
        &mut self,
        at: DateTime<Utc>,
        run_id: &RunId,
        task_id: &TaskId,
        kind: &EventKind,
    ) -> Result<(), Refusal> {
        let key = (run_id.clone(), task_id.clone());
        let task = self.tasks.get(&key);
        let task = task.ok_or_else(|| Refusal::not_found("task", task_id))?;
        if let Some(touched) = task.apply(at, kind)? {
            let (run_id, task_id) = key.clone();
            self.tries
                .put((run_id, task_id, touched.try_number), touched);
        }
        self.tasks.changed.insert(key);
        Ok(())
    }

    fn pause(&mut self, dag_id: &DagId, paused: bool) -> Result<(), Refusal> {
        let dag = self.dags.get(dag_id);
        dag.ok_or_else(|| Refusal::not_found("dag", dag_id))?.paused = paused;
        self.dags.changed.insert(dag_id.clone());
        Ok(())
    }

    fn follow_backfill(&mut self, kind: &EventKind) -> Result<(), Refusal> {
        use BackfillState as S;
        let Some(id) = backfill_of(kind) else {
            return Err(Refusal::Misplaced(kind.name()));
        };
        let backfill = self.backfills.get(&id);
        let backfill = backfill.ok_or_else(|| Refusal::not_found("backfill", &id))?;
        backfill.state = match (backfill.state, kind) {
            (S::Running, EventKind::BackfillPaused { .. }) => S::Paused,
            (S::Paused, EventKind::BackfillResumed { .. }) => S::Running,
            (S::Running | S::Paused, EventKind::BackfillEnded { .. }) => S::Done,
            (S::Running, EventKind::BackfillDate { .. }) => S::Running,
            (state, _) => {
                return Err(Refusal::Transition(TransitionError {
                    subject: "backfill",
                    state: state.as_str(),
                    event: kind.name(),
                }));
            }
        };
        if let EventKind::BackfillDate {
            interval_start,
            run_id,
            outcome,
            ..
        } = kind
        {
            let date = BackfillDate {
                backfill_id: id.clone(),
                interval_start: *interval_start,
                run_id: run_id.clone(),
                outcome: Some(outcome.clone()),
            };
            self.dates.put((id.clone(), *interval_start), date);
        }
        self.backfills.changed.insert(id);
        Ok(())
    }

    fn create_run(
        &mut self,
        at: DateTime<Utc>,
        mut new: NewRun,
    ) -> Result<(Subject, EventKind), Refusal> {
        if self.runs.all.contains_key(&new.run_id) {
            return Err(Refusal::RunExists(new.run_id));
        }
        let tasks = std::mem::take(&mut new.tasks);
        let kind = EventKind::RunCreated {
            version: new.version,
            tasks: tasks.len() as u64,
        };
        let subject = Subject::Run(new.dag_id.clone(), new.run_id.clone());
        for (position, task_id) in (0..).zip(tasks) {
            let task = TaskInstance::new(new.run_id.clone(), task_id.clone(), position);
            self.tasks.put((new.run_id.clone(), task_id), task);
        }
        self.runs.put(new.run_id.clone(), Run::new(new, at));
        Ok((subject, kind))
    }

    fn register(
        &mut self,
        at: DateTime<Utc>,
        new: NewVersion,
    ) -> Result<(Subject, EventKind), Refusal> {
        let known = self.dags.get(&new.dag_id);
        if known.as_ref().is_some_and(|dag| dag.version == new.version) {
            return Err(Refusal::VersionCurrent(new.version));
        }
        let dag = RegisteredDag {
            dag_id: new.dag_id.clone(),
            version: new.version,
            paused: known.is_some_and(|dag| dag.paused),
            registered_at: at,
        };
        self.dags.put(new.dag_id.clone(), dag);
        let subject = Subject::Dag(new.dag_id.clone());
        let kind = EventKind::DagRegistered {
            version: new.version,
        };
        self.versions.push(new);
        Ok((subject, kind))
    }

    fn create_backfill(
        &mut self,
        at: DateTime<Utc>,
        new: NewBackfill,
    ) -> Result<(Subject, EventKind), Refusal> {
        if self.backfills.all.contains_key(&new.backfill_id) {
            return Err(Refusal::BackfillExists(new.backfill_id));
        }
        let mut others = self.backfills.all.values();
        if let Some(other) = others.find(|other| other.blocks(&new.dag_id, new.span)) {
            return Err(Refusal::BackfillOverlaps(other.backfill_id.clone()));
        }
        self.backfills
            .put(new.backfill_id.clone(), Backfill::new(&new, at));
        for interval_start in &new.dates {
            let date = BackfillDate {
                backfill_id: new.backfill_id.clone(),
                interval_start: *interval_start,
                run_id: None,
                outcome: None,
            };
            self.dates
                .put((new.backfill_id.clone(), *interval_start), date);
        }
        let kind = EventKind::BackfillCreated {
            backfill_id: new.backfill_id.to_string(),
            runs: new.dates.len() as u64,
        };
        Ok((Subject::Dag(new.dag_id), kind))
    }

    /// Writes what changed, in the order the foreign keys want.
    pub(super) async fn write(&self, mut conn: Conn<'_>, at: DateTime<Utc>) -> Result<()> {
        for version in &self.versions {
            version.write(conn.again(), at).await?;
        }
        RegisteredDag::write(conn.again(), &self.dags.changed()).await?;
        Run::write(conn.again(), &self.runs.changed()).await?;
        TaskInstance::write(conn.again(), &self.tasks.changed()).await?;
        Try::write(conn.again(), &self.tries.changed()).await?;
        Backfill::write(conn.again(), &self.backfills.changed()).await?;
        BackfillDate::write(conn, &self.dates.changed()).await
    }
}

/// Things by key, and which of them changed.
struct Touched<K, V> {
    all: BTreeMap<K, V>,
    changed: BTreeSet<K>,
}

impl<K, V> Default for Touched<K, V> {
    fn default() -> Self {
        Self {
            all: BTreeMap::new(),
            changed: BTreeSet::new(),
        }
    }
}

impl<K: Ord + Clone, V> Touched<K, V> {
    fn read(&mut self, key: K, value: V) {
        self.all.insert(key, value);
    }

    fn put(&mut self, key: K, value: V) {
        self.changed.insert(key.clone());
        self.all.insert(key, value);
    }

    fn get(&mut self, key: &K) -> Option<&mut V> {
        self.all.get_mut(key)
    }

    fn changed(&self) -> Vec<&V> {
        let changed = self.changed.iter();
        changed.filter_map(|key| self.all.get(key)).collect()
    }
}

/// Keys of what a group of changes touches.
#[derive(Default)]
struct Wanted<'a> {
    runs: BTreeSet<&'a RunId>,
    tasks: BTreeSet<(&'a RunId, &'a TaskId)>,
    dags: BTreeSet<&'a DagId>,
    backfills: BTreeSet<BackfillId>,
    /// Their open backfills could overlap with a new one.
    backfill_dags: BTreeSet<&'a DagId>,
}

impl<'a> Wanted<'a> {
    fn of(changes: &'a [Change]) -> Self {
        let mut wanted = Self::default();
        for change in changes {
            wanted.add(change);
        }
        wanted
    }

    fn add(&mut self, change: &'a Change) {
        match change {
            Change::Event(subject, kind) => {
                match subject {
                    Subject::Task(_, run_id, task_id) => {
                        self.tasks.insert((run_id, task_id));
                    }
                    Subject::Run(_, run_id) => {
                        self.runs.insert(run_id);
                    }
                    Subject::Dag(dag_id) => {
                        self.dags.insert(dag_id);
                    }
                    Subject::System => {}
                }
                self.backfills.extend(backfill_of(kind));
            }
            Change::CreateRun(new) => {
                self.runs.insert(&new.run_id);
            }
            Change::RegisterDag(new) => {
                self.dags.insert(&new.dag_id);
            }
            Change::CreateBackfill(new) => {
                self.backfills.insert(new.backfill_id.clone());
                self.backfill_dags.insert(&new.dag_id);
            }
        }
    }
}

/// The backfill an event is about.
fn backfill_of(kind: &EventKind) -> Option<BackfillId> {
    match kind {
        EventKind::BackfillPaused { backfill_id }
        | EventKind::BackfillResumed { backfill_id }
        | EventKind::BackfillEnded { backfill_id }
        | EventKind::BackfillDate { backfill_id, .. } => {
            Some(BackfillId::new(backfill_id.as_str()))
        }
        _ => None,
    }
}
