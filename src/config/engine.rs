//! Section `[engine]`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::settings::{Flaw, expect};
use crate::base::{format_duration, parse_duration};

/// How runs are driven.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Engine {
    /// Tries at work at the same time in one process, at most.
    pub parallelism: u32,
    /// How long running tasks may go on after the first SIGTERM.
    #[serde(with = "duration")]
    pub grace: Duration,
    /// After this time without a sign of life another scheduler takes over.
    #[serde(with = "duration")]
    pub lease_ttl: Duration,
}

impl Default for Engine {
    fn default() -> Self {
        Self {
            parallelism: 32,
            grace: Duration::from_secs(10),
            lease_ttl: Duration::from_secs(8),
        }
    }
}

impl Engine {
    pub(super) fn validate(&self) -> Result<(), Flaw> {
        expect(
            self.parallelism > 0,
            "parallelism",
            "expected a whole number from 1",
        )?;
        let ttl = Duration::from_secs(1)..=Duration::from_secs(10);
        expect(
            ttl.contains(&self.lease_ttl),
            "lease_ttl",
            "expected a duration from `1s` to `10s`",
        )
    }
}

mod duration {
    use super::{Deserialize, Deserializer, Duration, Serializer, format_duration, parse_duration};

    pub fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format_duration(*value))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_duration(&text).map_err(serde::de::Error::custom)
    }
}
