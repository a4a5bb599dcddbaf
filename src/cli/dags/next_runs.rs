//! `galen dags next-runs`.

use chrono::{DateTime, Utc};
use clap::Args;
use serde_json::json;

use super::load_one;
use crate::base::Result;
use crate::cli::{App, Exit, Printer, Table};
use crate::schedule::Timetable;

/// Show when a DAG runs next: the start of each run, and the data interval it covers
#[derive(Debug, Args)]
pub struct NextRuns {
    /// The DAG
    dag: String,
    /// How many
    #[arg(short = 'n', long, default_value_t = 5, value_name = "N")]
    number: usize,
    /// Print one JSON array of objects
    #[arg(long)]
    json: bool,
}

pub fn next_runs(args: &NextRuns, app: &App, printer: &mut Printer) -> Result<Exit> {
    let version = load_one(app, &args.dag)?;
    let timetable = Timetable::new(version.dag.schedule.as_ref())?;
    let utc = |time: DateTime<Utc>| json!(time.format("%Y-%m-%dT%H:%M:%SZ").to_string());
    let mut table = Table::new([
        "starts",
        "local",
        "data_interval_start",
        "data_interval_end",
    ]);
    for interval in timetable.upcoming(app.clock.now()).take(args.number) {
        let local = interval.end.with_timezone(&timetable.zone());
        table.row([
            utc(interval.end),
            json!(local.format("%a %Y-%m-%d %H:%M %Z").to_string()),
            utc(interval.start),
            utc(interval.end),
        ]);
    }
    printer.table(&table, args.json)?;
    if table.is_empty() {
        let why = match &version.dag.schedule {
            None => "it has no schedule and runs when asked",
            Some(_) => "its schedule has ended",
        };
        printer.note(&format!(
            "DAG `{}` has no run ahead: {why}",
            version.dag.dag_id
        ));
    }
    Ok(Exit::Success)
}
