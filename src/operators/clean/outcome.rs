//! How rules ended: asked, logged, kept.

use serde_json::{Value, json};

use crate::base::{Error, Result};
use crate::lake::{KeptRule, Warehouse};
use crate::operators::TaskContext;
use crate::rules::tables::{Cleaning, RuleOutcome, Severity, Status};

/// The status of the rules that are queries, over tables as they are now; `rows` has the table.
pub(super) async fn ask(
    cleaning: &Cleaning,
    warehouse: &Warehouse,
    rows: u64,
) -> Result<Vec<Status>> {
    let mut statuses = Vec::new();
    for query in cleaning.queries() {
        let rule = &cleaning.rules()[query.rule];
        let failed = warehouse.count_rows_of(query.sql).await;
        let failed = failed.map_err(|error| error.at(&rule.place))?;
        statuses.push(rule.status(query.rule, rows.max(failed), failed));
    }
    Ok(statuses)
}

/// Logs what the rules said, and gives it to be kept.
pub(super) fn tell(
    cleaning: &Cleaning,
    statuses: &[Status],
    context: &TaskContext,
) -> Vec<KeptRule> {
    let mut rules = Vec::new();
    for status in statuses {
        let rule = &cleaning.rules()[status.rule];
        let kept = KeptRule {
            place: rule.place.to_string(),
            columns: rule.columns.clone(),
            kind: rule.kind.clone(),
            class: word(&json!(rule.class)),
            severity: word(&json!(rule.severity)),
            threshold: rule.threshold.to_string(),
            checked: status.checked,
            failed: status.failed,
            status: word(&json!(status.outcome)),
            stops: stops(cleaning, status),
        };
        let fields = json!({
            "rule": kept.place, "kind": kept.kind, "columns": kept.columns, "status": kept.status, "checked": kept.checked,
            "failed": kept.failed, "severity": kept.severity,
        });
        match status.outcome {
            RuleOutcome::Fail => context.log.warn("a rule failed", fields),
            RuleOutcome::PassWithRows => context.log.info("a rule passed with rows", fields),
            RuleOutcome::Pass | RuleOutcome::NotApplicable => {}
        }
        rules.push(kept);
    }
    rules
}

/// A query of severity `error` that finds too many rows stops what comes after: unlike other rules it has no record to reject.
fn stops(cleaning: &Cleaning, status: &Status) -> bool {
    let mut queries = cleaning.queries().into_iter();
    status.outcome == RuleOutcome::Fail
        && cleaning.rules()[status.rule].severity == Severity::Error
        && queries.any(|query| query.rule == status.rule)
}

/// The error of the first rule that stops what comes after.
pub(super) fn stop(cleaning: &Cleaning, statuses: &[Status]) -> Result<()> {
    let Some(failed) = statuses.iter().find(|status| stops(cleaning, status)) else {
        return Ok(());
    };
    let place = &cleaning.rules()[failed.rule].place;
    let message = format!("{place}: the query finds {} rows", failed.failed);
    Err(Error::new(message).hint("`severity` `warn` lets the run go on"))
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
