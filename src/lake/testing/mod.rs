//! Tests of models: evaluated on the rows, kept as counts, judged by thresholds.

mod kept;
mod run;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use kept::ModelResults;

use super::model::{Severity, TestSpec};

/// How a test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TestStatus {
    /// Not one row fails.
    Pass,
    /// Rows fail, no more than the thresholds bear.
    PassWithRows,
    /// More rows fail.
    Fail,
    /// It could not be evaluated.
    Error,
    /// There was no row to look at.
    NotApplicable,
}

/// What was counted for a test; thresholds can be judged again without the rows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Counted {
    /// Rows looked at.
    pub checked: u64,
    /// Rows that fail.
    pub failed: u64,
    /// Keys of some rows that fail, by the model's `unique_key`: what leads to them, never their values.
    pub keys: Vec<String>,
    /// Why it could not be evaluated.
    pub error: Option<String>,
}

/// A test with what was counted and what that means.
#[derive(Debug, Clone, PartialEq)]
pub struct TestResult {
    /// The model's full name.
    pub model: String,
    /// The test's name.
    pub test: String,
    /// What follows when it fails.
    pub severity: Severity,
    /// What was counted.
    pub counted: Counted,
    /// What that means.
    pub status: TestStatus,
}

impl TestResult {
    /// `counted` judged by the thresholds of `test`.
    pub fn judged(model: &str, test: &TestSpec, counted: Counted) -> Self {
        Self {
            model: model.to_owned(),
            test: test.name.clone(),
            severity: test.severity,
            status: status(test, &counted),
            counted,
        }
    }

    /// Percent of the rows looked at that fail; `None` when there are none.
    pub fn percent(&self) -> Option<f64> {
        percent(&self.counted)
    }

    /// Whether what depends on the model must not run.
    pub fn stops(&self) -> bool {
        self.severity == Severity::Error
            && matches!(self.status, TestStatus::Fail | TestStatus::Error)
    }
}

/// A test fails as soon as one of its thresholds is passed; without any, with the first row that fails.
fn status(test: &TestSpec, counted: &Counted) -> TestStatus {
    if counted.error.is_some() {
        return TestStatus::Error;
    }
    let Some(percent) = percent(counted) else {
        return TestStatus::NotApplicable;
    };
    if counted.failed == 0 {
        return TestStatus::Pass;
    }
    let most = match (test.max_failures, test.max_percent) {
        (None, None) => Some(0),
        (most, _) => most,
    };
    let too_many = most.is_some_and(|most| counted.failed > most)
        || test.max_percent.is_some_and(|most| percent > most);
    match too_many {
        true => TestStatus::Fail,
        false => TestStatus::PassWithRows,
    }
}

fn percent(counted: &Counted) -> Option<f64> {
    // counts of rows are far below the numbers that a double cannot tell apart
    (counted.checked > 0).then(|| counted.failed as f64 * 100.0 / counted.checked as f64)
}

impl fmt::Display for TestStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "pass",
            Self::PassWithRows => "pass_with_rows",
            Self::Fail => "fail",
            Self::Error => "error",
            Self::NotApplicable => "not_applicable",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::Rule;
    use super::*;

    #[test]
    fn thresholds_are_judged_together_and_nothing_is_not_a_pass() {
        let mut test = TestSpec {
            name: "t".to_owned(),
            rule: Rule::NotNull("a".to_owned()),
            severity: Severity::Error,
            max_failures: None,
            max_percent: None,
            place: Default::default(),
        };
        let judge = |test: &TestSpec, checked, failed| {
            let counted = Counted {
                checked,
                failed,
                ..Counted::default()
            };
            TestResult::judged("m", test, counted).status
        };
        assert_eq!(judge(&test, 0, 0), TestStatus::NotApplicable);
        assert_eq!(judge(&test, 100, 0), TestStatus::Pass);
        assert_eq!(judge(&test, 100, 1), TestStatus::Fail);
        test.max_percent = Some(2.0);
        assert_eq!(judge(&test, 100, 2), TestStatus::PassWithRows);
        assert_eq!(judge(&test, 100, 3), TestStatus::Fail);
        test.max_failures = Some(1);
        assert_eq!(judge(&test, 1000, 2), TestStatus::Fail);
    }
}
