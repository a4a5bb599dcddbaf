//! `galen tables|export`: the rows of a DAG.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::out_file::OutFile;
use super::{App, Exit, Printer, Table};
use crate::base::Result;
use crate::lake::Warehouse;

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
    /// Galen's own columns too: created_at, updated_at and those that start with `_`; a model has none
    #[arg(long)]
    all: bool,
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
