//! Hooks: calls of the `shell` or `http` operator because a task or a run ended.
//!
//! A hook is called once, after its event was written; what becomes of it is in its log and changes no state. It has [`LIMIT`] to end.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use super::compiled::Compiled;
use super::log;
use super::worker::{Assignment, RunFacts, Work, Worker, within};
use crate::base::{RunId, TaskId, format_duration};
use crate::dag::Hook;

/// A hook tells somebody of an end; what takes longer is work for a task.
const LIMIT: Duration = Duration::from_secs(300);

/// A hook to call.
pub struct HookCall {
    /// `on_failure` or `on_success`.
    pub name: &'static str,
    /// What to call.
    pub hook: Hook,
    /// The definition its run keeps.
    pub compiled: Arc<Compiled>,
    /// The run.
    pub run: Arc<RunFacts>,
    /// The task; `None` for the run's own hook.
    pub task: Option<TaskId>,
    /// The try that ended.
    pub try_number: u32,
    /// Outputs of the run's tasks.
    pub outputs: Arc<Map<String, Value>>,
}

impl HookCall {
    /// The run.
    pub fn run_id(&self) -> &RunId {
        &self.run.run_id
    }
}

impl Worker {
    /// Calls a hook and logs how it went; `stop` ends it early.
    pub async fn call(self, call: HookCall, stop: CancellationToken) {
        let dag = &call.compiled.dag;
        let of = call.task.as_ref().map_or("run", TaskId::as_str);
        let log_name = TaskId::new(format!("{of}.{}", call.name));
        let path = log::path(
            &self.settings.home,
            &dag.dag_id,
            call.run_id(),
            &log_name,
            call.try_number,
        );
        let log = log::open(path, self.clock.clone());
        let scope = call
            .run
            .scope(dag, call.task.as_ref(), call.try_number, &call.outputs);
        let operator = match self.operator(&call.hook.operator, &call.hook.with, &scope) {
            Ok(operator) => operator,
            Err(error) => return log.error(&error.to_string(), json!({})),
        };
        let context = self.context(Assignment {
            compiled: &call.compiled,
            run: &call.run,
            task_id: &log_name,
            try_number: call.try_number,
            started_at: self.clock.now(),
            cancel: &stop,
            log: &log,
        });
        let work = tokio::spawn(async move { operator.run(&context).await });
        let failed = match within(work, LIMIT, &stop).await {
            Work::Ended(Ok(Ok(_))) => return log.info("called", json!({})),
            Work::Ended(Ok(Err(error))) => error.error().map(ToString::to_string),
            Work::Ended(Err(panic)) => Some(format!("the operator broke off: {panic}")),
            Work::TimedOut => Some(format!("stopped after {}", format_duration(LIMIT))),
            Work::Stopped(_) => None,
        };
        let text = failed.unwrap_or_else(|| "stopped".to_owned());
        tracing::warn!(hook = %log_name, run = %call.run.run_id, error = %text, "a hook failed");
        log.error(&text, json!({}));
    }
}
