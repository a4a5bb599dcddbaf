//! What became of the records a task read.

use std::fmt;
use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// How many records a task read and what became of each, in its main target.
///
/// The promise of the house is [`Counts::balances`]: every record that was read is in exactly one
/// of the other five numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Records read.
    pub read: u64,
    /// Records that made a new row.
    pub inserted: u64,
    /// Records that changed a row.
    pub updated: u64,
    /// Records whose row was already so.
    pub unchanged: u64,
    /// Records that repeat another one's key.
    pub duplicate: u64,
    /// Records set aside with a reason.
    pub quarantined: u64,
}

impl Counts {
    /// `read = inserted + updated + unchanged + duplicate + quarantined`.
    pub fn balances(&self) -> bool {
        self.read
            == self.inserted + self.updated + self.unchanged + self.duplicate + self.quarantined
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.read += other.read;
        self.inserted += other.inserted;
        self.updated += other.updated;
        self.unchanged += other.unchanged;
        self.duplicate += other.duplicate;
        self.quarantined += other.quarantined;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "read {} = inserted {} + updated {} + unchanged {} + duplicate {} + quarantined {}",
            self.read,
            self.inserted,
            self.updated,
            self.unchanged,
            self.duplicate,
            self.quarantined
        )
    }
}
