//! What a DAG says about when it runs.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// When a DAG runs by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// A five-field cron expression, or `@once`. Presets such as `@daily` are stored as their expression.
    pub cron: String,
    /// IANA time zone in which `cron` is read.
    pub timezone: chrono_tz::Tz,
    /// No scheduled interval starts before; `None` (without `catchup` only): from the first one that is complete.
    pub start_date: Option<DateTime<Utc>>,
    /// No scheduled interval starts at or after.
    pub end_date: Option<DateTime<Utc>>,
    /// Whether every missed interval gets a run, or only the latest.
    pub catchup: bool,
}

impl Schedule {
    /// The expression of a DAG that runs a single time.
    pub const ONCE: &str = "@once";
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.cron)?;
        match self.timezone {
            chrono_tz::Tz::UTC => Ok(()),
            zone => write!(f, " ({zone})"),
        }
    }
}
