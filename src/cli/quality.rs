//! `galen quality`: what rule tables said of the tables of a DAG.

use clap::Args;
use serde_json::json;

use super::foreground::time;
use super::{App, Exit, Printer, Table};
use crate::base::Result;
use crate::lake::{KeptRule, RuleRun};

/// Show how the rules of a DAG's rule tables ended
///
/// Counts are those of the last run of each `clean` task; the trend are the failures of the runs before and of that one, oldest first.
/// Exit code 1 when a rule of severity `error` failed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  galen quality clinic
  galen quality clinic --json")]
pub struct Quality {
    /// The DAG
    dag: String,
    /// Print one JSON array of objects
    #[arg(long)]
    json: bool,
}

/// Runs that the trend shows.
const TREND: usize = 5;

/// Lists rules.
pub fn quality(args: &Quality, app: &App, printer: &mut Printer) -> Result<Exit> {
    let warehouse = app.warehouse(&args.dag)?;
    let mut table = Table::new(vec![
        "table",
        "rule",
        "columns",
        "kind",
        "class",
        "severity",
        "checked",
        "failed",
        "percent",
        "threshold",
        "status",
        "trend",
        "at",
    ]);
    let mut stops = false;
    for name in warehouse.lake().judged()? {
        let runs = warehouse.lake().kept_rules(&name)?;
        let Some(last) = runs.last() else {
            continue;
        };
        for rule in &last.rules {
            stops |= rule.severity == "error" && rule.status == "fail";
            let percent = rule
                .percent()
                .map(|percent| (percent * 1000.0).round() / 1000.0);
            table.row(vec![
                json!(name),
                json!(rule.place),
                json!(rule.columns.join(", ")),
                json!(rule.kind),
                json!(rule.class),
                json!(rule.severity),
                json!(rule.checked),
                json!(rule.failed),
                json!(percent),
                json!(rule.threshold),
                json!(rule.status),
                json!(trend(&runs, rule)),
                time(Some(last.at)),
            ]);
        }
    }
    printer.table(&table, args.json)?;
    Ok(match stops {
        true => Exit::Failed,
        false => Exit::Success,
    })
}

/// Failures of `rule` in the last runs, oldest first; a rule is the same while its kind and columns are.
fn trend(runs: &[RuleRun], rule: &KeptRule) -> String {
    let same = |other: &&KeptRule| other.kind == rule.kind && other.columns == rule.columns;
    let last = &runs[runs.len().saturating_sub(TREND)..];
    let failed: Vec<String> = last
        .iter()
        .filter_map(|run| run.rules.iter().find(same))
        .map(|rule| rule.failed.to_string())
        .collect();
    failed.join(" ")
}
