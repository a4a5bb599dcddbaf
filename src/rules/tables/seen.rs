//! What the chunks before have shown: keys that must not come twice, and how often each rule was asked and failed.

use std::collections::HashMap;

use super::cleaning::Cleaning;
use super::key::{ByKey, Key};

/// What is carried from chunk to chunk of one table: 24 bytes for each key that is remembered, and numbers.
#[derive(Debug, Default)]
pub struct Seen {
    /// By key, a digest of the row that has it: the identity first when there is one, then each rule of uniqueness.
    pub(super) sets: Vec<HashMap<Key, u64, ByKey>>,
    /// For each rule.
    pub(super) tallies: Vec<Tally>,
    /// What became of the records so far.
    pub(super) counts: Counts,
}

/// How often a rule was asked and what it said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub checked: u64,
    pub failed: u64,
    /// Microseconds since 1970 of the newest value, for a rule of freshness.
    pub newest: Option<i64>,
}

/// What became of the records of a table: `read = passed + duplicate + quarantined`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records read.
    pub read: u64,
    /// Records that passed.
    pub passed: u64,
    /// Records that repeat a record that passed, key and content.
    pub duplicate: u64,
    /// Records that failed a rule of severity `error`.
    pub quarantined: u64,
    /// Records that passed and failed a rule of severity `warn`.
    pub warned: u64,
}

impl Counts {
    /// `read = passed + duplicate + quarantined`.
    pub const fn balances(&self) -> bool {
        self.read == self.passed + self.duplicate + self.quarantined
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.read += other.read;
        self.passed += other.passed;
        self.duplicate += other.duplicate;
        self.quarantined += other.quarantined;
        self.warned += other.warned;
    }
}

impl Seen {
    /// What became of all records so far.
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Adds what another has counted, of other records whose keys come nowhere else.
    pub fn add(&mut self, other: &Self) {
        self.tallies.resize(
            self.tallies.len().max(other.tallies.len()),
            Tally::default(),
        );
        self.count(other.counts, &other.tallies);
    }

    /// Adds numbers.
    pub(super) fn count(&mut self, counts: Counts, tallies: &[Tally]) {
        self.counts += counts;
        for (total, tally) in self.tallies.iter_mut().zip(tallies) {
            total.checked += tally.checked;
            total.failed += tally.failed;
            total.newest = total.newest.max(tally.newest);
        }
    }

    /// Makes room for the rules of `cleaning`.
    pub(super) fn fit(&mut self, cleaning: &Cleaning) {
        self.sets
            .resize_with(cleaning.identities.len(), HashMap::default);
        self.tallies.resize(cleaning.rules.len(), Tally::default());
    }
}
