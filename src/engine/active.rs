//! A run at work: its plan, the counters of its tasks, and the tries under way.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::compiled::Compiled;
use super::group::Group;
use super::hook::HookCall;
use super::plan::RunPlan;
use super::rule::Step;
use super::slots::{Lane, Waiting};
use super::worker::{Job, RunFacts};
use crate::base::{BackfillId, EventKind, Subject, TaskState, TransitionError};
use crate::dag::{Hook, template};
use crate::store::{Run, TaskInstance};

/// A run in state `running`, in memory.
pub struct ActiveRun {
    /// The definition it keeps.
    pub compiled: Arc<Compiled>,
    /// What its tries need to know.
    pub facts: Arc<RunFacts>,
    /// The backfill it belongs to.
    pub backfill: Option<BackfillId>,
    /// How often it was queued, from 1: more than once after retries of the whole run.
    pub attempt: u32,
    /// When it started last.
    pub started_at: DateTime<Utc>,
    /// Its `dagrun_timeout` is over.
    pub timed_out: bool,
    /// Its states.
    pub plan: RunPlan,
    counters: Vec<Counters>,
    outputs: Arc<Map<String, Value>>,
    tries: BTreeMap<usize, Try>,
}

/// What is counted for one task.
#[derive(Debug, Clone, Copy, Default)]
struct Counters {
    tries: u32,
    failures: u32,
    /// When the current try first started.
    started_at: Option<DateTime<Utc>>,
    /// Retry or next look.
    next_at: Option<DateTime<Utc>>,
    /// The next start goes on with the current try instead of a new one.
    goes_on: bool,
}

/// A try under way in this process.
struct Try {
    number: u32,
    cancel: CancellationToken,
}

impl ActiveRun {
    /// The run as it is stored. `mine` are tries of it that this process still has under way, from before a reload.
    pub fn new(
        compiled: Arc<Compiled>,
        row: &Run,
        tasks: Vec<TaskInstance>,
        mine: BTreeMap<usize, (u32, CancellationToken)>,
    ) -> Self {
        let mut states = vec![None; compiled.graph.len()];
        let mut counters = vec![Counters::default(); states.len()];
        let mut outputs = Map::new();
        for task in tasks {
            let Some(index) = compiled.graph.index(task.task_id.as_str()) else {
                continue;
            };
            states[index] = Some(task.state);
            counters[index] = Counters {
                tries: task.try_number,
                failures: task.failures,
                started_at: task.started_at,
                next_at: task.next_at,
                goes_on: task.state == TaskState::Deferred,
            };
            if task.state == TaskState::Success {
                outputs.insert(task.task_id.to_string(), Value::Object(task.outputs));
            }
        }
        let tries = mine
            .into_iter()
            .map(|(task, (number, cancel))| (task, Try { number, cancel }))
            .collect();
        let plan = RunPlan::new(compiled.graph.clone(), compiled.rules.clone(), states);
        Self {
            compiled,
            facts: Arc::new(RunFacts {
                run_id: row.run_id.clone(),
                interval: row.interval,
                params: row.params.clone(),
                snapshots: Arc::default(),
            }),
            backfill: row.backfill_id.clone(),
            attempt: row.attempt,
            started_at: row.started_at.unwrap_or(row.created_at),
            timed_out: false,
            plan,
            counters,
            outputs: Arc::new(outputs),
            tries,
        }
    }

