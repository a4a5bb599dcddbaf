//! `galen runs list|show|cancel`.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::dags::known_folder;
use super::foreground::{duration, tasks_table, time};
use super::{App, Exit, Printer, Table};
use crate::base::{DagId, Result, RunId, RunState};
use crate::store::{Run, RunFilter};

/// Look at runs, or cancel one
#[derive(Debug, Subcommand)]
pub enum Runs {
    List(List),
    Show(Show),
    Cancel(Cancel),
}

/// List runs, the newest first: by when they were made, whatever interval they cover
#[derive(Debug, Args)]
pub struct List {
    /// Only of this DAG
    #[arg(long)]
    dag: Option<String>,
    /// Only in this state: queued, running, success, failed, cancelled; may be repeated
    #[arg(long = "state", value_name = "STATE")]
    states: Vec<RunState>,
    /// At most so many
    #[arg(long, default_value_t = 20, value_name = "N")]
    limit: u32,
    /// Print one JSON array of objects
    #[arg(long)]
    json: bool,
}

/// Show a run and its tasks
#[derive(Debug, Args)]
pub struct Show {
    /// The run, as `galen runs list` shows it
    run: String,
    /// Print the tasks as one JSON array of objects
    #[arg(long)]
    json: bool,
}

/// Cancel a run: open tasks are cancelled, running ones are stopped
#[derive(Debug, Args)]
pub struct Cancel {
    /// The run
    run: String,
}

/// Does what was asked of runs.
pub async fn runs(args: &Runs, app: &App, printer: &mut Printer) -> Result<Exit> {
    match args {
        Runs::List(args) => list(args, app, printer).await,
        Runs::Show(args) => show(args, app, printer).await,
        Runs::Cancel(args) => cancel(args, app, printer).await,
    }
}

async fn list(args: &List, app: &App, printer: &mut Printer) -> Result<Exit> {
    let filter = RunFilter {
        dag: args.dag.as_deref().map(DagId::from),
        states: args.states.clone(),
        limit: Some(args.limit),
        ..RunFilter::default()
    };
    let mut table = Table::new([
        "run_id",
        "kind",
        "state",
        "interval_start",
        "started_at",
        "seconds",
        "reason",
    ]);
    let store = app.store().await?;
    let runs = store.runs(&filter).await?;
    if let Some(dag_id) = &filter.dag
        && runs.is_empty()
        && store.dag(dag_id).await?.is_none()
    {
        // one that never ran has a folder
        known_folder(app, dag_id.as_str())?;
    }
    for run in runs {
        table.row([
            json!(run.run_id),
            json!(run.kind),
            json!(run.state),
            time(Some(run.interval.start)),
            time(run.started_at),
            duration(run.started_at, run.ended_at),
            json!(run.reason),
        ]);
    }
    printer.table(&table, args.json)?;
    Ok(Exit::Success)
}

async fn show(args: &Show, app: &App, printer: &mut Printer) -> Result<Exit> {
    let handle = app.handle().await?;
    let run = handle.run(&RunId::from(args.run.as_str())).await?;
    if !args.json {
        for (name, value) in facts(&run) {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            printer.line(&format!("{name:<9} {text}"))?;
        }
        printer.line("")?;
    }
    let tasks = handle.store().tasks(&run.run_id).await?;
    printer.table(&tasks_table(&tasks), args.json)?;
    Ok(Exit::Success)
}

fn facts(run: &Run) -> Vec<(&'static str, Value)> {
    let facts = [
        ("run", json!(run.run_id)),
        ("dag", json!(run.dag_id)),
        ("version", json!(run.version)),
        ("kind", json!(run.kind)),
        ("state", json!(run.state)),
        ("interval", json!(run.interval.to_string())),
        ("params", json!(run.params)),
        ("backfill", json!(run.backfill_id)),
        ("created", time(Some(run.created_at))),
        ("started", time(run.started_at)),
        ("ended", time(run.ended_at)),
        ("attempt", json!(run.attempt)),
        ("reason", json!(run.reason)),
    ];
    facts
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .collect()
}

async fn cancel(args: &Cancel, app: &App, printer: &mut Printer) -> Result<Exit> {
    let handle = app.handle().await?;
    handle.cancel(&RunId::from(args.run.as_str())).await?;
    printer.note(&format!("run `{}` is cancelled", args.run));
    Ok(Exit::Success)
}
