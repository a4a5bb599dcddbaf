//! A duration among an operator's parameters.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::base::parse_duration;

/// A span of time, as `30s`, `5m` or `2h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub(super) struct Period(pub Duration);

impl TryFrom<String> for Period {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        parse_duration(&text).map(Self)
    }
}

impl Period {
    /// The moment that is so much later than `from`.
    pub(super) fn after(self, from: DateTime<Utc>) -> DateTime<Utc> {
        TimeDelta::from_std(self.0)
            .ok()
            .and_then(|period| from.checked_add_signed(period))
            .unwrap_or(DateTime::<Utc>::MAX_UTC)
    }
}
