//! A DAG as the rest of the house sees it: checked, with every default filled in.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::{DagId, TaskId, TriggerRule};
use crate::schedule::Schedule;

/// A checked DAG. Its JSON, with keys in declaration order, is the canonical form that versions are hashes of
/// (together with the files of its folder).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dag {
    /// Equal to the folder's name.
    pub dag_id: DagId,
    /// What it is for.
    pub description: String,
    /// Who answers for it.
    pub owner: String,
    /// For finding it.
    pub tags: Vec<String>,
    /// When it runs by itself; `None`: only when asked.
    pub schedule: Option<Schedule>,
    /// Runs in state `running` at the same time, at most.
    pub max_active_runs: u32,
    /// Task instances with a slot at the same time over all its runs, at most.
    pub max_active_tasks: Option<u32>,
    /// A run that takes longer is stopped and failed.
    pub dagrun_timeout: Option<Duration>,
    /// How often the failed tasks of a failed run are run again.
    pub dag_retries: u32,
    /// Run parameters and their defaults.
    pub params: BTreeMap<String, Param>,
    /// SQL file in the folder that creates the operational tables (`CREATE TABLE IF NOT EXISTS`), one text for both databases.
    pub tables: Option<String>,
    /// In file order.
    pub tasks: Vec<Task>,
    /// Called when a run failed.
    pub on_failure: Option<Hook>,
    /// Called when a run succeeded.
    pub on_success: Option<Hook>,
}

/// A run parameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Param {
    /// Its type.
    pub r#type: ParamType,
    /// Value when a run gives none.
    pub default: Value,
    /// Smallest number allowed.
    pub minimum: Option<f64>,
    /// Largest number allowed.
    pub maximum: Option<f64>,
    /// The values allowed, if they are few.
    pub r#enum: Option<Vec<Value>>,
    /// What it does.
    pub description: String,
}

/// Type of a run parameter, as in JSON Schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ParamType {
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// A list.
    Array,
    /// A map.
    Object,
}

/// A task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Unique in the DAG.
    pub task_id: TaskId,
    /// Kind of work.
    pub operator: String,
    /// What it is for.
    pub description: String,
    /// Tasks directly before it.
    pub depends_on: Vec<TaskId>,
    /// When it may run, given how those ended.
    pub trigger_rule: TriggerRule,
    /// A template; when it renders to `false` the task is skipped.
    pub when: Option<String>,
    /// Pool its slots come from.
    pub pool: String,
    /// Slots it takes.
    pub pool_slots: u32,
    /// Larger goes first.
    pub priority_weight: i32,
    /// Tries after the first.
    pub retries: u32,
    /// Wait before the next try.
    pub retry_delay: Duration,
    /// Whether the wait doubles with each try.
    pub retry_exponential_backoff: bool,
    /// Longest wait.
    pub max_retry_delay: Option<Duration>,
    /// A try that takes longer is stopped and fails.
    pub execution_timeout: Option<Duration>,
    /// The operator's parameters, templates not yet rendered.
    pub with: Value,
    /// Called when the task failed for good.
    pub on_failure: Option<Hook>,
    /// Called when the task succeeded.
    pub on_success: Option<Hook>,
}

/// A call to the `shell` or `http` operator when something ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hook {
    /// `shell` or `http`.
    pub operator: String,
    /// Its parameters, templates not yet rendered.
    pub with: Value,
}
