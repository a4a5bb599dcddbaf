//! `galen dags trigger`.

use clap::Args;

use super::load_one;
use crate::base::Result;
use crate::cli::what::{What, warn_of_future};
use crate::cli::{App, Exit, Printer};

/// Queue a run for the scheduler and do not wait; prints its name
///
/// `galen run` does the same in the foreground.
#[derive(Debug, Args)]
pub struct Trigger {
    /// The DAG
    dag: String,
    #[command(flatten)]
    what: What,
}

/// Queues the run.
pub async fn trigger(args: &Trigger, app: &App, printer: &mut Printer) -> Result<Exit> {
    let request = args.what.request(&load_one(app, &args.dag)?.dag)?;
    let handle = app.handle().await?;
    let run_id = handle.trigger(&request).await?;
    printer.line(run_id.as_str())?;
    let interval = handle.run(&run_id).await?.interval;
    warn_of_future(interval, app.clock.now(), printer);
    printer.note("hint: `galen scheduler` drives it, if none runs yet");
    Ok(Exit::Success)
}
