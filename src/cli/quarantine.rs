//! `galen quarantine list|show|replay`.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::foreground::{report, see_through, time};
use super::{App, Exit, Printer, Table};
use crate::base::{DagId, Digest, Error, Result};
use crate::dag::Dag;
use crate::engine::{Asked, TriggerRequest};
use crate::records::{QuarantineFilter, Quarantined};

/// See the records that were set aside, or let them go through again
#[derive(Debug, Subcommand)]
pub enum Quarantine {
    List(List),
    Show(Show),
    Replay(Replay),
}

/// List the records that were set aside: where they came from and why
///
/// Records on their way into a table of a layer are in the table beside it, whose name ends with `_quarantine`; they have no number, and
/// each run judges them anew.
#[derive(Debug, Args)]
pub struct List {
    /// The DAG
    dag: String,
    #[command(flatten)]
    which: Which,
    /// How many records have each reason, instead of the records
    #[arg(long)]
    by_reason: bool,
    /// Those too that went through since
    #[arg(long)]
    replayed: bool,
    /// At most so many
    #[arg(long, default_value_t = 100, value_name = "N")]
    limit: u64,
    /// Print one JSON array of objects
    #[arg(long)]
    json: bool,
}

/// Show one record that was set aside; its text is in the archived file, on the line named
#[derive(Debug, Args)]
pub struct Show {
    /// The DAG
    dag: String,
    /// The record's number, as `galen quarantine list DAG` shows it
    id: i64,
    /// Its bytes as they were delivered, and nothing else; only of a record that could not be read
    #[arg(long)]
    raw: bool,
}

/// Let records go through again, after a rule or a target was mended
///
/// Runs the tasks that process them, which take what waits already too, and what needs those tasks, models for example. Those that still fail
/// come back with their reasons. Records beside a table of a layer are judged anew by each run and are not meant here.
#[derive(Debug, Args)]
pub struct Replay {
    /// The DAG
    dag: String,
    #[command(flatten)]
    which: Which,
    /// Print the table of tasks as JSON
    #[arg(long)]
    json: bool,
}

/// Which records are meant.
#[derive(Debug, Args)]
struct Which {
    /// Only of this staging table, or this table of a layer, as `silver.visits_quarantine`
    #[arg(long, value_name = "TABLE")]
    from: Option<String>,
    /// Only with this reason
    #[arg(long)]
    reason: Option<String>,
}

impl Which {
    fn filter(&self, replayed: bool) -> QuarantineFilter {
        QuarantineFilter {
            source_table: self.from.clone(),
            reason: self.reason.clone(),
            replayed,
        }
    }
}

/// Does what is asked.
pub async fn quarantine(args: &Quarantine, app: &App, printer: &mut Printer) -> Result<Exit> {
    match args {
        Quarantine::List(args) => list(args, app, printer).await,
        Quarantine::Show(args) => show(args, app, printer).await,
        Quarantine::Replay(args) => replay(args, app, printer).await,
    }
}

async fn list(args: &List, app: &App, printer: &mut Printer) -> Result<Exit> {
    let filter = args.which.filter(args.replayed);
    let (from, reason) = (args.which.from.as_deref(), args.which.reason.as_deref());
    let records = app.records(&args.dag)?;
    let warehouse = app.warehouse(&args.dag)?;
    if args.by_reason {
        let mut table = Table::new(["from", "reason", "records"]);
        let counted = records.quarantine_reasons(&filter).await?;
        let more = warehouse.reasons_aside(from, reason).await?;
        for ((from, reason), records) in counted.into_iter().chain(more) {
            table.row([json!(from), json!(reason), json!(records)]);
        }
        printer.table(&table, args.json)?;
        return Ok(Exit::Success);
    }
    let columns = [
        "id", "from", "file", "line", "key", "reasons", "at", "state",
    ];
    let mut table = Table::new(columns);
    let found = records.quarantined(&filter, args.limit).await?;
    let left = args.limit.saturating_sub(found.len() as u64);
    for record in found {
        table.row([
            json!(record.id),
            json!(record.source_table),
            json!(record.file),
            json!(record.line),
            json!(record.key),
            reasons(&record),
            time(Some(record.at)),
            json!(record.state),
        ]);
    }
    for record in warehouse.set_aside(from, reason, left).await? {
        table.row([
            Value::Null,
            json!(record.table),
            json!(record.file),
            json!(record.line),
            Value::Null,
            json!(record.reasons),
            time(record.at),
            json!("open"),
        ]);
    }
    printer.table(&table, args.json)?;
    Ok(Exit::Success)
}

