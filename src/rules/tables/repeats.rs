//! Which records of a table may have a key that comes more than once: only of those must anything be remembered.

use polars::prelude::*;

use super::cleaning::Cleaning;
use super::judge::Failure;
use super::key::{Key, Rows, text_of};
use super::seen::Tally;
use crate::base::Result;

/// What was seen of the keys of a table: 4 to 8 bytes for each record and each of its [identities](Cleaning::has_identities).
///
/// A key that came more than once is always told; of keys that came once, one or two in a hundred are told with them.
#[derive(Debug)]
pub struct Repeats(Vec<Sketch>);

impl Cleaning {
    /// Whether there are columns whose values name a record, so that one can be that of another: the key, and columns of `UNIQUE` rules.
    pub fn has_identities(&self) -> bool {
        !self.identities.is_empty()
    }

    /// The columns that tell which record is which, with those that their values need to be read; once each.
    pub fn identity_columns(&self) -> Vec<String> {
        let mut names: Vec<String> = self.identities.concat();
        for place in names.clone().iter().filter_map(|name| self.place_of(name)) {
            let by = self.plans[place]
                .steps
                .iter()
                .filter_map(|step| step.by.clone());
            names.extend(by);
        }
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Nothing seen yet of a table with so many `records`.
    pub fn repeats(&self, records: u64) -> Repeats {
        Repeats(
            self.identities
                .iter()
                .map(|_| Sketch::new(records))
                .collect(),
        )
    }

    /// Takes the keys of a chunk down. All chunks of a table must have been noted before [`Cleaning::again`] is asked, and after what
    /// [`Cleaning::survey`] has to find.
    ///
    /// # Errors
    /// When a column is missing.
    pub fn note(&self, chunk: &DataFrame, repeats: &mut Repeats) -> Result<()> {
        for (keys, sketch) in self.keys(chunk)?.into_iter().zip(&mut repeats.0) {
            keys.into_iter().flatten().for_each(|key| sketch.note(key));
        }
        Ok(())
    }

    /// For each record of a chunk whether one of its keys may come again, before or after it.
    ///
    /// # Errors
    /// When a column is missing.
    pub fn again(&self, chunk: &DataFrame, repeats: &Repeats) -> Result<Vec<bool>> {
        let mut again = vec![false; chunk.height()];
        for (keys, sketch) in self.keys(chunk)?.into_iter().zip(&repeats.0) {
            for (again, key) in again.iter_mut().zip(keys) {
                *again |= key.is_some_and(|key| sketch.came_again(key));
            }
        }
        Ok(again)
    }

    /// For each identity the keys of the records, cleansed.
    fn keys(&self, chunk: &DataFrame) -> Result<Vec<Vec<Option<Key>>>> {
        let (mut failures, mut tallies) = (
            Vec::<Failure>::new(),
            vec![Tally::default(); self.rules.len()],
        );
        let identities = self.identities.iter().map(|names| {
            let columns = names.iter().filter_map(|name| self.place_of(name));
            let texts = columns
                .map(|place| text_of(&self.cleanse(place, chunk, &mut failures, &mut tallies)?));
            let texts = texts.collect::<Result<Vec<StringChunked>>>()?;
            let mut rows = Rows::new(&texts);
            Ok((0..chunk.height()).map(|_| rows.next_key()).collect())
        });
        identities.collect()
    }
}

impl Repeats {
    /// Adds what was noted of other records of the table.
    pub fn add(&mut self, other: &Self) {
        for (sketch, other) in self.0.iter_mut().zip(&other.0) {
            sketch.add(other);
        }
    }
}

/// Keys by two halves of their hash; each half has a row of slots, and each slot a bit for the first key and one for any further.
#[derive(Debug)]
struct Sketch {
    slots: u64,
    once: [Vec<u64>; 2],
    more: [Vec<u64>; 2],
}

impl Sketch {
    fn new(keys: u64) -> Self {
        let slots = keys
            .saturating_mul(SLOTS_FOR_A_KEY)
            .next_power_of_two()
            .max(64);
        let words = usize::try_from(slots / 64).unwrap_or(usize::MAX);
        let none = || [vec![0; words], vec![0; words]];
        Self {
            slots,
            once: none(),
            more: none(),
        }
    }

    fn note(&mut self, key: Key) {
        for (half, (word, bit)) in self.places(key).into_iter().enumerate() {
            self.more[half][word] |= self.once[half][word] & bit;
            self.once[half][word] |= bit;
        }
    }

    /// `other` is as large.
    fn add(&mut self, other: &Self) {
        for half in 0..2 {
            let others = other.once[half].iter().zip(&other.more[half]);
            let own = self.once[half].iter_mut().zip(&mut self.more[half]);
            for ((once, more), (other_once, other_more)) in own.zip(others) {
                *more |= *other_more | (*once & *other_once);
                *once |= *other_once;
            }
        }
    }

    fn came_again(&self, key: Key) -> bool {
        let mut places = self.places(key).into_iter().enumerate();
        places.all(|(half, (word, bit))| self.more[half][word] & bit != 0)
    }

    fn places(&self, key: Key) -> [(usize, u64); 2] {
        key.halves().map(|half| {
            let slot = half & (self.slots - 1);
            ((slot / 64) as usize, 1 << (slot % 64))
        })
    }
}

const SLOTS_FOR_A_KEY: u64 = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::tables::key::key;

    #[test]
    fn what_came_twice_is_told_and_little_else() {
        let keys: Vec<Key> = (0..20_000)
            .filter_map(|n| key([Some(n.to_string().as_str())].into_iter()))
            .collect();
        let mut sketch = Sketch::new(20_000);
        keys.iter().for_each(|key| sketch.note(*key));
        keys[..100].iter().for_each(|key| sketch.note(*key));
        assert!(keys[..100].iter().all(|key| sketch.came_again(*key)));
        let mistaken = keys[100..]
            .iter()
            .filter(|key| sketch.came_again(**key))
            .count();
        assert!(mistaken < 20_000 / 50, "{mistaken}");
    }
}
