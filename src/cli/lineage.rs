//! `galen lineage` and `galen docs`: where columns come from.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::out_file::{OutFile, unwritable};
use super::{App, Exit, Printer};
use crate::base::{DagId, Result};
use crate::lake::{Lineage, Origin, Planned, catalogue};

/// Show the columns that a column of a model is made of, back to those that no model makes
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  galen lineage clinic gold.daily.total")]
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
    let origin = Lineage::new(&models, &planned)?.trace(&args.column)?;
    match args.json {
        true => printer.line(&to_json(&origin).to_string())?,
        false => print(&origin, 0, printer)?,
    }
    Ok(Exit::Success)
}

fn print(origin: &Origin, depth: usize, printer: &mut Printer) -> Result<()> {
    let place = origin
        .file
        .as_ref()
        .map_or_else(String::new, |file| format!("  ({file})"));
    printer.line(&format!(
        "{}{}.{}{place}",
        "  ".repeat(depth),
        origin.of.table,
        origin.of.column
    ))?;
    origin
        .from
        .iter()
        .try_for_each(|from| print(from, depth + 1, printer))
}

fn to_json(origin: &Origin) -> Value {
    let from: Vec<Value> = origin.from.iter().map(to_json).collect();
    json!({"table": origin.of.table, "column": origin.of.column, "file": origin.file, "from": from})
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
