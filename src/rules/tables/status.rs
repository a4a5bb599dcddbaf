//! How a table does by its rules, over all chunks.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::cleaning::Cleaning;
use super::judge::Judged;
use super::rule::Rule;
use super::seen::Seen;

/// How a rule ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleOutcome {
    /// Nothing failed.
    Pass,
    /// Something failed, within the threshold.
    PassWithRows,
    /// More failed than the threshold bears.
    Fail,
    /// There was nothing to check, which is not a pass.
    NotApplicable,
}

/// What a rule said over all chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Number of the rule.
    pub rule: usize,
    /// Values or records it was asked about; null is judged by `NOT_NULL` alone.
    pub checked: u64,
    /// How many of them failed.
    pub failed: u64,
    /// What follows.
    pub outcome: RuleOutcome,
}

impl Status {
    /// What share of what was checked failed, in percent; `None` when nothing was.
    pub fn percent(&self) -> Option<f64> {
        (self.checked > 0).then(|| self.failed as f64 * 100.0 / self.checked as f64)
    }
}

impl Rule {
    /// The status of this rule, number `number`, after it was asked about `checked` and `failed` of them failed.
    pub fn status(&self, number: usize, checked: u64, failed: u64) -> Status {
        let outcome = match (checked, failed) {
            (0, _) => RuleOutcome::NotApplicable,
            (_, 0) => RuleOutcome::Pass,
            _ if self.threshold.bears(failed, checked) => RuleOutcome::PassWithRows,
            _ => RuleOutcome::Fail,
        };
        Status {
            rule: number,
            checked,
            failed,
            outcome,
        }
    }
}

impl Cleaning {
    /// What each rule said of all chunks that went through `seen`. `at` is the time by which values are fresh or not. Rules that are
    /// queries are not among them: their status is [`Rule::status`] of what the warehouse counts.
    pub fn statuses(&self, seen: &Seen, at: DateTime<Utc>) -> Vec<Status> {
        let mut ages = vec![None; self.rules.len()];
        let mut asked = vec![true; self.rules.len()];
        for judge in &self.judges {
            match judge.what {
                Judged::Freshness(_, age) => ages[judge.rule] = Some(age),
                Judged::Sql(_) => asked[judge.rule] = false,
                _ => {}
            }
        }
        let mut statuses = Vec::new();
        for (number, rule) in self.rules.iter().enumerate() {
            let tally = seen.tallies.get(number).copied().unwrap_or_default();
            let failed = match ages[number] {
                Some(age) => u64::from(tally.newest.is_some_and(|newest| is_old(newest, age, at))),
                None => tally.failed,
            };
            if asked[number] {
                statuses.push(rule.status(number, tally.checked, failed));
            }
        }
        statuses
    }
}

fn is_old(newest: i64, age: Duration, at: DateTime<Utc>) -> bool {
    let limit = TimeDelta::from_std(age)
        .ok()
        .and_then(|age| at.checked_sub_signed(age));
    limit.is_some_and(|limit| newest < limit.timestamp_micros())
}
