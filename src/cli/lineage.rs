//! `galen lineage` and `galen docs`: where columns come from.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::out_file::{OutFile, unwritable};
use super::{App, Exit, Printer};
use crate::base::{DagId, Result};
use crate::lake::{Lineage, Origin, Planned, catalogue};

/// Show the columns that a column of a table is made of, back to operational tables and deliveries
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  galen lineage clinic gold.daily.total
  galen lineage clinic silver.visits.cost      through the task that cleans it, to the files")]
pub struct LineageOf {
    /// The DAG
    dag: String,
    /// The column, as `layer.table.column`
    column: String,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Write a catalogue of a DAG's models as one HTML page: columns, tests, where everything comes from
#[derive(Debug, Args)]
pub struct Docs {
    /// The DAG
    dag: String,
    /// Write to this file [default: `state/docs/<dag>.html` in the home folder]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Prints the column's way.
pub fn lineage(args: &LineageOf, app: &App, printer: &mut Printer) -> Result<Exit> {
    let models = app.models(&args.dag)?;
    let (planned, _) = Planned::new(&models)?;
    let origin = Lineage::new(&models, &planned, app.makings(&args.dag)?)?.trace(&args.column)?;
    match args.json {
        true => printer.line(&to_json(&origin).to_string())?,
        false => print(&origin, 0, printer)?,
    }
    Ok(Exit::Success)
}

fn print(origin: &Origin, depth: usize, printer: &mut Printer) -> Result<()> {
    let tasks = origin.tasks.iter().map(|task| format!("task {task}"));
    let made: Vec<String> = origin.file.iter().cloned().chain(tasks).collect();
    let place = match made.is_empty() {
        true => String::new(),
        false => format!("  ({})", made.join(", ")),
    };
    printer.line(&format!(
        "{}{}.{}{place}",
        "  ".repeat(depth),
        origin.of.table,
        origin.of.column
    ))?;
    for delivery in &origin.deliveries {
        printer.line(&format!("{}{delivery}", "  ".repeat(depth + 1)))?;
    }
    origin
        .from
        .iter()
        .try_for_each(|from| print(from, depth + 1, printer))
}

fn to_json(origin: &Origin) -> Value {
    let from: Vec<Value> = origin.from.iter().map(to_json).collect();
    json!({
        "table": origin.of.table, "column": origin.of.column, "file": origin.file, "tasks": origin.tasks,
        "deliveries": origin.deliveries, "from": from,
    })
}

/// Writes the page.
pub async fn docs(args: &Docs, app: &App, printer: &mut Printer) -> Result<Exit> {
    let warehouse = app.warehouse(&args.dag)?;
    let (planned, problems) = Planned::new(warehouse.models())?;
    if let Some(problem) = problems.into_iter().next() {
        return Err(problem.into());
    }
    let results = warehouse.results()?;
    let page = catalogue(
        &DagId::from(args.dag.as_str()),
        warehouse.models(),
        &planned,
        app.makings(&args.dag)?,
        &results,
    )?;
    let path = match &args.out {
        Some(path) => path.clone(),
        None => app
            .settings
            .state_dir()
            .join("docs")
            .join(format!("{}.html", args.dag)),
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| unwritable(folder, error))?;
    }
    let mut file = OutFile::create(&path)?;
    let written = file.write_all(page.as_bytes());
    written.map_err(|error| unwritable(&path, error))?;
    file.keep()?;
    printer.line(&path.display().to_string())?;
    Ok(Exit::Success)
}
