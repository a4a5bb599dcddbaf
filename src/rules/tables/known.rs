//! The keys of other tables that relationship rules ask for.

use std::collections::HashSet;

use polars::prelude::*;

use super::key::{ByKey, Key, Rows, texts_of};
use crate::base::Result;

/// Columns of another table that a relationship rule refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent {
    /// The table, as the rule names it.
    pub table: String,
    /// The full name of the table that keeps its rows, where jobs or sources say it.
    pub kept: Option<String>,
    /// Its columns.
    pub columns: Vec<String>,
}

/// The keys of each parent, in the order of [`super::Cleaning::parents`]. They are kept as hashes.
#[derive(Debug, Default)]
pub struct Known {
    parents: Vec<HashSet<Key, ByKey>>,
}

impl Known {
    /// Adds the keys that `rows` of the parent number `number` has; a row with a null in its key adds none.
    ///
    /// # Errors
    /// When one of the parent's columns is missing.
    pub fn add(&mut self, number: usize, parent: &Parent, rows: &DataFrame) -> Result<()> {
        let set = self.set(number);
        let columns = texts_of(rows, &parent.columns)?;
        let mut keys = Rows::new(&columns);
        set.extend((0..rows.height()).filter_map(|_| keys.next_key()));
        Ok(())
    }

    /// The keys of the parent number `number`; `None` when none were ever given.
    pub(super) fn keys(&self, number: usize) -> Option<&HashSet<Key, ByKey>> {
        self.parents.get(number)
    }

    fn set(&mut self, number: usize) -> &mut HashSet<Key, ByKey> {
        while self.parents.len() <= number {
            self.parents.push(HashSet::default());
        }
        &mut self.parents[number]
    }
}
