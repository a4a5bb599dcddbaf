//! What a failed rule does to a record, and how many failures a rule bears.

use std::fmt;

use serde::Serialize;

use super::sheet::Record;
use crate::base::{Error, Result};

/// What becomes of a record that fails a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It goes to quarantine.
    Error,
    /// It goes on and is counted; a value that could not be converted is null.
    Warn,
}

impl Severity {
    /// From column `severity`; absent or empty: `default`.
    pub(super) fn read(record: &Record, default: Self) -> Result<Self> {
        match record.get("severity") {
            "" => Ok(default),
            "error" => Ok(Self::Error),
            "warn" => Ok(Self::Warn),
            other => Err(Error::new(format!(
                "`severity` is `{other}`, expected `error` or `warn`"
            ))),
        }
    }
}

/// How many failures a rule bears before its status is `fail`: both limits hold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Threshold {
    /// At most so many; `None`: no limit by count.
    pub count: Option<u64>,
    /// At most this percentage of what was checked; `None`: no limit by percentage.
    pub percent: Option<f64>,
}

impl Threshold {
    /// Not one failure.
    pub const NONE: Self = Self {
        count: Some(0),
        percent: None,
    };

    /// From column `threshold`: `5`, `1%` or `5, 1%`; absent or empty: [`Threshold::NONE`].
    pub(super) fn read(record: &Record) -> Result<Self> {
        let text = record.get("threshold");
        if text.is_empty() {
            return Ok(Self::NONE);
        }
        let expected = || {
            Error::new(format!(
                "`threshold` is `{text}`, expected a count, a percentage or both"
            ))
            .hint("as `5`, `1%` or `5, 1%`")
        };
        let mut threshold = Self {
            count: None,
            percent: None,
        };
        for part in text.split(',').map(str::trim) {
            match part.strip_suffix('%') {
                Some(_) if threshold.percent.is_none() => {
                    threshold.percent = Some(percent(part).ok_or_else(expected)?);
                }
                None if threshold.count.is_none() => {
                    threshold.count = Some(part.parse().map_err(|_| expected())?);
                }
                _ => return Err(expected()),
            }
        }
        Ok(threshold)
    }

    /// What a column bears of which at least `percent` of the values must be there.
    pub(super) const fn of_completeness(percent: f64) -> Self {
        Self {
            count: None,
            percent: Some(100.0 - percent),
        }
    }

    /// Whether `failed` of `checked` is within the limits.
    pub fn bears(&self, failed: u64, checked: u64) -> bool {
        let share = failed as f64 * 100.0;
        self.count.is_none_or(|most| failed <= most)
            && self
                .percent
                .is_none_or(|most| share <= most * checked as f64)
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.count, self.percent) {
            (Some(count), Some(percent)) => write!(f, "{count}, {percent}%"),
            (Some(count), None) => write!(f, "{count}"),
            (None, Some(percent)) => write!(f, "{percent}%"),
            (None, None) => Ok(()),
        }
    }
}

/// A percentage between 0 and 100, written with its sign.
pub(super) fn percent(text: &str) -> Option<f64> {
    let number: f64 = text.strip_suffix('%')?.trim().parse().ok()?;
    (0.0..=100.0).contains(&number).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_limits_hold() {
        let both = Threshold {
            count: Some(5),
            percent: Some(1.0),
        };
        assert_eq!(both.to_string(), "5, 1%");
        for (failed, checked, bears) in [(5, 500, true), (6, 5000, false), (5, 499, false)] {
            assert_eq!(both.bears(failed, checked), bears, "{failed} of {checked}");
        }
        assert!(!Threshold::NONE.bears(1, 1000));
        assert_eq!(Threshold::of_completeness(95.0).to_string(), "5%");
        assert_eq!(percent("100.5%"), None);
        assert_eq!(percent("nan%"), None);
    }
}
