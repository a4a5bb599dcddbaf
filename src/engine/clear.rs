//! Making tasks ready to run again: `tasks clear` and `retry`.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::handle::Handle;
use crate::base::{
    DagId, Digest, Error, EventKind, Result, RunId, RunState, Subject, TaskId, TaskState,
};
use crate::dag::Graph;
use crate::store::{Change, Run, RunFilter, TaskInstance};

/// What will be, or was, made ready to run again.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Cleared {
    /// The run.
    pub run_id: RunId,
    /// Its DAG.
    pub dag_id: DagId,
    /// The version it keeps, where the DAG's files make another one by now.
    pub outdated: Option<Digest>,
    /// Its tasks, in graph order.
    pub tasks: Vec<TaskId>,
}

impl Cleared {
    /// Says nothing of the version it keeps unless it is another than `now`.
    fn held_against(mut self, now: Option<Digest>) -> Self {
        self.outdated = self
            .outdated
            .filter(|kept| now.is_some_and(|now| now != *kept));
        self
    }
}

/// Which runs to retry.
#[derive(Debug, Clone)]
pub enum RetryWhat {
    /// This one.
    Run(RunId),
    /// The newest failed run of the DAG.
    Newest(DagId),
    /// Every failed run of the DAG whose interval starts in `[from, to)`.
    Between(DagId, DateTime<Utc>, DateTime<Utc>),
    /// The newest failed run of all.
    Any,
}

/// What to retry.
#[derive(Debug, Clone)]
pub struct RetryRequest {
    /// The runs.
    pub what: RetryWhat,
    /// Only this task, or those that stand in its place, and what it held back.
    pub task: Option<TaskId>,
    /// Everything after the retried tasks too, also what succeeded.
    pub downstream: bool,
    /// Change nothing.
    pub dry_run: bool,
}

impl Handle {
    /// Makes the failed tasks of runs ready again, with what they held back and what a stopped run left out, and queues the runs.
    ///
    /// # Errors
    /// When there is nothing to retry.
    pub async fn retry(&self, request: &RetryRequest) -> Result<Vec<Cleared>> {
        let mut cleared = Vec::new();
        let runs = self.to_retry(&request.what).await?;
        // all of one DAG
        let now = runs.first().and_then(|run| self.version_now(&run.dag_id));
        for run in runs {
            let (graph, tasks) = self.graph_and_tasks(&run).await?;
            let chosen = failed_and_held_back(&run, &graph, &tasks, request)?;
            cleared.push(
                self.clear_tasks(&run, &graph, &tasks, chosen, request.dry_run)
                    .await?
                    .held_against(now),
            );
        }
        Ok(cleared)
    }

    /// Makes the selected tasks of a run ready to run again, whatever their state, and queues the run if it had ended.
    ///
    /// # Errors
    /// When a selected task is at work right now, or the selection names an unknown task.
    pub async fn clear(&self, run_id: &RunId, select: &str, dry_run: bool) -> Result<Cleared> {
        let run = self.run(run_id).await?;
        let (graph, tasks) = self.graph_and_tasks(&run).await?;
        let chosen = graph.select(select)?;
        let cleared = self.clear_tasks(&run, &graph, &tasks, chosen, dry_run);
        Ok(cleared.await?.held_against(self.version_now(&run.dag_id)))
    }

    /// The version that the DAG's files make now, where they are sound.
    fn version_now(&self, dag_id: &DagId) -> Option<Digest> {
        self.current(dag_id).ok().map(|version| version.hash)
    }

    async fn to_retry(&self, what: &RetryWhat) -> Result<Vec<Run>> {
        let failed = |dag: Option<&DagId>| RunFilter {
            dag: dag.cloned(),
            states: vec![RunState::Failed],
            ..RunFilter::default()
        };
        let filter = match what {
            RetryWhat::Run(run_id) => {
                let run = self.run(run_id).await?;
                return match run.state {
                    RunState::Failed | RunState::Cancelled => Ok(vec![run]),
                    RunState::Success => Err(Error::new(format!(
                        "run `{run_id}` succeeded, there is nothing to retry"
                    ))
                    .hint(format!(
                        "to run tasks of it again: `galen tasks clear {run_id} --task SELECT`"
                    ))),
                    RunState::Queued | RunState::Running => Err(self.not_ended(&run).await?),
                };
            }
            RetryWhat::Newest(dag) => RunFilter {
                limit: Some(1),
                ..failed(Some(dag))
            },
            RetryWhat::Any => RunFilter {
                limit: Some(1),
                ..failed(None)
            },
            RetryWhat::Between(dag, from, to) => RunFilter {
                from: Some(*from),
                to: Some(*to),
                ..failed(Some(dag))
            },
        };
        let mut runs = self.store.runs(&filter).await?;
        if runs.is_empty() {
            return Err(self.none_failed(filter).await?);
        }
        runs.reverse();
        Ok(runs)
    }

