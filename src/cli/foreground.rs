//! Seeing runs through while a person waits.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio::sync::mpsc::unbounded_channel;

use super::progress::{Progress, seconds};
use super::signals::stop_on_signal;
use super::{Exit, Printer, Table};
use crate::base::{Counts, Error, Result, RunId, RunState, TaskState};
use crate::engine::{Goal, Handle};
use crate::store::{Run, TaskInstance};

/// Drives or follows `runs` to their end, with progress. `false` when a person stopped it before.
///
/// # Errors
/// When the store is wrong rather than away.
pub async fn see_through(handle: &Handle, runs: &[RunId], printer: &mut Printer) -> Result<bool> {
    let mut tasks = 0;
    for run in runs {
        tasks += handle.store().tasks(run).await?.len();
    }
    let goal = Goal::Runs(runs.iter().cloned().collect());
    pursue(handle, &goal, tasks, printer).await?;
    for run in runs {
        if !handle.run(run).await?.state.is_terminal() {
            printer.note("stopped; what was under way is handed back");
            printer
                .note("hint: `galen scheduler` goes on with it, `galen runs cancel RUN` ends it");
            return Ok(false);
        }
    }
    Ok(true)
}

/// Drives or follows until `goal` is reached or a person stops it; shows progress over `tasks` task instances.
///
/// # Errors
/// When the store is wrong rather than away.
pub async fn pursue(
    handle: &Handle,
    goal: &Goal,
    tasks: usize,
    printer: &mut Printer,
) -> Result<()> {
    let stop = stop_on_signal()?;
    let only = match goal {
        Goal::Runs(runs) if runs.len() == 1 => runs.first().cloned(),
        Goal::Runs(_) | Goal::Backfill(_) => None,
    };
    let (sender, news) = unbounded_channel();
    let (driven, ()) = tokio::join!(
        handle.drive(goal, sender, &stop),
        Progress::new(tasks, only).follow(news, printer)
    );
    driven
}

/// Prints how a run ended, task by task, and what went wrong in it.
///
/// # Errors
/// When the store cannot be read or stdout not be written.
pub async fn report(handle: &Handle, run: &Run, json: bool, printer: &mut Printer) -> Result<Exit> {
    let tasks = handle.store().tasks(&run.run_id).await?;
    printer.table(&tasks_table(&tasks), json)?;
    for task in &tasks {
        if task.state == TaskState::Failed
            && let Some(message) = &task.error
        {
            let error = Error::new(format!("task `{}`: {message}", task.task_id));
            printer.error(&match &task.hint {
                Some(hint) => error.hint(hint.clone()),
                None => error,
            });
        }
    }
    printer.note(&format!("run `{}`: {}", run.run_id, run.state));
    match run.state {
        RunState::Success => Ok(Exit::Success),
        _ => {
            printer.note(&format!(
                "hint: `galen tasks logs {0} TASK` shows a try, `galen retry {0}` tries again",
                run.run_id
            ));
            Ok(Exit::Failed)
        }
    }
}

/// Tasks with their state, time and what became of their records.
pub fn tasks_table(tasks: &[TaskInstance]) -> Table {
    let names = ["task", "state", "tries", "seconds"];
    let mut table = Table::new(names.into_iter().chain(COUNTS));
    for task in tasks {
        let start = [
            json!(task.task_id),
            json!(task.state),
            json!(task.try_number),
            duration(task.started_at, task.ended_at),
        ];
        table.row(start.into_iter().chain(counts(task.counts)));
    }
    table
}

/// The columns of [`counts`].
pub const COUNTS: [&str; 6] = [
    "read",
    "inserted",
    "updated",
    "unchanged",
    "duplicate",
    "quarantined",
];

/// The six numbers of a task, in the order people know them.
pub fn counts(counts: Option<Counts>) -> [Value; 6] {
    let Some(counts) = counts else {
        return [const { Value::Null }; 6];
    };
    [
        json!(counts.read),
        json!(counts.inserted),
        json!(counts.updated),
        json!(counts.unchanged),
        json!(counts.duplicate),
        json!(counts.quarantined),
    ]
}

/// Seconds from one time to another, where both are known.
pub fn duration(start: Option<DateTime<Utc>>, end: Option<DateTime<Utc>>) -> Value {
    match (start, end) {
        (Some(start), Some(end)) => json!(seconds(end - start)),
        _ => Value::Null,
    }
}

/// A time to the second, as cells show it.
pub fn time(time: Option<DateTime<Utc>>) -> Value {
    json!(time.map(|time| time.format("%Y-%m-%dT%H:%M:%SZ").to_string()))
}
