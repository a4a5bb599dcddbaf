//! `dag.yaml` as it is written. One set of structs is what is read, what the JSON Schema is made of and what it is checked against.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::ParamType;
use crate::base::TriggerRule;

/// A DAG: tasks, what each depends on, and when they run.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(extend("additionalProperties" = false, "required" = ["dag_id", "tasks"], "x-hints" = {
    "start_date": "it belongs to the schedule: `schedule: {cron: \"@daily\", start_date: 2026-01-01}`",
    "end_date": "it belongs to the schedule: `schedule: {cron: \"@daily\", end_date: 2026-12-31}`",
    "catchup": "it belongs to the schedule: `schedule: {cron: \"@daily\", catchup: true}`",
    "timezone": "it belongs to the schedule: `schedule: {cron: \"@daily\", timezone: Europe/Madrid}`",
    "schedule_interval": "its name is `schedule`",
    "retries": "it belongs to a task, or to `default_args` for all of them",
}))]
pub struct DagSpec {
    /// Equal to the name of the folder.
    #[schemars(extend("pattern" = "^[A-Za-z0-9][A-Za-z0-9_.-]*$"))]
    pub dag_id: String,
    /// What the DAG is for.
    pub description: String,
    /// Who answers for it.
    pub owner: String,
    /// For finding it.
    pub tags: Vec<String>,
    /// When it runs by itself: a cron expression, a preset, or a map. Without it: only when asked.
    pub schedule: Option<ScheduleSpec>,
    /// Runs in state `running` at the same time, at most; 16 when absent.
    #[schemars(range(min = 1))]
    pub max_active_runs: Option<u32>,
    /// Tasks with a slot at the same time over all runs, at most.
    #[schemars(range(min = 1))]
    pub max_active_tasks: Option<u32>,
    /// A run that takes longer is stopped and failed, as `2h`.
    #[schemars(extend("examples" = ["2h"]))]
    pub dagrun_timeout: Option<String>,
    /// How often the failed tasks of a failed run are run again.
    pub dag_retries: u32,
    /// Run parameters by name: a default value, or a map with `type`, `default` and limits.
    pub params: BTreeMap<String, ParamSpec>,
    /// SQL file in the folder that creates the operational tables.
    pub tables: Option<String>,
    /// Settings that every task takes unless it gives its own.
    pub default_args: TaskArgs,
    /// The tasks.
    #[schemars(length(min = 1))]
    pub tasks: Vec<TaskSpec>,
    /// Called when a run failed.
    pub on_failure: Option<HookSpec>,
    /// Called when a run succeeded.
    pub on_success: Option<HookSpec>,
}

/// A cron expression or preset alone, or a map.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ScheduleSpec {
    /// A five-field cron expression in UTC, `@hourly`, `@daily`, `@weekly`, `@monthly` or `@yearly`.
    Cron(String),
    /// With time zone, dates and catch-up.
    Map(ScheduleMap),
}

/// When a DAG runs by itself.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(extend("additionalProperties" = false, "required" = ["cron"]))]
pub struct ScheduleMap {
    /// A five-field cron expression, `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly` or `@once`.
    pub cron: String,
    /// IANA time zone in which the expression and the dates are read; UTC when absent.
    #[schemars(extend("examples" = ["Europe/Madrid"]))]
    pub timezone: Option<String>,
    /// No scheduled interval starts before this date or timestamp.
    #[schemars(extend("examples" = ["2026-01-01"]))]
    pub start_date: Option<String>,
    /// The last day on which a scheduled interval starts, or the timestamp from which on none does.
    #[schemars(extend("examples" = ["2026-12-31"]))]
    pub end_date: Option<String>,
    /// Whether every missed interval gets a run, or only the latest.
    pub catchup: bool,
}

/// A default value alone, or a map.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ParamSpec {
    /// With type and limits.
    Map(ParamMap),
    /// A yes or no.
    Bool(bool),
    /// A number.
    Number(serde_json::Number),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Value>),
}

