//! `galen audit log`.

use clap::Args;
use serde_json::{Value, json};

use crate::base::{DagId, Event, Result, RunId, Subject, TaskId};
use crate::cli::foreground::time;
use crate::cli::{App, Exit, Printer, Table};
use crate::store::EventFilter;

/// List what happened, the newest first
#[derive(Debug, Args)]
pub struct Log {
    /// Only of this DAG
    #[arg(long)]
    dag: Option<String>,
    /// Only of this run
    #[arg(long)]
    run: Option<String>,
    /// Only of this task
    #[arg(long)]
    task: Option<String>,
    /// Only events of this name, as `run_failed`; may be repeated
    #[arg(long = "event", value_name = "NAME")]
    names: Vec<String>,
    /// At most so many
    #[arg(long, default_value_t = 50, value_name = "N")]
    limit: u32,
    /// Print one JSON array of objects, with all that is known of each
    #[arg(long)]
    json: bool,
}

pub async fn log(args: &Log, app: &App, printer: &mut Printer) -> Result<Exit> {
    let filter = EventFilter {
        dag: args.dag.as_deref().map(DagId::from),
        run: args.run.as_deref().map(RunId::from),
        task: args.task.as_deref().map(TaskId::from),
        names: args.names.clone(),
        limit: Some(args.limit),
        ..EventFilter::default()
    };
    let events = app.store().await?.events(&filter).await?;
    let mut columns = vec!["seq", "at", "event", "about", "task", "actor"];
    if args.json {
        columns.push("data");
    }
    let mut table = Table::new(columns);
    for event in events {
        table.row(cells(&event, args.json));
    }
    printer.table(&table, args.json)?;
    Ok(Exit::Success)
}

fn cells(event: &Event, with_data: bool) -> Vec<Value> {
    let (about, task) = match &event.subject {
        Subject::System => (Value::Null, Value::Null),
        Subject::Dag(dag) => (json!(dag), Value::Null),
        Subject::Run(_, run) => (json!(run), Value::Null),
        Subject::Task(_, run, task) => (json!(run), json!(task)),
    };
    let mut cells = vec![
        json!(event.seq),
        time(Some(event.at)),
        json!(event.kind.name()),
        about,
        task,
        json!(event.actor),
    ];
    if with_data {
        cells.push(json!(event.kind));
    }
    cells
}
