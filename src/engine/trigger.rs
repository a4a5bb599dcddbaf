//! Making a run by hand.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Map, Value};

use super::handle::Handle;
use crate::base::{DagId, Digest, Error, Interval, Result, RunId, RunKind, TaskId, nearest};
use crate::dag::{Dag, Graph, Param, ParamType, Version};
use crate::schedule::Timetable;
use crate::store::{Change, NewRun};

/// The data interval somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// The last complete one.
    Latest,
    /// The one that starts on this date in the DAG's time zone, or holds its start.
    Date(NaiveDate),
    /// Exactly this.
    Exactly(Interval),
}

/// A run somebody asked for.
#[derive(Debug, Clone)]
pub struct TriggerRequest {
    /// The DAG.
    pub dag_id: DagId,
    /// Its data interval.
    pub asked: Asked,
    /// Parameters that differ from their defaults.
    pub params: Map<String, Value>,
    /// Only these tasks, as `load+`.
    pub select: Option<String>,
}

impl Handle {
    /// Queues a manual run of the DAG as its files are now.
    ///
    /// # Errors
    /// When the DAG is unknown or broken, a parameter does not fit, or the selection names an unknown task.
    pub async fn trigger(&self, request: &TriggerRequest) -> Result<RunId> {
        let version = self.current(&request.dag_id)?;
        let now = self.clock.now();
        let interval = interval_of(&version.dag, &request.asked, now)?;
        let run_id = RunId::new(format!(
            "{}__manual__{}",
            request.dag_id,
            now.format("%Y%m%dT%H%M%S%.6fZ")
        ));
        let run = NewRun {
            run_id: run_id.clone(),
            dag_id: request.dag_id.clone(),
            version: version.hash,
            kind: RunKind::Manual,
            interval,
            params: params_of(&version.dag, &request.params)?,
            backfill_id: None,
            tasks: tasks_of(&version, request.select.as_deref())?,
        };
        self.register(&version).await?;
        self.apply(vec![Change::CreateRun(run)]).await?;
        Ok(run_id)
    }
}

/// The run that a schedule or a backfill makes for `interval`; the same interval makes the same id.
pub fn planned_run(
    dag: &Dag,
    version: Digest,
    kind: RunKind,
    interval: Interval,
    params: Map<String, Value>,
) -> NewRun {
    let start = interval.start.format("%Y%m%dT%H%M%SZ");
    NewRun {
        run_id: RunId::new(format!("{}__{kind}__{start}", dag.dag_id)),
        dag_id: dag.dag_id.clone(),
        version,
        kind,
        interval,
        params,
        backfill_id: None,
        tasks: dag.tasks.iter().map(|task| task.task_id.clone()).collect(),
    }
}

/// The data interval for what was asked.
fn interval_of(dag: &Dag, asked: &Asked, now: DateTime<Utc>) -> Result<Interval> {
    let timetable = Timetable::new(dag.schedule.as_ref())?;
    let found = match asked {
        Asked::Exactly(interval) => Some(*interval),
        Asked::Latest => timetable.last_complete(now),
        Asked::Date(date) => timetable.at(*date),
    };
    found.ok_or_else(|| {
        Error::new(format!("DAG `{}` has no data interval there", dag.dag_id))
            .hint("give one with `--from` and `--to`, or see `galen dags next-runs`")
    })
}

fn tasks_of(version: &Version, select: Option<&str>) -> Result<Vec<TaskId>> {
    let tasks = &version.dag.tasks;
    let chosen = match select {
        Some(select) => Some(Graph::new(tasks)?.select(select)?),
        None => None,
    };
    Ok(tasks
        .iter()
        .enumerate()
        .filter(|(index, _)| chosen.as_ref().is_none_or(|chosen| chosen.contains(index)))
        .map(|(_, task)| task.task_id.clone())
        .collect())
}

/// The DAG's parameters with `given` over the defaults.
///
/// # Errors
/// When a parameter is unknown or a value does not fit its definition.
pub fn params_of(dag: &Dag, given: &Map<String, Value>) -> Result<Map<String, Value>> {
    for (name, value) in given {
        let Some(param) = dag.params.get(name) else {
            let error = Error::new(format!("DAG `{}` has no parameter `{name}`", dag.dag_id));
            return Err(match nearest(name, dag.params.keys().map(String::as_str)) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error.hint(format!(
                    "`galen dags show {}` lists its parameters",
                    dag.dag_id
                )),
            });
        };
        fits(param, value).map_err(|expected| {
            Error::new(format!(
                "parameter `{name}` does not fit, expected {expected}"
            ))
        })?;
    }
    let default = |(name, param): (&String, &Param)| {
        let value = given.get(name).unwrap_or(&param.default);
        (name.clone(), value.clone())
    };
    Ok(dag.params.iter().map(default).collect())
}

fn fits(param: &Param, value: &Value) -> Result<(), String> {
    let (right, name) = match param.r#type {
        ParamType::String => (value.is_string(), "text"),
        ParamType::Integer => (value.is_i64() || value.is_u64(), "a whole number"),
        ParamType::Number => (value.is_number(), "a number"),
        ParamType::Boolean => (value.is_boolean(), "true or false"),
        ParamType::Array => (value.is_array(), "a list"),
        ParamType::Object => (value.is_object(), "a map"),
    };
    if !right {
        return Err(name.to_owned());
    }
    let number = value.as_f64();
    if let (Some(minimum), Some(number)) = (param.minimum, number)
        && number < minimum
    {
        return Err(format!("at least {minimum}"));
    }
    if let (Some(maximum), Some(number)) = (param.maximum, number)
        && number > maximum
    {
        return Err(format!("at most {maximum}"));
    }
    match &param.r#enum {
        Some(allowed) if !allowed.contains(value) => {
            let all: Vec<String> = allowed.iter().map(Value::to_string).collect();
            Err(format!("one of {}", all.join(", ")))
        }
        _ => Ok(()),
    }
}
