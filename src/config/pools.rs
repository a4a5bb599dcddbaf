//! Section `[pools]`: a name and its number of slots on each line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::settings::{Flaw, expect};

/// The pool of a task that names none.
pub const DEFAULT_POOL: &str = "default_pool";

const DEFAULT_SLOTS: u32 = 128;

/// Named limits on tasks at the same time, over all DAGs. [`DEFAULT_POOL`] always exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BTreeMap<String, u32>")]
pub struct Pools(BTreeMap<String, u32>);

impl Default for Pools {
    fn default() -> Self {
        Self::from(BTreeMap::new())
    }
}

impl From<BTreeMap<String, u32>> for Pools {
    fn from(mut slots: BTreeMap<String, u32>) -> Self {
        slots
            .entry(DEFAULT_POOL.to_owned())
            .or_insert(DEFAULT_SLOTS);
        Self(slots)
    }
}

impl Pools {
    /// Slots of the pool called `name`; `None` when there is no such pool.
    pub fn slots(&self, name: &str) -> Option<u32> {
        self.0.get(name).copied()
    }

    /// Names and slots, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u32)> {
        self.0.iter().map(|(name, slots)| (name.as_str(), *slots))
    }

    pub(super) fn validate(&self) -> Result<(), Flaw> {
        self.iter()
            .try_for_each(|(name, slots)| expect(slots > 0, name, "expected a whole number from 1"))
    }
}
