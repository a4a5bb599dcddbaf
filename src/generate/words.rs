//! Lists of lines to pick from, and shares that say how often.

use super::chance::Chance;
use super::csv_text::quoted;
use crate::base::{Error, Result};

/// A text, and the same as a CSV field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Literal {
    /// The text itself.
    pub text: String,
    /// As it is written to a file.
    pub csv: Vec<u8>,
}

impl Literal {
    /// Keeps `text` in both forms.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            csv: quoted(text.as_bytes()),
            text,
        }
    }
}

/// Lines with named columns: a word file, or the rows of another table.
#[derive(Debug, Clone, Default)]
pub struct WordList {
    columns: Vec<String>,
    fields: Vec<Literal>,
}

impl WordList {
    /// A list without lines.
    pub fn new(columns: Vec<String>) -> Self {
        Self {
            columns,
            fields: Vec::new(),
        }
    }

    /// Reads the word file `name`, a CSV text with a header.
    pub fn read(name: &str, text: &str) -> Result<Self> {
        let unreadable = |error: csv::Error| {
            let line = error.position().map_or(1, csv::Position::line);
            Error::new(format!("{name}:{line}: not a CSV file with a header")).because(error)
        };
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let header = reader.headers().map_err(unreadable)?;
        let mut list = Self::new(header.iter().map(str::to_owned).collect());
        for record in reader.records() {
            let record = record.map_err(unreadable)?;
            list.push(record.iter().map(Literal::new));
        }
        if list.len() == 0 {
            return Err(Error::new(format!("word file `{name}` has no lines")));
        }
        Ok(list)
    }

    /// Appends a line; `fields` has one item for each column.
    pub fn push(&mut self, fields: impl IntoIterator<Item = Literal>) {
        self.fields.extend(fields);
    }

    /// Number of lines.
    pub fn len(&self) -> usize {
        self.fields.len() / self.columns.len().max(1)
    }

    /// Column names.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The field of `line` in `column`, both from 0 and in range.
    pub fn field(&self, line: usize, column: usize) -> &Literal {
        &self.fields[line * self.columns.len() + column]
    }
}

/// How often each of some things is chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shares {
    /// All alike; how many is known when choosing.
    Alike,
    /// Sums of the shares so far; the last is the total.
    Sums(Vec<u64>),
}

impl Shares {
    /// From one share for each thing; `None` when their sum is 0 or too large.
    pub fn new(shares: impl IntoIterator<Item = u64>) -> Option<Self> {
        let mut total = 0_u64;
        let mut sums = Vec::new();
        for share in shares {
            total = total.checked_add(share)?;
            sums.push(total);
        }
        (total > 0).then_some(Self::Sums(sums))
    }

    /// The n-th of `things` has the n-th part of the first one's share.
    pub fn zipf(things: usize) -> Self {
        let mut total = 0;
        let sums = (1..=things as u64).map(|rank| {
            total += (1 << 40) / rank;
            total
        });
        Self::Sums(sums.collect())
    }

    /// One of `things` things, from 0; the first ones when there are fewer things than shares.
    pub fn choose(&self, chance: &mut Chance, things: usize) -> usize {
        match self {
            Self::Alike => chance.below(things as u64) as usize,
            Self::Sums(sums) => {
                let sums = &sums[..things.min(sums.len())];
                let drawn = chance.below(sums.last().copied().unwrap_or_default());
                sums.partition_point(|&sum| sum <= drawn)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_word_file() {
        let list = WordList::read("w.csv", "name,share\nAna,3\n\"a, b\",1\n").expect("a list");
        assert_eq!((list.len(), list.columns().len()), (2, 2));
        assert_eq!(list.field(1, 0).text, "a, b");
        assert_eq!(list.field(1, 0).csv, b"\"a, b\"");
        assert!(WordList::read("w.csv", "name\n").is_err());
        let error = WordList::read("w.csv", "a,b\n1,2\n3\n").expect_err("ragged");
        assert!(error.to_string().starts_with("w.csv:3: "), "{error}");
    }

    #[test]
    fn chooses_by_share() {
        let mut chance = Chance::new(1, "t", None, 0);
        let shares = Shares::new([3, 0, 1]).expect("a sum");
        let mut seen = [0; 3];
        for _ in 0..4_000 {
            seen[shares.choose(&mut chance, 3)] += 1;
        }
        assert_eq!(seen[1], 0);
        assert!((2_800..3_200).contains(&seen[0]), "{seen:?}");
        assert_eq!(Shares::new([0]), None);
        let zipf = Shares::zipf(10);
        let firsts = (0..4_000).filter(|_| zipf.choose(&mut chance, 10) == 0);
        assert!((1_250..1_480).contains(&firsts.count()));
    }
}
