//! `galen tables|export|trace`: the rows of a DAG.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value, json};

use super::foreground::time;
use super::out_file::OutFile;
use super::{App, Exit, Printer, Table};
use crate::base::Result;
use crate::lake::Warehouse;
use crate::records::{AuditRow, Trace, TracedBatch, TracedRecord};

/// List the tables of a DAG with their rows and keys
#[derive(Debug, Args)]
pub struct Tables {
    /// The DAG
    dag: String,
    /// Print one JSON array of objects
    #[arg(long)]
    json: bool,
}

/// Write a table as CSV, in key order
///
/// The same rows give the same bytes from SQLite and from PostgreSQL. A null is an empty field, the empty text is `""`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  galen export clinic visits > visits.csv
  galen export clinic visits --all --out visits.csv")]
pub struct Export {
    /// The DAG
    dag: String,
    /// The table, as `galen tables DAG` lists it; one of a layer with it, as `gold.daily`
    table: String,
    /// Write to this file, which appears whole or not at all
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Galen's own columns too: created_at, updated_at and those that start with `_`
    #[arg(long)]
    all: bool,
}

/// Show where a row came from: file, line, hashes, run, batch, rules, and every change since
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  galen trace clinic visits 7f3c…           the row with this key
  galen trace clinic results 7f3c…/2        a key of two columns")]
pub struct Tracing {
    /// The DAG
    dag: String,
    /// The table
    table: String,
    /// The key; the parts of a key of several columns are joined by `/`
    key: String,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Lists the tables.
pub async fn tables(args: &Tables, app: &App, printer: &mut Printer) -> Result<Exit> {
    let mut table = Table::new(["table", "layer", "rows", "key"]);
    for info in app.records(&args.dag)?.tables().await? {
        table.row([
            json!(info.table),
            json!(info.layer),
            json!(info.rows),
            json!(info.key),
        ]);
    }
    for stored in app.warehouse(&args.dag)?.tables().await? {
        table.row([
            json!(stored.table),
            json!(stored.layer),
            json!(stored.rows),
            json!(stored.key.join(",")),
        ]);
    }
    printer.table(&table, args.json)?;
    Ok(Exit::Success)
}

/// Writes the table to stdout or a file.
pub async fn export(args: &Export, app: &App, printer: &mut Printer) -> Result<Exit> {
    let Some(path) = &args.out else {
        write_table(args, app, printer).await?;
        return Ok(Exit::Success);
    };
    let mut file = OutFile::create(path)?;
    let rows = write_table(args, app, &mut file).await?;
    file.keep()?;
    printer.note(&format!("{rows} rows to `{}`", path.display()));
    Ok(Exit::Success)
}

async fn write_table(args: &Export, app: &App, out: &mut (dyn Write + Send)) -> Result<u64> {
    match Warehouse::is_layered(&args.table) {
        true => {
            let warehouse = app.warehouse(&args.dag)?;
            warehouse.export(&args.table, args.all, out).await
        }
        false => {
            app.records(&args.dag)?
                .export(&args.table, args.all, out)
                .await
        }
    }
}

/// Prints a row's way.
pub async fn trace(args: &Tracing, app: &App, printer: &mut Printer) -> Result<Exit> {
    let trace = app
        .records(&args.dag)?
        .trace(&args.table, &args.key)
        .await?;
    if args.json {
        printer.line(&json!(trace).to_string())?;
        return Ok(Exit::Success);
    }
    let facts = trace.record.as_ref().map(record_facts).unwrap_or_default();
    let more = trace.batch.as_ref().map(batch_facts).unwrap_or_default();
    for (name, value) in facts.into_iter().chain(more) {
        printer.line(&format!("{name:<10} {value}"))?;
    }
    if trace.batch.is_none() {
        printer.note("no `process` task wrote this row");
    }
    printer.line("")?;
    printer.table(&history(&trace), false)?;
    Ok(Exit::Success)
}

fn record_facts(record: &TracedRecord) -> Vec<(&'static str, String)> {
    vec![
        ("file", record.file.clone()),
        ("sha256", record.file_hash.clone()),
        ("line", record.line.to_string()),
        ("record", record.record_hash.clone()),
        ("staged by", record.staged_by.clone()),
    ]
}

fn batch_facts(batch: &TracedBatch) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        (
            "batch",
            format!("{} from {}", batch.batch, batch.source_table),
        ),
        ("written by", batch.run_id.clone()),
        (
            "task",
            format!("{}, try {}", batch.task_id, batch.try_number),
        ),
        ("rules", batch.rules_file.clone()),
        ("version", batch.rules.clone()),
    ];
    let steps: Vec<String> = serde_json::from_str(&batch.steps).unwrap_or_default();
    facts.extend(steps.into_iter().map(|step| ("step", step)));
    facts
}

fn history(trace: &Trace) -> Table {
    let mut table = Table::new(["changed_at", "operation", "changed_by", "columns"]);
    for row in &trace.history {
        table.row([
            time(Some(row.changed_at)),
            json!(row.operation),
            json!(row.changed_by),
            json!(columns(row)),
        ]);
    }
    table
}

/// The columns that a change touched; their values are for `--json`.
fn columns(row: &AuditRow) -> Vec<String> {
    let values = row.new_values.as_ref().or(row.old_values.as_ref());
    let values: Map<String, Value> = values
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    values.into_iter().map(|(name, _)| name).collect()
}
