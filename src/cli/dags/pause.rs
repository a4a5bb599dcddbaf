//! `galen dags pause|unpause`.

use clap::Args;

use crate::base::{DagId, Result};
use crate::cli::{App, Exit, Printer};

/// Schedule no new runs of a DAG; runs under way go on
#[derive(Debug, Args)]
pub struct Pause {
    /// The DAG
    dag: String,
}

/// Schedule new runs of a DAG again
#[derive(Debug, Args)]
pub struct Unpause {
    /// The DAG
    dag: String,
}

/// Pauses.
pub async fn pause(args: &Pause, app: &App, printer: &mut Printer) -> Result<Exit> {
    app.handle()
        .await?
        .pause(&DagId::from(args.dag.as_str()), true)
        .await?;
    printer.note(&format!("DAG `{}` is paused", args.dag));
    Ok(Exit::Success)
}

/// Unpauses.
pub async fn unpause(args: &Unpause, app: &App, printer: &mut Printer) -> Result<Exit> {
    app.handle()
        .await?
        .pause(&DagId::from(args.dag.as_str()), false)
        .await?;
    printer.note(&format!("DAG `{}` is scheduled again", args.dag));
    Ok(Exit::Success)
}
