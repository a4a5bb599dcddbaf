//! `galen retry`: what failed, once more.

use std::collections::BTreeSet;

use clap::Args;
use serde_json::json;

use super::foreground::{report, see_through};
use super::when::{When, when};
use super::{App, Exit, Printer, Table};
use crate::base::{DagId, Digest, Error, Result, RunId, TaskId};
use crate::engine::{Cleared, Handle, RetryRequest, RetryWhat};
use crate::schedule::Timetable;

/// Run failed tasks again, with all that they held back
///
/// Without a run or a DAG: those of the newest failed run. Prints what it clears and waits for the end. The run keeps the definition it
/// started with; `galen run`, or `galen backfill --reprocess failed`, uses one that has changed since.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  galen retry --dry-run                     what would be cleared, changing nothing
  galen retry                               the newest failed run
  galen retry --dag clinic --from 2026-01-01 --to 2026-01-31
  galen retry RUN --task load --downstream  this task and everything after it")]
pub struct Retry {
    /// The run
    #[arg(conflicts_with = "dag")]
    run: Option<String>,
    /// The newest failed run of this DAG
    #[arg(long)]
    dag: Option<String>,
    /// With `--dag`: all failed runs from this day
    #[arg(long, value_name = "DATE", value_parser = when, requires = "dag", requires = "to")]
    from: Option<When>,
    /// With `--dag`: to this day, itself in it
    #[arg(long, value_name = "DATE", value_parser = when, requires = "from")]
    to: Option<When>,
    /// Only this task, or what failed of those that stand in its place
    #[arg(long, value_name = "TASK")]
    task: Option<String>,
    /// Everything after the retried tasks too, also what succeeded
    #[arg(long)]
    downstream: bool,
    /// Print what would be cleared and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Clears what failed and sees the runs through.
pub async fn retry(args: &Retry, app: &App, printer: &mut Printer) -> Result<Exit> {
    let handle = app.handle().await?;
    let request = RetryRequest {
        what: what(args, &handle)?,
        task: args.task.as_deref().map(TaskId::from),
        downstream: args.downstream,
        dry_run: args.dry_run,
    };
    let cleared = handle.retry(&request).await?;
    note_outdated(&cleared, printer);
    if args.dry_run {
        printer.table(&cleared_table(&cleared), args.json)?;
        return Ok(Exit::Success);
    }
    for line in cleared_table(&cleared).to_string().lines() {
        printer.note(line);
    }
    let runs: Vec<RunId> = cleared.into_iter().map(|cleared| cleared.run_id).collect();
    if !see_through(&handle, &runs, printer).await? {
        return Ok(Exit::Failed);
    }
    let mut exit = Exit::Success;
    for run in &runs {
        let ended = report(&handle, &handle.run(run).await?, args.json, printer).await?;
        exit = exit.max(ended);
    }
    Ok(exit)
}

fn what(args: &Retry, handle: &Handle) -> Result<RetryWhat> {
    if let Some(run) = &args.run {
        let is_dag = !run.contains(['/', '\\']) && handle.settings().dags_dir().join(run).is_dir();
        if is_dag {
            let error = Error::new(format!("`{run}` is a DAG, expected one of its runs"));
            return Err(error.hint(format!(
                "`galen retry --dag {run}` takes its newest failed run"
            )));
        }
        return Ok(RetryWhat::Run(RunId::from(run.as_str())));
    }
    let Some(dag) = args.dag.as_deref().map(DagId::from) else {
        return Ok(RetryWhat::Any);
    };
    let (Some(from), Some(to)) = (args.from, args.to) else {
        return Ok(RetryWhat::Newest(dag));
    };
    let zone = Timetable::new(handle.current(&dag)?.dag.schedule.as_ref())?.zone();
    Ok(RetryWhat::Between(dag, from.start(zone), to.end(zone)))
}

/// Says where what is run again is not what the DAG's files say now.
pub fn note_outdated(cleared: &[Cleared], printer: &mut Printer) {
    let outdated = |run: &'_ Cleared| Some((run.dag_id.clone(), run.outdated?));
    let outdated: BTreeSet<(DagId, Digest)> = cleared.iter().filter_map(outdated).collect();
    for (dag, version) in outdated {
        printer.note(&format!(
            "the definition of DAG `{dag}` has changed since; what is run again keeps version `{version:.12}`"
        ));
        printer.note(&format!(
            "hint: `galen run {dag}`, or `galen backfill {dag} --from DATE --to DATE --reprocess failed` for dates that failed, uses the new one"
        ));
    }
}

/// What was, or would be, made ready to run again.
pub fn cleared_table(cleared: &[Cleared]) -> Table {
    let mut table = Table::new(["run_id", "task"]);
    for run in cleared {
        for task in &run.tasks {
            table.row([json!(run.run_id), json!(task)]);
        }
    }
    table
}
