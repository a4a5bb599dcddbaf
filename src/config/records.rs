//! Section `[records]`.

use serde::{Deserialize, Serialize};

use super::settings::{Flaw, expect};

/// How records are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecordsSettings {
    /// Staging rows per transaction of a `process` task that gives no `batch_size`.
    pub batch_size: u32,
}

impl Default for RecordsSettings {
    fn default() -> Self {
        Self { batch_size: 500 }
    }
}

impl RecordsSettings {
    pub(super) fn validate(&self) -> Result<(), Flaw> {
        expect(
            (1..=100_000).contains(&self.batch_size),
            "batch_size",
            "expected a whole number from 1 to 100000",
        )
    }
}