fn reasons(record: &Quarantined) -> Value {
    serde_json::from_str(&record.reasons).unwrap_or_else(|_| json!(record.reasons))
}

async fn show(args: &Show, app: &App, printer: &mut Printer) -> Result<Exit> {
    let records = app.records(&args.dag)?;
    let (record, raw) = records.quarantined_record(args.id).await?;
    if args.raw {
        let raw = raw.ok_or_else(|| {
            Error::new(format!(
                "record {} could be read, its text is in table `{}`",
                record.id, record.source_table
            ))
        })?;
        printer.bytes(&raw)?;
        return Ok(Exit::Success);
    }
    if let Value::Object(facts) = json!(record) {
        for (name, value) in facts.iter().filter(|(_, value)| !value.is_null()) {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            printer.line(&format!("{name:<12} {text}"))?;
        }
    }
    if let Some(digest) = Digest::parse(&record.file_hash) {
        let path = records.archive().path(digest);
        printer.line(&format!("{:<12} {}", "archived", path.display()))?;
    }
    Ok(Exit::Success)
}

async fn replay(args: &Replay, app: &App, printer: &mut Printer) -> Result<Exit> {
    if let Some(table) = args.which.from.as_ref().filter(|from| from.contains('.')) {
        return Err(Error::new(format!(
            "records in `{table}` do not go through again by themselves"
        ))
        .hint(format!(
            "each run judges all of them anew: `galen run {}`",
            args.dag
        )));
    }
    let handle = app.handle().await?;
    let dag_id = DagId::from(args.dag.as_str());
    let version = handle.current(&dag_id)?;
    // asked before anything goes through again, as it may not be readable
    let aside = match args.which.from {
        Some(_) => BTreeMap::new(),
        None => {
            let warehouse = app.warehouse(&args.dag)?;
            let reason = args.which.reason.as_deref();
            warehouse.reasons_aside(None, reason).await?
        }
    };
    let replayed = app
        .records(&args.dag)?
        .replay(&args.which.filter(false))
        .await?;
    let others = match replayed.others {
        0 => String::new(),
        others => format!(", with {others} that waited already"),
    };
    printer.note(&format!(
        "{} records go through again{others}",
        replayed.waiting
    ));
    if replayed.unreadable > 0 {
        printer.note(&format!(
            "{} could not be read; they must be delivered anew",
            replayed.unreadable
        ));
    }
    if !aside.is_empty() {
        printer.note(&format!(
            "those beside tables of a layer are judged anew by each run: `galen run {}`",
            args.dag
        ));
    }
    let tasks = tasks_from(&version.dag, &replayed.tables);
    if tasks.is_empty() {
        return Ok(Exit::Success);
    }
    let run_id = handle
        .trigger(&TriggerRequest {
            dag_id,
            asked: Asked::Latest,
            params: serde_json::Map::new(),
            select: Some(tasks.join(" ")),
        })
        .await?;
    if !see_through(&handle, std::slice::from_ref(&run_id), printer).await? {
        return Ok(Exit::Failed);
    }
    report(&handle, &handle.run(&run_id).await?, args.json, printer).await
}

/// The `process` tasks that read one of `tables`, each with what needs it, as a selection.
fn tasks_from(dag: &Dag, tables: &[String]) -> Vec<String> {
    let reads = |with: &Value| {
        let from = with.get("from").and_then(Value::as_str);
        from.is_some_and(|from| tables.iter().any(|table| table == from))
    };
    let tasks = dag
        .tasks
        .iter()
        .filter(|task| task.operator == "process" && reads(&task.with));
    tasks.map(|task| format!("{}+", task.task_id)).collect()
}