    /// Why there is no run to retry among those that `failed` asked for.
    async fn none_failed(&self, failed: RunFilter) -> Result<Error> {
        const NONE: &str = "no failed run to retry";
        let open = RunFilter {
            states: vec![RunState::Queued, RunState::Running],
            limit: Some(1),
            ..failed
        };
        Ok(match self.store.runs(&open).await?.first() {
            Some(run) => self.not_ended(run).await?.at(NONE),
            None => Error::new(NONE).hint("`galen runs list` shows how runs ended"),
        })
    }

    /// Why a run that has not ended is not retried, and who goes on with it.
    async fn not_ended(&self, run: &Run) -> Result<Error> {
        let (id, state) = (&run.run_id, run.state);
        if self.is_led().await? {
            let hint = "wait for its end; failed tasks of a run that goes on: `galen tasks clear`";
            return Ok(Error::new(format!("run `{id}` has not ended, it is {state}")).hint(hint));
        }
        Ok(match state {
            RunState::Running => Error::new(format!("run `{id}` was interrupted, it did not fail")).hint(format!(
                "it goes on by itself with the next `galen run` or `galen scheduler`; `galen runs cancel {id}` ends it"
            )),
            _ => Error::new(format!("run `{id}` has not started, it is {state}"))
                .hint(format!("`galen scheduler` starts it; `galen runs cancel {id}` takes it back")),
        })
    }

    async fn graph_and_tasks(&self, run: &Run) -> Result<(Graph, Vec<TaskInstance>)> {
        let dag = self.stored_dag(&run.version).await?;
        Ok((
            Graph::new(&dag.tasks)?,
            self.store.tasks(&run.run_id).await?,
        ))
    }

    async fn clear_tasks(
        &self,
        run: &Run,
        graph: &Graph,
        tasks: &[TaskInstance],
        chosen: BTreeSet<usize>,
        dry_run: bool,
    ) -> Result<Cleared> {
        let chosen: Vec<&TaskInstance> = tasks
            .iter()
            .filter(|task| {
                graph
                    .index(task.task_id.as_str())
                    .is_some_and(|i| chosen.contains(&i))
            })
            .filter(|task| task.state != TaskState::None)
            .collect();
        if let Some(busy) = chosen
            .iter()
            .find(|task| task.state.is_active() || task.state == TaskState::Scheduled)
        {
            return Err(Error::new(format!(
                "task `{}` of run `{}` is {}, expected one that has ended",
                busy.task_id, run.run_id, busy.state
            ))
            .hint(format!(
                "wait for it, or stop the run first: `galen runs cancel {}`",
                run.run_id
            )));
        }
        let cleared = Cleared {
            run_id: run.run_id.clone(),
            dag_id: run.dag_id.clone(),
            outdated: Some(run.version),
            tasks: chosen.iter().map(|task| task.task_id.clone()).collect(),
        };
        if !dry_run && !chosen.is_empty() {
            let mut changes: Vec<Change> = Vec::new();
            changes.extend(Self::reopen(run, chosen.len() as u64));
            changes.extend(chosen.iter().map(|task| {
                let subject =
                    Subject::Task(run.dag_id.clone(), run.run_id.clone(), task.task_id.clone());
                Change::Event(subject, EventKind::TaskCleared)
            }));
            self.apply(changes).await?;
        }
        Ok(cleared)
    }
}

/// The failed tasks of a run, what they held back, and what it left out when a person or its time limit stopped it.
fn failed_and_held_back(
    run: &Run,
    graph: &Graph,
    tasks: &[TaskInstance],
    request: &RetryRequest,
) -> Result<BTreeSet<usize>> {
    let again = |index: usize| {
        let name = graph.task_id(index);
        let task = tasks.iter().find(|task| task.task_id == *name);
        task.is_some_and(|task| match task.state {
            TaskState::Failed | TaskState::UpstreamFailed => true,
            _ => task.was_left_out(),
        })
    };
    let mut chosen: BTreeSet<usize> = match &request.task {
        Some(task) => {
            let mut chosen = graph.select(task.as_str())?;
            chosen.retain(|index| again(*index));
            if chosen.is_empty() {
                return Err(Error::new(format!(
                    "task `{task}` of run `{}` did not fail",
                    run.run_id
                ))
                .hint(format!(
                    "to run it again all the same: `galen tasks clear {} --task {task}`",
                    run.run_id
                )));
            }
            chosen
        }
        None => (0..graph.len()).filter(|index| again(*index)).collect(),
    };
    for index in chosen.clone() {
        let after = graph.all_downstream(index);
        chosen.extend(
            after
                .into_iter()
                .filter(|after| request.downstream || again(*after)),
        );
    }
    Ok(chosen)
}
