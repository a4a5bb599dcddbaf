//! `galen run`: one run in the foreground.

use clap::Args;

use super::foreground::{report, see_through};
use super::what::{What, warn_of_future};
use super::{App, Exit, Printer};
use crate::base::{DagId, Result};

/// Run a DAG once, here and now, with progress
///
/// Ends with a table of its tasks: time and what became of the records. Exit code 1 when the run failed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  galen run clinic                          the last complete data interval
  galen run clinic --date 2026-01-31        the interval that starts on that day
  galen run clinic --param max_rows=0       with another value of a parameter
  galen run clinic --task +load             `load` and all that it needs")]
pub struct Run {
    /// The DAG
    dag: String,
    #[command(flatten)]
    what: What,
    /// Print the table as JSON
    #[arg(long)]
    json: bool,
}

/// Makes the run and sees it through.
pub async fn run(args: &Run, app: &App, printer: &mut Printer) -> Result<Exit> {
    let handle = app.handle().await?;
    let dag_id = DagId::from(args.dag.as_str());
    let request = args.what.request(&handle.current(&dag_id)?.dag)?;
    let run_id = handle.trigger(&request).await?;
    let run = handle.run(&run_id).await?;
    printer.note(&format!("run `{run_id}` over {}", run.interval));
    warn_of_future(run.interval, app.clock.now(), printer);
    if !see_through(&handle, std::slice::from_ref(&run_id), printer).await? {
        return Ok(Exit::Failed);
    }
    report(&handle, &handle.run(&run_id).await?, args.json, printer).await
}
