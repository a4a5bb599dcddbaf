//! What the chunks before have shown: keys that must not come twice, and how often each rule was asked and failed.

use std::collections::HashMap;

use polars::prelude::*;

use super::cleaning::Cleaning;
use super::key::{ByKey, Key, Rows, content, texts_of};
use crate::base::Result;

/// What is carried from chunk to chunk of one table. 24 bytes a row for the key and as much for each `UNIQUE` rule.
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

    /// Takes rows that are in the table already as seen: rows as [`Cleaning::apply`] passed them in an earlier run.
    ///
    /// # Errors
    /// When a column is missing.
    pub fn remember(&mut self, cleaning: &Cleaning, rows: &DataFrame) -> Result<()> {
        self.fit(cleaning);
        if cleaning.identities.is_empty() {
            return Ok(());
        }
        let all = texts_of(rows, &cleaning.columns)?;
        let mut all = Rows::new(&all);
        let keys = cleaning
            .identities
            .iter()
            .map(|columns| texts_of(rows, columns))
            .collect::<Result<Vec<_>>>()?;
        let mut keys: Vec<Rows<'_>> = keys.iter().map(|columns| Rows::new(columns)).collect();
        for _ in 0..rows.height() {
            let content = content(all.next_row());
            for (set, keys) in self.sets.iter_mut().zip(&mut keys) {
                if let Some(key) = keys.next_key() {
                    set.insert(key, content);
                }
            }
        }
        Ok(())
    }

    /// Makes room for the rules of `cleaning`.
    pub(super) fn fit(&mut self, cleaning: &Cleaning) {
        self.sets
            .resize_with(cleaning.identities.len(), HashMap::default);
        self.tallies.resize(cleaning.rules.len(), Tally::default());
    }
}
