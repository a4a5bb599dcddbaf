//! One try, from rendered parameters to how it ended. Knows operators, not states.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;

use super::compiled::Compiled;
use super::log;
use crate::base::{Clock, Error, Interval, RunId, TaskId, format_duration};
use crate::config::Settings;
use crate::dag::template::{self, Scope};
use crate::dag::{Dag, Task};
use crate::operators::{Operator, Operators, Outcome, TaskContext, TaskError, TaskLog, Verdict};
use crate::records::Snapshots;

/// What a try needs to know of its run.
#[derive(Debug, Clone)]
pub struct RunFacts {
    /// The run.
    pub run_id: RunId,
    /// Its data interval.
    pub interval: Interval,
    /// Its parameters.
    pub params: Map<String, Value>,
    /// Snapshots of the records that its tasks share, as long as this process drives it.
    pub snapshots: Arc<Snapshots>,
}

/// A try to be made.
pub struct Job {
    /// The definition its run keeps.
    pub compiled: Arc<Compiled>,
    /// The run.
    pub run: Arc<RunFacts>,
    /// Index of the task.
    pub task: usize,
    /// Number of the try, from 1.
    pub try_number: u32,
    /// When this try first started; earlier than now when it was deferred since.
    pub started_at: DateTime<Utc>,
    /// Outputs of the run's tasks so far: `task → key → value`.
    pub outputs: Arc<Map<String, Value>>,
    /// Stops the work.
    pub cancel: CancellationToken,
}

/// A try that ended.
pub struct Completion {
    /// The run.
    pub run: RunId,
    /// Index of the task.
    pub task: usize,
    /// Number of the try.
    pub try_number: u32,
    /// How it ended.
    pub end: End,
}

/// How a try ended.
#[derive(Debug, Clone)]
pub enum End {
    /// Well.
    Done(Outcome),
    /// Looks again later.
    Deferred(DateTime<Utc>),
    /// Nothing to do.
    Skipped(String),
    /// Badly.
    Failed(Failure),
    /// It was stopped from outside.
    Stopped,
}

/// Why a try ended badly.
#[derive(Debug, Clone)]
pub struct Failure {
    /// What is wrong.
    pub error: String,
    /// The way out.
    pub hint: Option<String>,
    /// Whether another try can help.
    pub retry_can_help: bool,
}

impl Failure {
    fn new(error: &Error, retry_can_help: bool) -> Self {
        Self {
            error: error.to_string(),
            hint: error.hint_text().map(str::to_owned),
            retry_can_help,
        }
    }
}

/// Makes tries.
#[derive(Clone)]
pub struct Worker {
    operators: &'static Operators,
    pub(super) settings: Arc<Settings>,
    pub(super) clock: Arc<dyn Clock>,
}

/// How long an operator may take to come back once it was told to stop; after that it is left behind.
const STOP_GRACE: Duration = Duration::from_secs(5);

impl Worker {
    /// A worker that knows `operators`.
    pub fn new(
        operators: &'static Operators,
        settings: Arc<Settings>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            operators,
            settings,
            clock,
        }
    }

    /// Makes the try and says how it ended. Never panics with the operator.
    pub async fn run(self, job: Job) -> Completion {
        let task = &job.compiled.dag.tasks[job.task];
        let log_path = log::path(
            &self.settings.home,
            &job.compiled.dag.dag_id,
            &job.run.run_id,
            &task.task_id,
            job.try_number,
        );
        let log = log::open(log_path, self.clock.clone());
        let end = self.end_of(&job, task, &log).await;
        tell(&log, &end);
        Completion {
            run: job.run.run_id.clone(),
            task: job.task,
            try_number: job.try_number,
            end,
        }
    }

    async fn end_of(&self, job: &Job, task: &Task, log: &TaskLog) -> End {
        let scope = job.run.scope(
            &job.compiled.dag,
            Some(&task.task_id),
            job.try_number,
            &job.outputs,
        );
        let operator = match self.operator(&task.operator, &task.with, &scope) {
            Ok(operator) => operator,
            Err(error) => return End::Failed(Failure::new(&error, false)),
        };
        let context = self.context(Assignment {
            compiled: &job.compiled,
            run: &job.run,
            task_id: &task.task_id,
            try_number: job.try_number,
            started_at: job.started_at,
            cancel: &job.cancel,
            log,
        });
        let work = tokio::spawn(async move { operator.run(&context).await });
        let limit = task.execution_timeout.unwrap_or(Duration::MAX);
        match within(work, limit, &job.cancel).await {
            Work::Ended(ended) => ending(ended),
            // it was done before it heard that it should stop
            Work::Stopped(Some(Ok(Ok(Verdict::Done(outcome))))) => End::Done(outcome),
            Work::Stopped(_) => End::Stopped,
            Work::TimedOut => End::Failed(Failure {
                error: format!(
                    "task `{}` was stopped after its `execution_timeout` of {}",
                    task.task_id,
                    format_duration(limit)
                ),
                hint: Some("raise `execution_timeout` if the work needs longer".to_owned()),
                retry_can_help: true,
            }),
        }
    }

    /// The operator called `name` with its parameters rendered and read.
    pub(super) fn operator(
        &self,
        name: &str,
        with: &Value,
        scope: &Scope<'_>,
    ) -> Result<Box<dyn Operator>, Error> {
        let kind = self.operators.find(name).ok_or_else(|| {
            Error::new(format!(
                "operator `{name}` is not known to this version of galen"
            ))
        })?;
        (kind.parse)(&template::render(with, scope)?).map_err(|flaws| {
            let all: Vec<String> = flaws
                .iter()
                .map(|flaw| format!("`with{}`: {}", flaw.pointer, flaw.message))
                .collect();
            Error::new(format!(
                "parameters of operator `{name}`: {}",
                all.join("; ")
            ))
        })
    }

    /// The world of a piece of work.
    pub(super) fn context(&self, given: Assignment<'_>) -> TaskContext {
        TaskContext {
            dag: given.compiled.dag.clone(),
            files: given.compiled.files.clone(),
            run_id: given.run.run_id.clone(),
            task_id: given.task_id.clone(),
            try_number: given.try_number,
            started_at: given.started_at,
            interval: given.run.interval,
            params: given.run.params.clone(),
            home: self.settings.home.clone(),
            settings: self.settings.clone(),
            records: given.compiled.records.clone(),
            snapshots: given.run.snapshots.clone(),
            clock: self.clock.clone(),
            cancel: given.cancel.clone(),
            log: given.log.clone(),
        }
    }
}

