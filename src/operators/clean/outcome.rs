//! How rules ended: asked, logged, kept.

use serde_json::{Value, json};

use super::Clean;
use crate::base::{Error, Result};
use crate::lake::{KeptRule, Lake, RuleRun, Warehouse};
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

/// Logs and keeps what the rules said.
pub(super) fn keep(
    clean: &Clean,
    cleaning: &Cleaning,
    statuses: &[Status],
    context: &TaskContext,
    lake: &Lake,
) -> Result<()> {
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
    let run = RuleRun {
        at: context.clock.now(),
        run_id: context.run_id.to_string(),
        rules,
    };
    lake.keep_rules(&clean.into, run)
}

/// A query of severity `error` that finds too many rows stops what comes after: unlike other rules it has no record to reject.
pub(super) fn stop(cleaning: &Cleaning, statuses: &[Status]) -> Result<()> {
    for query in cleaning.queries() {
        let rule = &cleaning.rules()[query.rule];
        let failed = statuses.iter().find(|status| {
            status.rule == query.rule
                && status.outcome == RuleOutcome::Fail
                && rule.severity == Severity::Error
        });
        if let Some(failed) = failed {
            return Err(Error::new(format!(
                "{}: the query finds {} rows",
                rule.place, failed.failed
            ))
            .hint("`severity` `warn` lets the run go on"));
        }
    }
    Ok(())
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
