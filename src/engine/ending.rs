//! How tries and runs end: from what a worker reports to the event that is recorded.

use chrono::{DateTime, TimeDelta, Utc};

use super::active::ActiveRun;
use super::group::Group;
use super::plan::RunOutcome;
use super::retry;
use super::worker::{Completion, End, Failure};
use crate::base::{EventKind, TaskState, format_duration};

/// The event that says how the try `done` of `run` ended at `at`.
pub fn event(run: &ActiveRun, done: &Completion, at: DateTime<Utc>) -> EventKind {
    match &done.end {
        End::Done(outcome) => EventKind::TaskSucceeded {
            counts: outcome.counts,
            tables: outcome.tables.clone(),
            outputs: outcome.outputs.clone(),
            audit: outcome.audit.clone(),
        },
        End::Deferred(until) => EventKind::TaskDeferred { until: *until },
        End::Skipped(reason) => EventKind::TaskSkipped {
            reason: reason.clone(),
        },
        End::Failed(failure) => failed(run, done.task, failure, at),
        End::Stopped => EventKind::TaskInterrupted {
            reason: "its process was told to stop".to_owned(),
        },
    }
}

fn failed(run: &ActiveRun, task: usize, failure: &Failure, at: DateTime<Utc>) -> EventKind {
    let definition = &run.compiled.dag.tasks[task];
    let delay = failure
        .retry_can_help
        .then(|| retry::delay(definition, &run.facts.run_id, run.failures(task) + 1))
        .flatten();
    match delay.and_then(|delay| at.checked_add_signed(TimeDelta::from_std(delay).ok()?)) {
        Some(at) => EventKind::TaskRetryPlanned {
            error: failure.error.clone(),
            at,
        },
        None => EventKind::TaskFailed {
            error: failure.error.clone(),
            hint: failure.hint.clone(),
        },
    }
}

/// Records that a run took longer than it may: its open tasks are cancelled, and with them the run ends.
pub fn time_out(run: &mut ActiveRun, group: &mut Group) {
    run.cancel();
    run.timed_out = true;
    for task in 0..run.plan.states().len() {
        if run
            .plan
            .state(task)
            .is_some_and(|state| !state.is_terminal())
            && let Err(error) = run.record(task, EventKind::TaskCancelled, group)
        {
            tracing::error!(%error, "a task of a run that timed out was not cancelled");
        }
    }
}

/// Records the end of a run, and its new beginning where `dag_retries` grants one.
pub fn run(run: &mut ActiveRun, outcome: &RunOutcome, group: &mut Group) {
    let subject = run.run_subject();
    let dag = run.compiled.dag.clone();
    let reason = match outcome {
        _ if run.timed_out => format!(
            "stopped after its `dagrun_timeout` of {}",
            format_duration(dag.dagrun_timeout.unwrap_or_default())
        ),
        RunOutcome::Success => {
            group.change(subject, EventKind::RunSucceeded);
            group.hooks.extend(
                dag.on_success
                    .iter()
                    .map(|hook| run.hook("on_success", hook, None)),
            );
            return;
        }
        RunOutcome::Failed(tasks) => {
            let names: Vec<&str> = tasks
                .iter()
                .map(|task| dag.tasks[*task].task_id.as_str())
                .collect();
            match names.as_slice() {
                [one] => format!("task `{one}` failed"),
                [first, rest @ ..] => format!("task `{first}` and {} more failed", rest.len()),
                [] => "it failed".to_owned(),
            }
        }
    };
    group.change(subject.clone(), EventKind::RunFailed { reason });
    if !run.timed_out && run.attempt <= dag.dag_retries {
        let failed: Vec<usize> = (0..run.plan.states().len())
            .filter(|task| {
                matches!(
                    run.plan.state(*task),
                    Some(TaskState::Failed | TaskState::UpstreamFailed)
                )
            })
            .collect();
        let tasks = failed.len() as u64;
        group.change(subject, EventKind::RunReopened { tasks });
        for task in failed {
            if let Err(error) = run.record(task, EventKind::TaskCleared, group) {
                tracing::error!(%error, "a failed task was not cleared");
            }
        }
        group.reopened.push(run.facts.run_id.clone());
        return;
    }
    group.hooks.extend(
        dag.on_failure
            .iter()
            .map(|hook| run.hook("on_failure", hook, None)),
    );
}