/// A run parameter.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(extend("additionalProperties" = false, "required" = ["default"]))]
pub struct ParamMap {
    /// Value when a run gives none.
    pub default: Value,
    /// Its type; that of the default when absent.
    pub r#type: Option<ParamType>,
    /// Smallest number allowed.
    pub minimum: Option<f64>,
    /// Largest number allowed.
    pub maximum: Option<f64>,
    /// The values allowed, if they are few.
    pub r#enum: Option<Vec<Value>>,
    /// What it does.
    pub description: String,
}

/// A task.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(extend("additionalProperties" = false, "required" = ["task_id", "operator"], "x-hints" = {
    "params": "the operator's parameters go under `with`",
    "upstream": "its name is `depends_on`",
}))]
pub struct TaskSpec {
    /// Unique in the DAG.
    #[schemars(extend("pattern" = "^[A-Za-z0-9][A-Za-z0-9_.-]*$"))]
    pub task_id: String,
    /// Kind of work.
    pub operator: String,
    /// What it is for.
    pub description: String,
    /// Tasks directly before it.
    pub depends_on: Vec<String>,
    /// A template; when it renders to `false` the task is skipped.
    #[schemars(extend("examples" = ["{{ outputs.load.rows > 0 }}"]))]
    pub when: Option<String>,
    /// The operator's parameters.
    pub with: Map<String, Value>,
    /// Its own settings.
    #[serde(flatten)]
    pub args: TaskArgs,
}

/// Settings that a task and `default_args` share.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(extend("additionalProperties" = false))]
pub struct TaskArgs {
    /// When a task may run, given how those before it ended; `all_success` when absent.
    pub trigger_rule: Option<TriggerRule>,
    /// Pool from which its slots come; `default_pool` when absent.
    pub pool: Option<String>,
    /// Slots it takes; 1 when absent.
    #[schemars(range(min = 1))]
    pub pool_slots: Option<u32>,
    /// Larger goes first; 1 when absent.
    pub priority_weight: Option<i32>,
    /// Tries after the first; 0 when absent.
    pub retries: Option<u32>,
    /// Wait before the next try; `5m` when absent.
    #[schemars(extend("examples" = ["30s"]))]
    pub retry_delay: Option<String>,
    /// Whether the wait doubles with each try.
    pub retry_exponential_backoff: Option<bool>,
    /// Longest wait.
    #[schemars(extend("examples" = ["10m"]))]
    pub max_retry_delay: Option<String>,
    /// A try that takes longer is stopped and fails.
    #[schemars(extend("examples" = ["30m"]))]
    pub execution_timeout: Option<String>,
    /// Called when the task failed for good.
    pub on_failure: Option<HookSpec>,
    /// Called when the task succeeded.
    pub on_success: Option<HookSpec>,
}

/// A call to an operator when something ended.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(extend("additionalProperties" = false, "required" = ["operator"]))]
pub struct HookSpec {
    /// `shell` or `http`.
    pub operator: String,
    /// The operator's parameters.
    pub with: Map<String, Value>,
}

impl TaskArgs {
    /// These settings, and those of `defaults` where they say nothing.
    pub fn or(self, defaults: &Self) -> Self {
        let defaults = defaults.clone();
        Self {
            trigger_rule: self.trigger_rule.or(defaults.trigger_rule),
            pool: self.pool.or(defaults.pool),
            pool_slots: self.pool_slots.or(defaults.pool_slots),
            priority_weight: self.priority_weight.or(defaults.priority_weight),
            retries: self.retries.or(defaults.retries),
            retry_delay: self.retry_delay.or(defaults.retry_delay),
            retry_exponential_backoff: self
                .retry_exponential_backoff
                .or(defaults.retry_exponential_backoff),
            max_retry_delay: self.max_retry_delay.or(defaults.max_retry_delay),
            execution_timeout: self.execution_timeout.or(defaults.execution_timeout),
            on_failure: self.on_failure.or(defaults.on_failure),
            on_success: self.on_success.or(defaults.on_success),
        }
    }
}
