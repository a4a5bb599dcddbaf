//! `galen db migrate|status`.

use clap::Subcommand;
use serde_json::json;

use super::foreground::time;
use super::{App, Exit, Printer, Table};
use crate::base::Result;
use crate::store::Store;

/// Prepare the database for this version of Galen, or see whether it is
#[derive(Debug, Subcommand)]
pub enum Db {
    /// Apply what is missing. Every verb that needs it does this by itself
    Migrate,
    /// List migrations and whether each is applied; exit code 1 when one is not
    Status {
        /// Print one JSON array of objects
        #[arg(long)]
        json: bool,
    },
}

/// Does what was asked of the database.
pub async fn db(args: &Db, app: &App, printer: &mut Printer) -> Result<Exit> {
    match args {
        Db::Migrate => {
            app.store().await?;
            printer.note("the database is up to date");
            Ok(Exit::Success)
        }
        Db::Status { json } => status(app, *json, printer).await,
    }
}

async fn status(app: &App, json: bool, printer: &mut Printer) -> Result<Exit> {
    let store = Store::open(&app.settings)?;
    let mut table = Table::new(["migration", "name", "applied_at"]);
    let mut exit = Exit::Success;
    for migration in store.migration_status().await? {
        table.row([
            json!(migration.version),
            json!(migration.name),
            time(migration.applied_at),
        ]);
        if migration.applied_at.is_none() {
            exit = Exit::Failed;
        }
    }
    printer.table(&table, json)?;
    Ok(exit)
}
