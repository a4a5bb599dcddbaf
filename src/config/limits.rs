//! Section `[limits]`.

use serde::{Deserialize, Serialize};

use super::settings::{Flaw, expect};

/// What input may not exceed; what does is refused in bounded memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes of one record of a file.
    pub max_record_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_record_bytes: 16 * 1024 * 1024,
        }
    }
}

impl Limits {
    pub(super) fn validate(&self) -> Result<(), Flaw> {
        expect(
            self.max_record_bytes >= 1024,
            "max_record_bytes",
            "expected at least 1024",
        )
    }
}
