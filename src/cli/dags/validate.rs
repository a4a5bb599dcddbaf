//! `galen dags validate`: every problem of every DAG file.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use crate::base::{Error, Problem, Result};
use crate::cli::{App, Exit, Printer, Table};
use crate::dag::{Catalog, Loaded, load, load_folder};
use crate::operators::Operators;

/// Check DAG files and print every problem with its place and the way out
///
/// Exit code 2 when a DAG is broken.
#[derive(Debug, Args)]
pub struct Validate {
    /// A DAG's folder, its `dag.yaml`, or a folder of DAGs [default: `dags` in the home folder]
    path: Option<PathBuf>,
    /// Print the problems as one JSON array of objects
    #[arg(long)]
    json: bool,
}

pub fn validate(args: &Validate, app: &App, printer: &mut Printer) -> Result<Exit> {
    let operators = Operators::all();
    let catalog = operators.installed(&app.settings);
    let loaded = match &args.path {
        Some(path) => load_path(path, &catalog)?,
        None => load(&app.settings.dags_dir(), &catalog, None)?,
    };
    let problems: Vec<&Problem> = loaded
        .broken
        .iter()
        .flat_map(|broken| &broken.problems)
        .collect();
    if args.json {
        printer.table(&table(&problems), true)?;
    } else {
        for problem in &problems {
            printer.line(&problem.to_string())?;
        }
    }
    let sound = loaded.dags.len();
    Ok(match loaded.broken.len() {
        0 => {
            printer.note(&format!("{sound} sound"));
            Exit::Success
        }
        broken => {
            printer.note(&format!(
                "{sound} sound, {broken} broken, problems: {}",
                problems.len()
            ));
            Exit::Usage
        }
    })
}

/// One DAG when `path` is its folder or file, else every folder in it.
fn load_path(path: &Path, catalog: &dyn Catalog) -> Result<Loaded> {
    let path = path
        .canonicalize()
        .map_err(|error| Error::new(format!("cannot read `{}`", path.display())).because(error))?;
    let folder = match path.parent() {
        Some(parent) if path.is_file() => parent,
        _ => &path,
    };
    if !folder.join("dag.yaml").is_file() {
        return load(folder, catalog, None);
    }
    let mut loaded = Loaded::default();
    match load_folder(folder, catalog, None) {
        Ok(version) => loaded.dags.push(version),
        Err(broken) => loaded.broken.push(broken),
    }
    Ok(loaded)
}

fn table(problems: &[&Problem]) -> Table {
    let mut table = Table::new(["file", "line", "column", "message", "hint"]);
    for problem in problems {
        table.row([
            json!(problem.file),
            json!(problem.line),
            json!(problem.column),
            json!(problem.message),
            json!(problem.hint),
        ]);
    }
    table
}
