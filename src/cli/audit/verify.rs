//! `galen audit verify`.

use clap::Args;

use crate::base::Result;
use crate::cli::{App, Exit, Printer};

/// Recompute every hash and name the first record that was changed, removed, put in or moved
///
/// First the chain of events, then the row audit of each DAG against what the chain says of it. Exit code 1 when
/// something does not hold.
#[derive(Debug, Args)]
pub struct Verify {}

pub async fn verify(_: &Verify, app: &App, printer: &mut Printer) -> Result<Exit> {
    let found = app.store().await?.verify_events().await?;
    if let Some(first) = found.first_break {
        printer.line(&format!("{first}"))?;
        return Ok(Exit::Failed);
    }
    printer.line(&format!(
        "{} events hold, head {}",
        found.events, found.hash
    ))?;
    Ok(Exit::Success)
}
