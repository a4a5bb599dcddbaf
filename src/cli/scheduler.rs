//! `galen scheduler`: runs what is due, until it is told to stop.

use clap::Args;

use super::signals::stop_on_signal;
use super::{App, Exit, Printer};
use crate::base::Result;

/// Run what is due, until told to stop
///
/// One scheduler leads; others on the same database stand by and take over when it dies. SIGTERM or Ctrl-C: no new work,
/// running tasks get some seconds (`[engine] grace`), then they are handed back. A second signal stops at once.
#[derive(Debug, Args)]
pub struct Scheduler {}

/// Leads, or stands by.
pub async fn scheduler(_: &Scheduler, app: &App, printer: &mut Printer) -> Result<Exit> {
    let handle = app.handle().await?;
    let stop = stop_on_signal()?;
    printer.note(&format!(
        "scheduling `{}`",
        app.settings.dags_dir().display()
    ));
    handle.schedule(&stop).await?;
    printer.note("stopped");
    Ok(Exit::Success)
}
