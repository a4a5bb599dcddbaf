//! `galen tasks list|logs|clear`.

use clap::{Args, Subcommand};
use serde_json::json;

use super::foreground::{duration, report, see_through, tasks_table, time};
use super::retry::{cleared_table, note_outdated};
use super::task_log::{Logs, logs};
use super::{App, Exit, Printer, Table};
use crate::base::{Result, RunId};

/// Look at the tasks of a run, read their logs, or make them run again
#[derive(Debug, Subcommand)]
pub enum Tasks {
    List(List),
    Logs(Logs),
    Clear(Clear),
}

/// List the tasks of a run, or every try of them
#[derive(Debug, Args)]
pub struct List {
    /// The run, as `galen runs list` shows it
    run: String,
    /// A line for every try instead of every task
    #[arg(long)]
    tries: bool,
    /// Print one JSON array of objects
    #[arg(long)]
    json: bool,
}

/// Make tasks of a run run again, whatever their state
///
/// The run is queued again if it had ended; whoever schedules goes on with it, else `galen scheduler`. It keeps the definition it
/// started with.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  galen tasks clear RUN --task load         this task
  galen tasks clear RUN --task load+        and everything after it")]
pub struct Clear {
    /// The run
    run: String,
    /// The tasks: `load`, `+load` with what it needs, `load+` with what needs it; a `models` or `pipeline` task is all tasks
    /// in its place
    #[arg(long, value_name = "SELECT")]
    task: String,
    /// Print what would be cleared and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Wait for the end of the run
    #[arg(long)]
    wait: bool,
    /// Print one JSON array of objects
    #[arg(long)]
    json: bool,
}

/// Does what was asked of tasks.
pub async fn tasks(args: &Tasks, app: &App, printer: &mut Printer) -> Result<Exit> {
    match args {
        Tasks::List(args) => list(args, app, printer).await,
        Tasks::Logs(args) => logs(args, app, printer).await,
        Tasks::Clear(args) => clear(args, app, printer).await,
    }
}

async fn list(args: &List, app: &App, printer: &mut Printer) -> Result<Exit> {
    let handle = app.handle().await?;
    let run = handle.run(&RunId::from(args.run.as_str())).await?;
    let store = handle.store();
    if !args.tries {
        printer.table(&tasks_table(&store.tasks(&run.run_id).await?), args.json)?;
        return Ok(Exit::Success);
    }
    let mut table = Table::new([
        "task",
        "try",
        "state",
        "owner",
        "started_at",
        "seconds",
        "error",
    ]);
    for attempt in store.tries(&run.run_id, None).await? {
        table.row([
            json!(attempt.task_id),
            json!(attempt.try_number),
            json!(attempt.state.as_str()),
            json!(attempt.owner),
            time(Some(attempt.started_at)),
            duration(Some(attempt.started_at), attempt.ended_at),
            json!(attempt.error),
        ]);
    }
    printer.table(&table, args.json)?;
    Ok(Exit::Success)
}

async fn clear(args: &Clear, app: &App, printer: &mut Printer) -> Result<Exit> {
    let handle = app.handle().await?;
    let run = RunId::from(args.run.as_str());
    let cleared = handle.clear(&run, &args.task, args.dry_run).await?;
    let cleared = [cleared];
    note_outdated(&cleared, printer);
    printer.table(&cleared_table(&cleared), args.json)?;
    if args.dry_run || !args.wait {
        return Ok(Exit::Success);
    }
    match see_through(&handle, std::slice::from_ref(&run), printer).await? {
        true => report(&handle, &handle.run(&run).await?, args.json, printer).await,
        false => Ok(Exit::Failed),
    }
}
