//! Section `[logs]`.

use serde::{Deserialize, Serialize};

use super::settings::{Flaw, expect};

/// Logs of tries, under `state/logs/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Logs {
    /// Days after which a log file is deleted.
    pub retention_days: u32,
}

impl Default for Logs {
    fn default() -> Self {
        Self { retention_days: 90 }
    }
}

impl Logs {
    pub(super) fn validate(&self) -> Result<(), Flaw> {
        expect(
            self.retention_days > 0,
            "retention_days",
            "expected a whole number from 1",
        )
    }
}
