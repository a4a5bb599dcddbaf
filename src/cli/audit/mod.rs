//! `galen audit …`: what happened, and proof that the record of it is whole.

mod export;
mod log;
mod verify;

use clap::Subcommand;

use super::{App, Exit, Printer};
use crate::base::Result;

/// See what happened, verify that the record of it is whole, or take it elsewhere
#[derive(Debug, Subcommand)]
pub enum Audit {
    Log(log::Log),
    Verify(verify::Verify),
    Export(export::Export),
}

/// Does what is asked.
pub async fn audit(args: &Audit, app: &App, printer: &mut Printer) -> Result<Exit> {
    match args {
        Audit::Log(args) => log::log(args, app, printer).await,
        Audit::Verify(args) => verify::verify(args, app, printer).await,
        Audit::Export(args) => export::export(args, app, printer).await,
    }
}