    /// Moves `task` by `kind` in memory and adds the change to the group.
    ///
    /// # Errors
    /// When the event cannot follow the task's state.
    pub fn record(
        &mut self,
        task: usize,
        kind: EventKind,
        group: &mut Group,
    ) -> Result<(), TransitionError> {
        self.plan.apply(task, &kind)?;
        let counters = &mut self.counters[task];
        match &kind {
            EventKind::TaskStarted { r#try, .. } => {
                if counters.tries != *r#try {
                    counters.started_at = Some(group.at);
                }
                counters.tries = *r#try;
                counters.goes_on = false;
            }
            EventKind::TaskDeferred { until } => {
                counters.goes_on = true;
                counters.next_at = Some(*until);
            }
            EventKind::TaskRetryPlanned { at, .. } => {
                counters.failures += 1;
                counters.next_at = Some(*at);
            }
            EventKind::TaskSucceeded { outputs, .. } => {
                let name = self.compiled.graph.task_id(task).to_string();
                Arc::make_mut(&mut self.outputs).insert(name, Value::Object(outputs.clone()));
            }
            _ => {}
        }
        self.call_hook(task, &kind, group);
        group.change(self.subject(task), kind);
        Ok(())
    }

    fn call_hook(&self, task: usize, kind: &EventKind, group: &mut Group) {
        let definition = &self.compiled.dag.tasks[task];
        let (name, hook) = match kind {
            EventKind::TaskFailed { .. } => ("on_failure", &definition.on_failure),
            EventKind::TaskSucceeded { .. } => ("on_success", &definition.on_success),
            _ => return,
        };
        if let Some(hook) = hook {
            group.hooks.push(self.hook(name, hook, Some(task)));
        }
    }

    /// The call of `hook`, of `task` or of the run.
    pub fn hook(&self, name: &'static str, hook: &Hook, task: Option<usize>) -> HookCall {
        HookCall {
            name,
            hook: hook.clone(),
            compiled: self.compiled.clone(),
            run: self.facts.clone(),
            task: task.map(|task| self.compiled.dag.tasks[task].task_id.clone()),
            try_number: task.map_or(1, |task| self.counters[task].tries.max(1)),
            outputs: self.outputs.clone(),
        }
    }

    /// Takes every step that follows from the states; tasks that may start are handed to `wait`.
    ///
    /// # Errors
    /// When a step cannot follow a task's state, which the plan rules out.
    pub fn advance(
        &mut self,
        group: &mut Group,
        mut wait: impl FnMut(Lane, Waiting),
    ) -> Result<(), TransitionError> {
        while let Some((task, step)) = self.plan.next() {
            let event = match step {
                Step::Skip => EventKind::TaskSkipped {
                    reason: "its trigger rule cannot be met any more".to_owned(),
                },
                Step::UpstreamFailed => EventKind::TaskUpstreamFailed,
                Step::Schedule => self.when(task),
            };
            let ready = event == EventKind::TaskScheduled;
            self.record(task, event, group)?;
            if ready {
                let (lane, waiting) = self.waiting(task);
                wait(lane, waiting);
            }
        }
        Ok(())
    }

    /// `TaskScheduled`, unless the task's `when` says no or cannot be rendered.
    fn when(&self, task: usize) -> EventKind {
        let compiled = &self.compiled;
        let definition = &compiled.dag.tasks[task];
        let Some(when) = &definition.when else {
            return EventKind::TaskScheduled;
        };
        let scope = self
            .facts
            .scope(&compiled.dag, Some(&definition.task_id), 1, &self.outputs);
        match template::render_when(when, &scope) {
            Ok(true) => EventKind::TaskScheduled,
            Ok(false) => EventKind::TaskSkipped {
                reason: "`when` is false".to_owned(),
            },
            Err(error) => EventKind::TaskFailed {
                error: error.to_string(),
                hint: error.hint_text().map(str::to_owned),
            },
        }
    }

    /// The place of `task` in the queue for slots.
    pub fn waiting(&self, task: usize) -> (Lane, Waiting) {
        let compiled = &self.compiled;
        let definition = &compiled.dag.tasks[task];
        let lane = Lane {
            pool: definition.pool.as_str().into(),
            dag: compiled.dag.dag_id.clone(),
        };
        let waiting = Waiting {
            priority: Reverse(definition.priority_weight),
            since: self.facts.interval.start,
            run: self.facts.run_id.clone(),
            task,
            slots: definition.pool_slots,
        };
        (lane, waiting)
    }

    /// Number of the try that a start of `task` now makes or goes on with.
    pub fn next_try(&self, task: usize) -> u32 {
        let counters = &self.counters[task];
        counters.tries + u32::from(!counters.goes_on)
    }

    /// The job of the try of `task` that was just recorded as started.
    pub fn job(&mut self, task: usize, at: DateTime<Utc>) -> Job {
        let counters = self.counters[task];
        let cancel = CancellationToken::new();
        self.tries.insert(
            task,
            Try {
                number: counters.tries,
                cancel: cancel.clone(),
            },
        );
        Job {
            compiled: self.compiled.clone(),
            run: self.facts.clone(),
            task,
            try_number: counters.tries,
            started_at: counters.started_at.unwrap_or(at),
            outputs: self.outputs.clone(),
            cancel,
        }
    }

    /// Waits for the end of a try that is over already but not yet taken in.
    pub fn expect(&mut self, task: usize, number: u32) {
        let cancel = CancellationToken::new();
        self.tries.insert(task, Try { number, cancel });
    }

    /// Takes note that a try ended; `false` when it is not one this run waits for (it was replaced meanwhile).
    pub fn ended(&mut self, task: usize, number: u32) -> bool {
        match self.tries.get(&task) {
            Some(under_way) if under_way.number == number => {
                self.tries.remove(&task);
                self.plan.state(task) == Some(TaskState::Running)
            }
            _ => false,
        }
    }

    /// Failed tries of `task` since it was last cleared.
    pub fn failures(&self, task: usize) -> u32 {
        self.counters[task].failures
    }

    /// Tells the tries under way to stop.
    pub fn cancel(&self) {
        for under_way in self.tries.values() {
            under_way.cancel.cancel();
        }
    }

    /// The tries under way, for the run's next life after a reload.
    pub fn take_tries(self) -> BTreeMap<usize, (u32, CancellationToken)> {
        self.tries
            .into_iter()
            .map(|(task, under_way)| (task, (under_way.number, under_way.cancel)))
            .collect()
    }

    /// Tasks that are recorded as queued or running but have no try in this process: cut off by the death of another.
    pub fn cut_off(&self) -> Vec<usize> {
        (0..self.counters.len())
            .filter(|task| match self.plan.state(*task) {
                Some(TaskState::Queued) => true,
                Some(TaskState::Running) => self
                    .tries
                    .get(task)
                    .is_none_or(|under_way| under_way.number != self.counters[*task].tries),
                _ => false,
            })
            .collect()
    }

    /// Tells tries to stop whose task is no longer recorded as running them.
    pub fn cancel_strays(&self) {
        for (task, under_way) in &self.tries {
            let current = self.plan.state(*task) == Some(TaskState::Running)
                && self.counters[*task].tries == under_way.number;
            if !current {
                under_way.cancel.cancel();
            }
        }
    }

    /// When something is due by itself: retries, next looks, and the time limit of the run.
    pub fn due_times(&self) -> impl Iterator<Item = (DateTime<Utc>, Option<usize>)> + '_ {
        let tasks = (0..self.counters.len()).filter_map(|task| match self.plan.state(task) {
            Some(TaskState::UpForRetry | TaskState::Deferred) => Some((
                self.counters[task].next_at.unwrap_or(self.started_at),
                Some(task),
            )),
            _ => None,
        });
        tasks.chain(self.deadline().map(|at| (at, None)))
    }

    /// When the run must have ended.
    pub fn deadline(&self) -> Option<DateTime<Utc>> {
        let limit = self.compiled.dag.dagrun_timeout?;
        Some(self.started_at + TimeDelta::from_std(limit).ok()?)
    }

    fn subject(&self, task: usize) -> Subject {
        let compiled = &self.compiled;
        Subject::Task(
            compiled.dag.dag_id.clone(),
            self.facts.run_id.clone(),
            compiled.graph.task_id(task).clone(),
        )
    }

    /// The run as the subject of an event.
    pub fn run_subject(&self) -> Subject {
        Subject::Run(self.compiled.dag.dag_id.clone(), self.facts.run_id.clone())
    }
}
