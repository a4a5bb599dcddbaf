//! `galen backfill`: one run for each data interval of a span of days.

use chrono::NaiveDate;
use clap::{Args, ValueEnum};
use serde_json::json;

use super::dags::load_one;
use super::foreground::{pursue, time};
use super::params::{pair, typed};
use super::{App, Exit, Printer, Table};
use crate::base::{BackfillId, Error, Result, RunState};
use crate::dag::Dag;
use crate::engine::{BackfillDay, BackfillRequest, Goal, Handle, Reprocess};
use crate::store::BackfillState;

/// Run a DAG for every data interval of a span of days
///
/// Ends with a line for every date: its run and how it ended, or why it got none. Ctrl-C pauses the backfill; the same
/// command resumes it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  galen backfill clinic --from 2026-01-01 --to 2026-01-31 --dry-run
  galen backfill clinic --from 2026-01-01 --to 2026-01-31 --reprocess failed
  galen backfill clinic --from 2026-01-01 --to 2026-01-31 --max-active-runs 4 --backwards")]
pub struct Backfill {
    /// The DAG
    dag: String,
    /// First day, in the DAG's time zone
    #[arg(long, value_name = "DATE", value_parser = day)]
    from: NaiveDate,
    /// Last day, itself in it
    #[arg(long, value_name = "DATE", value_parser = day)]
    to: NaiveDate,
    /// What to do with a date that has a run already
    #[arg(long, default_value = "none")]
    reprocess: Again,
    /// Runs of this backfill at work at the same time, at most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_active_runs: Option<u32>,
    /// The newest date first
    #[arg(long)]
    backwards: bool,
    /// A parameter of the DAG, as `name=value`; may be repeated
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = pair)]
    params: Vec<(String, String)>,
    /// Print the plan and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON array of objects
    #[arg(long)]
    json: bool,
}

/// What to do with a date that has a run already.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Again {
    /// Leave it
    None,
    /// Run it again if its run failed
    Failed,
    /// Run it again if its run has ended, in whatever way
    Completed,
}

fn day(text: &str) -> Result<NaiveDate, String> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d")
        .map_err(|_| "expected a date as `2026-01-31`".to_owned())
}

/// Records the backfill, or takes it up again, and sees it through.
pub async fn backfill(args: &Backfill, app: &App, printer: &mut Printer) -> Result<Exit> {
    if args.from > args.to {
        let (from, to) = (args.from, args.to);
        let error = Error::new(format!("`--from {from}` is after `--to {to}`"));
        let hint = "give the first day as `--from` and the last, itself in it, as `--to`";
        return Err(error.hint(hint));
    }
    let handle = app.handle().await?;
    let version = load_one(app, &args.dag)?;
    let plan = handle.backfill(&request(args, &version.dag)).await?;
    let Some(id) = plan.backfill_id else {
        printer.table(&table(&plan.dates), args.json)?;
        return Ok(Exit::Success);
    };
    let verb = if plan.resumed { "resumed" } else { "recorded" };
    printer.note(&format!(
        "backfill `{id}` {verb}, {} dates",
        plan.dates.len()
    ));
    let tasks = version.dag.tasks.len() * plan.dates.len();
    pursue(&handle, &Goal::Backfill(id.clone()), tasks, printer).await?;
    report(&id, &handle, args.json, printer).await
}

fn request(args: &Backfill, dag: &Dag) -> BackfillRequest {
    BackfillRequest {
        dag_id: dag.dag_id.clone(),
        from: args.from,
        to: args.to,
        reprocess: match args.reprocess {
            Again::None => Reprocess::None,
            Again::Failed => Reprocess::Failed,
            Again::Completed => Reprocess::Completed,
        },
        max_active_runs: args.max_active_runs,
        backwards: args.backwards,
        params: typed(dag, &args.params),
        dry_run: args.dry_run,
    }
}

/// Prints every date. A backfill that has not ended was stopped by a person: it is paused.
async fn report(
    id: &BackfillId,
    handle: &Handle,
    json: bool,
    printer: &mut Printer,
) -> Result<Exit> {
    let days = handle.backfill_days(id).await?;
    printer.table(&table(&days), json)?;
    let stored = handle.store().backfill(id).await?;
    if stored.is_some_and(|backfill| backfill.state != BackfillState::Done) {
        handle.pause_backfill(id).await?;
        printer.note(&format!("backfill `{id}` is paused"));
        printer.note("hint: the same command goes on with it");
        return Ok(Exit::Failed);
    }
    let failed = days
        .iter()
        .filter(|day| day.state == Some(RunState::Failed))
        .count();
    if failed == 0 {
        return Ok(Exit::Success);
    }
    printer.note(&format!("{failed} of {} dates failed", days.len()));
    printer.note("hint: `galen retry --dag DAG --from DATE --to DATE` tries them again");
    Ok(Exit::Failed)
}

fn table(days: &[BackfillDay]) -> Table {
    let mut table = Table::new([
        "interval_start",
        "interval_end",
        "outcome",
        "state",
        "run_id",
    ]);
    for day in days {
        table.row([
            time(Some(day.interval.start)),
            time(Some(day.interval.end)),
            json!(day.outcome),
            json!(day.state),
            json!(day.run_id),
        ]);
    }
    table
}
