//! How many different values there are, and which are frequent, in bounded memory.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

/// Hashes kept for the estimate: its error is about one in the square root of this.
const SKETCH: usize = 1_024;

/// Longer values are counted and not kept: nobody reads them in a list.
const MAX_KEPT: usize = 60;

/// Counts values: exactly until there are too many different ones, then estimating how many.
pub(super) struct Distinct {
    /// How often each value came that came early enough.
    counts: HashMap<Box<str>, u64>,
    /// Different values to keep.
    limit: usize,
    /// Whether `counts` has all of them.
    exact: bool,
    /// The smallest hashes of values: the smaller the largest of them, the more values there are.
    smallest: BTreeSet<u64>,
    hasher: BuildHasherDefault<DefaultHasher>,
}

impl Distinct {
    /// Counts exactly up to `limit` different values.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            counts: HashMap::new(),
            limit,
            exact: true,
            smallest: BTreeSet::new(),
            hasher: BuildHasherDefault::default(),
        }
    }

    /// Counts one more.
    pub(super) fn add(&mut self, value: &str) {
        let hash = self.hasher.hash_one(value);
        let full = self.smallest.len() >= SKETCH;
        let small = !full || self.smallest.last().is_some_and(|&largest| hash < largest);
        if small && self.smallest.insert(hash) && full {
            self.smallest.pop_last();
        }
        if let Some(count) = self.counts.get_mut(value) {
            *count += 1;
        } else if value.len() <= MAX_KEPT && self.counts.len() < self.limit {
            self.counts.insert(value.into(), 1);
        } else {
            self.exact = false;
        }
    }

    /// How many different values came, and whether that is exact.
    pub(super) fn count(&self) -> (u64, bool) {
        if self.exact || self.smallest.len() < SKETCH {
            let count = self.counts.len().max(self.smallest.len());
            return (count as u64, true);
        }
        let largest = self.smallest.last().copied().unwrap_or(u64::MAX);
        let share = largest as f64 / u64::MAX as f64;
        (((SKETCH - 1) as f64 / share).round() as u64, false)
    }

    /// The most frequent of the values kept, at least `least` times each, at most `most` of them.
    pub(super) fn frequent(&self, least: u64, most: usize) -> Vec<(String, u64)> {
        let mut frequent: Vec<_> = self
            .counts
            .iter()
            .filter(|&(_, &count)| count >= least)
            .map(|(value, &count)| (value.to_string(), count))
            .collect();
        frequent.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        frequent.truncate(most);
        frequent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_values_are_counted_exactly_and_many_nearly() {
        let mut few = Distinct::new(100);
        let mut many = Distinct::new(100);
        for n in 0..50_000 {
            few.add(&format!("{}", n % 70));
            many.add(&format!("{n}"));
        }
        assert_eq!(few.count(), (70, true));
        let (count, exact) = many.count();
        assert!(!exact);
        assert!((45_000..55_000).contains(&count), "{count}");
        assert_eq!(many.counts.len(), 100);
    }

    #[test]
    fn long_values_are_counted_and_not_kept() {
        let mut values = Distinct::new(100);
        for n in 0..30 {
            values.add(&format!("{:0100}", n % 3));
        }
        assert_eq!(values.count(), (3, true));
        assert!(values.frequent(1, 10).is_empty());
    }
}
