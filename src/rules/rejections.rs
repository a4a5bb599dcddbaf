//! Why rows cannot go on, and what was expected of them.

use super::step::Reasons;

/// For each of some rows the reasons for which it cannot go on.
#[derive(Debug, Default)]
pub struct Rejections {
    /// For each row its reasons; none set: it can go on.
    pub reasons: Vec<Reasons>,
    /// What was expected, without values, with the number of its row; any number for one row.
    pub expected: Vec<(u32, String)>,
}

impl Rejections {
    /// None, of `rows` rows.
    pub fn none(rows: usize) -> Self {
        Self {
            reasons: vec![0; rows],
            expected: Vec::new(),
        }
    }

    /// Gives row `row` the reason `reason`.
    pub fn add(&mut self, row: usize, reason: Reasons, expected: &str) {
        self.reasons[row] |= reason;
        self.expected.push((row as u32, expected.to_owned()));
    }

    /// Gives the rows `parents` the reasons of `others`, which were made of them.
    pub fn inherit(&mut self, others: &Self, parents: &[u32]) {
        for (reasons, parent) in others.reasons.iter().zip(parents) {
            self.reasons[*parent as usize] |= reasons;
        }
        let expected = others.expected.iter();
        let of_parents = expected.map(|(row, text)| (parents[*row as usize], text.clone()));
        self.expected.extend(of_parents);
    }

    /// In the order of rows, each text once for a row.
    pub fn sorted(mut self) -> Self {
        self.expected.sort_unstable();
        self.expected.dedup();
        self
    }
}
