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

/// A percentage between 0 and 100 to a millionth of a percent, kept exactly: a share that is just reached is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(u32);

/// Parts of a percent that are told apart.
const PARTS: u32 = 1_000_000;

impl Percent {
    /// From a number with its sign, as `99.9%`; `None` for another text, more decimals or a number outside.
    pub(super) fn read(text: &str) -> Option<Self> {
        let number = text.strip_suffix('%')?.trim();
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let part = part.trim_end_matches('0');
        if !is_digits(whole)
            || !is_digits(part)
            || number.trim_matches('.').is_empty()
            || part.len() > 6
        {
            return None;
        }
        let whole: u32 = format!("0{whole}").parse().ok()?;
        let part: u32 = format!("{part:0<6}").parse().ok()?;
        let parts = whole.checked_mul(PARTS)?.checked_add(part)?;
        (parts <= 100 * PARTS).then_some(Self(parts))
    }

    /// What is missing to 100.
    const fn rest(self) -> Self {
        Self(100 * PARTS - self.0)
    }

    /// Whether `some` of `all` is at most this share.
    fn holds(self, some: u64, all: u64) -> bool {
        u128::from(some) * 100 * u128::from(PARTS) <= u128::from(self.0) * u128::from(all)
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = format!("{:06}", self.0 % PARTS);
        match part.trim_end_matches('0') {
            "" => write!(f, "{}%", self.0 / PARTS),
            part => write!(f, "{}.{part}%", self.0 / PARTS),
        }
    }
}

/// How many failures a rule bears before its status is `fail`: both limits hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threshold {
    /// At most so many; `None`: no limit by count.
    pub count: Option<u64>,
    /// At most this share of what was checked; `None`: no limit by share.
    pub percent: Option<Percent>,
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
                    threshold.percent = Some(Percent::read(part).ok_or_else(expected)?);
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
    pub(super) const fn of_completeness(percent: Percent) -> Self {
        Self {
            count: None,
            percent: Some(percent.rest()),
        }
    }

    /// Whether `failed` of `checked` is within the limits.
    pub fn bears(&self, failed: u64, checked: u64) -> bool {
        self.count.is_none_or(|most| failed <= most)
            && self.percent.is_none_or(|most| most.holds(failed, checked))
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.count, self.percent) {
            (Some(count), Some(percent)) => write!(f, "{count}, {percent}"),
            (Some(count), None) => write!(f, "{count}"),
            (None, Some(percent)) => write!(f, "{percent}"),
            (None, None) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn percent(text: &str) -> Percent {
        Percent::read(text).expect("a percentage")
    }

    #[test]
    fn both_limits_hold() {
        let both = Threshold {
            count: Some(5),
            percent: Some(percent("1%")),
        };
        assert_eq!(both.to_string(), "5, 1%");
        for (failed, checked, bears) in [(5, 500, true), (6, 5000, false), (5, 499, false)] {
            assert_eq!(both.bears(failed, checked), bears, "{failed} of {checked}");
        }
        assert!(!Threshold::NONE.bears(1, 1000));
    }

    #[test]
    fn a_share_that_is_just_reached_is_reached() {
        for (text, bears, fails) in [
            ("99.9%", (1, 1_000), (2, 1_000)),
            ("99.99%", (1, 10_000), (2, 10_000)),
            ("93%", (7, 100), (8, 100)),
            ("100%", (0, u64::MAX), (1, u64::MAX)),
            ("0%", (u64::MAX, u64::MAX), (1, 0)),
        ] {
            let threshold = Threshold::of_completeness(percent(text));
            assert!(threshold.bears(bears.0, bears.1), "{text}");
            assert!(!threshold.bears(fails.0, fails.1), "{text}");
        }
    }

    #[test]
    fn a_percentage_is_a_number_with_its_sign() {
        for (text, written) in [
            ("5%", "5%"),
            ("0.10 %", "0.1%"),
            (".5%", "0.5%"),
            ("100.0%", "100%"),
        ] {
            assert_eq!(percent(text).to_string(), written);
        }
        for text in [
            "100.5%",
            "nan%",
            "1e1%",
            "-1%",
            "5",
            "%",
            ".%",
            "0.0000001%",
            "4294967297%",
        ] {
            assert_eq!(Percent::read(text), None, "{text}");
        }
    }
}
