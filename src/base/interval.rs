//! The data interval of a run.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Error;

/// A half-open span of time, `[start, end)` in UTC, never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Interval {
    /// First instant inside; also the run's logical date.
    pub start: DateTime<Utc>,
    /// First instant after.
    pub end: DateTime<Utc>,
}

impl Interval {
    /// `[start, end)`; an error when it would be empty.
    pub fn new(start: DateTime<Utc>, end: DateTime<Utc>) -> Result<Self, Error> {
        if start < end {
            Ok(Self { start, end })
        } else {
            Err(Error::new(format!(
                "data interval from {start} to {end} is empty, expected the start before the end"
            )))
        }
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let format = "%Y-%m-%dT%H:%M:%SZ";
        write!(
            f,
            "{} to {}",
            self.start.format(format),
            self.end.format(format)
        )
    }
}
