//! `galen quality`: what rule tables said of the tables of a DAG, and how good its marts are.

use clap::Args;
use serde_json::json;

use super::foreground::time;
use super::{App, Exit, Printer, Table};
use crate::base::Result;
use crate::lake::{Grade, Graded, KeptRule, RuleRun, Warehouse};

/// Show how the rules of a DAG's rule tables ended, and a grade for each mart
///
/// Counts are those of the last run of each `clean` task; the trend are the failures of the runs
/// before and of that one, oldest first.
///
/// A mart is what the models of layer `marts` are that share a tag; a table without a tag is one by
/// itself. Where layer `marts` is empty, `gold` stands for it. Its grade is that of the worst rule or
/// test of all that it is made of, as they ended last:
///
///   A  all pass
///   B  something fails, nowhere more than its threshold bears
///   C  a rule or test fails, for at most 5 % of what it looked at
///   D  one fails for more
///   F  one fails that stops what depends on it: a test of severity `error`, or a `CUSTOM_SQL` rule
///   -  nothing was looked at
///
/// Exit code 1 when a rule of severity `error` failed or a grade is F.
#[derive(Debug, Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:
  galen quality clinic
  galen quality clinic --json
  galen quality clinic --marts --json     the grades"
)]
pub struct Quality {
    /// The DAG
    dag: String,
    /// Print the grades of marts and not the rules
    #[arg(long)]
    marts: bool,
    /// Print one JSON array of objects: the rules, or with `--marts` the grades
    #[arg(long)]
    json: bool,
}

/// Runs that the trend shows.
const TREND: usize = 5;

/// Lists rules and grades.
pub fn quality(args: &Quality, app: &App, printer: &mut Printer) -> Result<Exit> {
    let mut stops = false;
    if !args.marts {
        let (rules, failed) = rules(&app.warehouse(&args.dag)?)?;
        printer.table(&rules, args.json)?;
        stops |= failed;
    }
    let grades = app.grades(&args.dag)?;
    stops |= grades.iter().any(|graded| graded.grade == Grade::F);
    if args.marts {
        printer.table(&marts(&grades), args.json)?;
    } else if !args.json && !grades.is_empty() {
        printer.line("")?;
        printer.table(&marts(&grades), false)?;
    }
    Ok(match stops {
        true => Exit::Failed,
        false => Exit::Success,
    })
}

/// The rules of all tables as they ended last, and whether one of severity `error` failed.
fn rules(warehouse: &Warehouse) -> Result<(Table, bool)> {
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
    Ok((table, stops))
}

/// The marts with their grades, what drags each down, and what it stops.
fn marts(grades: &[Graded]) -> Table {
    let mut table = Table::new(["mart", "grade", "tables", "because", "stops"]);
    for graded in grades {
        let worst = graded.worst.as_ref().map(ToString::to_string);
        table.row([
            json!(graded.mart),
            json!(graded.grade),
            json!(graded.tables.len()),
            json!(worst),
            json!(graded.stopped),
        ]);
    }
    table
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
