//! Section `[lake]`.

use serde::{Deserialize, Serialize};

use super::settings::{Flaw, expect};

/// How models are computed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LakeSettings {
    /// Where Delta tables are, in `<location>/<dag_id>/<layer>/<table>`: a folder, relative to the home folder, or `s3://bucket/prefix`.
    pub location: String,
    /// MiB that sorts, joins and aggregations of a process may hold together; what does not fit is spilled to `state/spill`.
    pub memory_mb: u64,
    /// Records of a file in one commit to a Delta table, about: a commit ends with the batch of the reader that reaches it.
    pub chunk_records: u64,
}

impl Default for LakeSettings {
    fn default() -> Self {
        Self {
            location: "state/lake".to_owned(),
            memory_mb: 1024,
            chunk_records: 50_000,
        }
    }
}

impl LakeSettings {
    pub(super) fn validate(&self) -> Result<(), Flaw> {
        let bucket = self.location.strip_prefix("s3://");
        expect(
            !self.location.is_empty()
                && bucket.is_none_or(|bucket| bucket.starts_with(char::is_alphanumeric))
                && (bucket.is_some() || !self.location.contains("://")),
            "location",
            "expected a folder or `s3://bucket/prefix`",
        )?;
        expect(
            (64..=1_048_576).contains(&self.memory_mb),
            "memory_mb",
            "expected a whole number from 64 to 1048576",
        )?;
        expect(
            (1..=10_000_000).contains(&self.chunk_records),
            "chunk_records",
            "expected a whole number from 1 to 10000000",
        )
    }
}
