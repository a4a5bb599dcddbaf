//! `galen trace`: where a row came from.

use clap::Args;
use serde_json::{Map, Value, json};

use super::foreground::time;
use super::params::pair;
use super::{App, Exit, Printer, Table};
use crate::base::{Error, Result};
use crate::lake::{RowKey, RowTrace, Warehouse};
use crate::records::{AuditRow, Trace, TracedBatch, TracedRecord};

/// Show where a row came from: file, line, hashes, run, batch, rules, and every change since
///
/// A row of a layer is followed back through the models that make it, as they and their tables are now, to the files and lines of the
/// records that had a part in it. Of a table that a subquery reads it cannot be told which of its rows matter.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  galen trace clinic visits 7f3c…             the row with this key
  galen trace clinic results 7f3c…/2          a key of two columns
  galen trace clinic gold.daily 2026-01-31    a row of a model
  galen trace clinic silver.visits --key ward=A --key day=2026-01-31")]
pub struct Tracing {
    /// The DAG
    dag: String,
    /// The table; one of a layer with it, as `gold.daily`
    table: String,
    /// The key; the parts of a key of several columns are joined by `/`
    #[arg(required_unless_present = "by", conflicts_with = "by")]
    key: Option<String>,
    /// A column of the row and its value, for a table of a layer; may be repeated
    #[arg(id = "by", long = "key", value_name = "COLUMN=VALUE", value_parser = pair)]
    by: Vec<(String, String)>,
    /// Records to name, at most, for each table of a layer that no model makes
    #[arg(long, default_value_t = 10, value_name = "N")]
    limit: usize,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Prints a row's way.
pub async fn trace(args: &Tracing, app: &App, printer: &mut Printer) -> Result<Exit> {
    match (Warehouse::is_layered(&args.table), &args.key) {
        (true, key) => {
            let key = match key {
                Some(text) => RowKey::Text(text.clone()),
                None => RowKey::Columns(args.by.clone()),
            };
            let warehouse = app.warehouse(&args.dag)?;
            let trace = warehouse.trace(&args.table, &key, args.limit).await?;
            match args.json {
                true => printer.line(&json!(trace).to_string())?,
                false => print_layered(&trace, printer)?,
            }
        }
        (false, Some(key)) => {
            let trace = app.records(&args.dag)?.trace(&args.table, key).await?;
            match args.json {
                true => printer.line(&json!(trace).to_string())?,
                false => print_operational(&trace, printer)?,
            }
        }
        (false, None) => {
            return Err(
                Error::new("`--key` is for tables of a layer, as `gold.daily`")
                    .hint("an operational table has a key: give its value behind the table"),
            );
        }
    }
    Ok(Exit::Success)
}

fn print_layered(trace: &RowTrace, printer: &mut Printer) -> Result<()> {
    let mut steps = Table::new(["table", "rows", "made by"]);
    for step in &trace.steps {
        steps.row([json!(step.table), json!(step.rows), json!(step.model)]);
    }
    printer.table(&steps, false)?;
    let mut files = Table::new(["table", "file", "sha256", "records"]);
    let mut records = Table::new(["table", "file", "line", "record", "staged by"]);
    for source in &trace.sources {
        for file in &source.files {
            files.row([
                json!(source.table),
                json!(file.file),
                json!(file.file_hash),
                json!(file.records),
            ]);
        }
        for record in &source.records {
            records.row([
                json!(source.table),
                json!(record.file),
                json!(record.line),
                json!(record.record_hash),
                json!(record.staged_by),
            ]);
        }
    }
    for table in [files, records] {
        if !table.is_empty() {
            printer.line("")?;
            printer.table(&table, false)?;
        }
    }
    for source in &trace.sources {
        let told = source.records.len() as u64;
        let known = source.rows - source.unknown;
        if told < known {
            printer.note(&format!(
                "{told} of {known} records of `{}`; `--limit` shows more",
                source.table
            ));
        }
        if source.unknown > 0 {
            printer.note(&format!(
                "{} of {} rows of `{}` came from no file that is known",
                source.unknown, source.rows, source.table
            ));
        }
    }
    for step in trace.steps.iter().filter(|step| step.rows.is_none()) {
        printer.note(&format!(
            "`{}` is read in a subquery: which of its rows matter cannot be told",
            step.table
        ));
    }
    Ok(())
}

fn print_operational(trace: &Trace, printer: &mut Printer) -> Result<()> {
    let facts = trace.record.as_ref().map(record_facts).unwrap_or_default();
    let more = trace.batch.as_ref().map(batch_facts).unwrap_or_default();
    for (name, value) in facts.into_iter().chain(more) {
        printer.line(&format!("{name:<10} {value}"))?;
    }
    if trace.batch.is_none() {
        printer.note("no `process` task wrote this row");
    }
    printer.line("")?;
    printer.table(&history(trace), false)
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