/// What differs between the worlds of two pieces of work.
pub(super) struct Assignment<'a> {
    pub compiled: &'a Compiled,
    pub run: &'a RunFacts,
    pub task_id: &'a TaskId,
    pub try_number: u32,
    pub started_at: DateTime<Utc>,
    pub cancel: &'a CancellationToken,
    pub log: &'a TaskLog,
}

impl RunFacts {
    /// What templates of this run may use.
    pub fn scope<'a>(
        &'a self,
        dag: &'a Dag,
        task_id: Option<&'a TaskId>,
        try_number: u32,
        outputs: &'a Map<String, Value>,
    ) -> Scope<'a> {
        Scope {
            dag_id: &dag.dag_id,
            run_id: &self.run_id,
            task_id,
            try_number,
            interval: self.interval,
            params: &self.params,
            outputs,
        }
    }
}

/// How an operator came back.
type Ended = Result<Result<Verdict, TaskError>, JoinError>;

/// What became of the work of an operator.
pub(super) enum Work {
    /// It ended by itself.
    Ended(Ended),
    /// It took too long.
    TimedOut,
    /// It was told to stop, and may have come back then.
    Stopped(Option<Ended>),
}

/// Waits for `work` until `limit` is over or `cancel` fires; then it is told to stop.
pub(super) async fn within(
    mut work: JoinHandle<Result<Verdict, TaskError>>,
    limit: Duration,
    cancel: &CancellationToken,
) -> Work {
    let timed_out = tokio::select! {
        ended = &mut work => return Work::Ended(ended),
        () = cancel.cancelled() => false,
        () = tokio::time::sleep(limit) => true,
    };
    cancel.cancel();
    let ended = tokio::time::timeout(STOP_GRACE, &mut work).await;
    work.abort();
    match timed_out {
        true => Work::TimedOut,
        false => Work::Stopped(ended.ok()),
    }
}

fn ending(ended: Ended) -> End {
    match ended {
        Ok(Ok(Verdict::Done(outcome))) if !outcome.counts.balances() => {
            let error = Error::new(format!(
                "the sum of the records does not hold: {}",
                outcome.counts
            ))
            .hint("this is a defect of the operator: a record it read is unaccounted for");
            End::Failed(Failure::new(&error, false))
        }
        Ok(Ok(Verdict::Done(outcome))) => End::Done(outcome),
        Ok(Ok(Verdict::Defer(until))) => End::Deferred(until),
        Ok(Ok(Verdict::Skip(reason))) => End::Skipped(reason),
        Ok(Err(TaskError::Retryable(error))) => End::Failed(Failure::new(&error, true)),
        Ok(Err(TaskError::Permanent(error))) => End::Failed(Failure::new(&error, false)),
        Ok(Err(TaskError::Cancelled)) => End::Stopped,
        Err(panic) => {
            let error = Error::new("the operator broke off")
                .because(panic)
                .hint("this is a defect of galen; the log of the process says where");
            End::Failed(Failure::new(&error, false))
        }
    }
}

fn tell(log: &TaskLog, end: &End) {
    match end {
        End::Done(outcome) => log.info("succeeded", json!({"counts": outcome.counts})),
        End::Deferred(until) => log.info("deferred", json!({"until": until})),
        End::Skipped(reason) => log.info("skipped", json!({"reason": reason})),
        End::Failed(failure) => log.error(
            &failure.error,
            json!({"hint": failure.hint, "retry_can_help": failure.retry_can_help}),
        ),
        End::Stopped => log.warn("stopped from outside", json!({})),
    }
}
