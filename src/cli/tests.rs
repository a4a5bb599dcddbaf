//! `galen tests`: what the tests of models said.

use clap::Args;
use serde_json::json;

use super::foreground::time;
use super::{App, Exit, Printer, Table};
use crate::base::Result;

/// Show how the tests of a DAG's models ended
///
/// Counts are those of the last builds; thresholds are those of `models.yaml` as it is now, and no row is read. Exit code 1 when a test of
/// severity `error` does not pass.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  galen tests clinic
  galen tests clinic --json       with the keys of failing rows")]
pub struct Tests {
    /// The DAG
    dag: String,
    /// Print one JSON array of objects
    #[arg(long)]
    json: bool,
}

/// Lists results and losses.
pub async fn tests(args: &Tests, app: &App, printer: &mut Printer) -> Result<Exit> {
    let results = app.warehouse(&args.dag)?.results()?;
    let mut columns = vec![
        "model", "test", "status", "severity", "failed", "checked", "percent", "at",
    ];
    if args.json {
        columns.extend(["keys", "error"]);
    }
    let mut table = Table::new(columns);
    let mut stops = false;
    for of_model in &results {
        for result in &of_model.tests {
            stops |= result.stops();
            let percent = result
                .percent()
                .map(|percent| (percent * 1000.0).round() / 1000.0);
            let mut row = vec![
                json!(result.model),
                json!(result.test),
                json!(result.status),
                json!(result.severity),
                json!(result.counted.failed),
                json!(result.counted.checked),
                json!(percent),
                time(of_model.at),
            ];
            if args.json {
                row.extend([json!(result.counted.keys), json!(result.counted.error)]);
            }
            table.row(row);
        }
    }
    printer.table(&table, args.json)?;
    for of_model in &results {
        for dead_end in &of_model.dead_ends {
            printer.note(&format!("{}: {dead_end}", of_model.model));
        }
    }
    Ok(match stops {
        true => Exit::Failed,
        false => Exit::Success,
    })
}
