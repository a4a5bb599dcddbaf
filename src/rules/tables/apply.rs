//! Applies the rules of a table to a chunk of its records.

use polars::prelude::*;

use super::cast::Values;
use super::cell::Done;
use super::cleaning::{Cleaning, ColumnPlan};
use super::dates::Evidence;
use super::fates::Fate;
use super::judge::{Failure, Judging};
use super::key::column;
use super::known::Known;
use super::seen::{Counts, Seen, Tally};
use super::severity::Severity;
use crate::base::{Error, Result};
use crate::rules::expression::as_text;

/// What became of a chunk.
#[derive(Debug)]
pub struct Cleaned {
    /// The records that passed, in their order: the table's columns first, in its order and with the types of [`Cleaning::columns`], then
    /// the chunk's other columns as they came.
    pub passed: DataFrame,
    /// For each of them its row in the chunk.
    pub passed_rows: Vec<u32>,
    /// Rows of records that repeat one that passed.
    pub duplicates: Vec<u32>,
    /// Records that failed a rule of severity `error`, in their order, with all their reasons.
    pub rejected: Vec<Rejected>,
    /// What became of the chunk in numbers; they balance.
    pub counts: Counts,
}

/// A record that cannot go on.
#[derive(Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Its row in the chunk.
    pub row: u32,
    /// Every rule of severity `error` that it fails: the rule's number and the word for what went wrong.
    pub reasons: Vec<(usize, &'static str)>,
}

impl Cleaning {
    /// Cleanses, standardizes and judges a chunk of records. It has the table's columns in any order, as text, and perhaps others, which go
    /// along untouched. `seen` carries what is to be known of the chunks before. The result does not depend on where chunks are cut.
    /// To be called from a thread that may block: polars does not run on those of an async runtime.
    ///
    /// # Errors
    /// When a column is missing or a rule fails as a whole; `seen` cannot be used any more then.
    pub fn apply(&self, chunk: &DataFrame, known: &Known, seen: &mut Seen) -> Result<Cleaned> {
        let mut judging = self.judge(chunk, known, seen)?;
        let fates = self.fates(&mut judging, seen)?;
        self.finish(chunk, judging, &fates, seen)
    }

    /// As [`Cleaning::apply`], to records whose keys come nowhere else: nothing but numbers is remembered, and their order is all the same.
    ///
    /// # Errors
    /// As [`Cleaning::apply`].
    pub fn apply_alone(
        &self,
        chunk: &DataFrame,
        known: &Known,
        seen: &mut Seen,
    ) -> Result<Cleaned> {
        let mut judging = self.judge(chunk, known, seen)?;
        let fates = self.fates_alone(&mut judging);
        self.finish(chunk, judging, &fates, seen)
    }

    /// Cleanses the records and asks the rules about each.
    fn judge(&self, chunk: &DataFrame, known: &Known, seen: &mut Seen) -> Result<Judging<'_>> {
        seen.fit(self);
        let mut failures = Vec::new();
        let mut tallies = vec![Tally::default(); self.rules.len()];
        let mut columns = Vec::with_capacity(self.columns.len());
        for number in 0..self.columns.len() {
            columns.push(self.cleanse(number, chunk, &mut failures, &mut tallies)?);
        }
        let frame = DataFrame::new(chunk.height(), columns)
            .map_err(|error| Error::new("cleansed columns differ in length").because(error))?;
        let mut judging = Judging::new(self, frame, failures, tallies);
        for judge in &self.judges {
            judging.ask(judge, known)?;
        }
        Ok(judging)
    }

    /// Takes a column through its steps and its standardization.
    pub(super) fn cleanse(
        &self,
        number: usize,
        chunk: &DataFrame,
        failures: &mut Vec<Failure>,
        tallies: &mut [Tally],
    ) -> Result<Column> {
        let (name, plan) = (&self.columns[number], &self.plans[number]);
        let texts = as_text(column(chunk, name)?)?;
        if plan.steps.is_empty() && plan.standards.is_none() {
            return Ok(texts.with_name(name.as_str().into()).into_column());
        }
        let groups = self.groups(chunk, plan)?;
        let mut groups = groups.iter().flat_map(|groups| groups.iter());
        let mut values = Values::new(self.types[number].1, texts.len());
        let mut scratch = String::new();
        let no_evidence = Evidence::default();
        for (row, text) in (0..).zip(texts.iter()) {
            let group = groups.next().flatten().unwrap_or_default().trim();
            let Some(text) = text else {
                values.push(None);
                continue;
            };
            scratch.clear();
            scratch.push_str(text);
            let mut done = Done::Kept;
            for step in &plan.steps {
                let evidence = step.evidence.map_or(&no_evidence, |at| &self.evidence[at]);
                done = step
                    .what
                    .apply(&mut scratch, self.compatibility, group, evidence);
                if let Some(rule) = step.rule {
                    tallies[rule].checked += 1;
                    if let Done::Failed(why) = done {
                        tallies[rule].failed += 1;
                        failures.push(Failure { row, rule, why });
                    }
                }
                if done != Done::Kept {
                    break;
                }
            }
            if done != Done::Kept {
                values.push(None);
                continue;
            }
            if let Some(standards) = &plan.standards {
                standards.apply(&mut scratch, self.compatibility);
            }
            values.push(Some(&scratch));
        }
        Ok(values.finish(name))
    }

    /// The column that tells apart the groups of a plan's values, if it needs one.
    pub(super) fn groups(
        &self,
        chunk: &DataFrame,
        plan: &ColumnPlan,
    ) -> Result<Option<StringChunked>> {
        let by = plan.steps.iter().find_map(|step| step.by.as_deref());
        by.map(|by| as_text(column(chunk, by)?)).transpose()
    }

    fn finish(
        &self,
        chunk: &DataFrame,
        judging: Judging<'_>,
        fates: &[Fate],
        seen: &mut Seen,
    ) -> Result<Cleaned> {
        let mut counts = Counts {
            read: fates.len() as u64,
            ..Counts::default()
        };
        let (mut passed_rows, mut duplicates) = (Vec::new(), Vec::new());
        let mut rejected: Vec<Rejected> = Vec::new();
        for (row, fate) in (0u32..).zip(fates) {
            match fate {
                Fate::Passed => passed_rows.push(row),
                Fate::Warned => {
                    passed_rows.push(row);
                    counts.warned += 1;
                }
                Fate::Duplicate => duplicates.push(row),
                Fate::Rejected => rejected.push(Rejected {
                    row,
                    reasons: Vec::new(),
                }),
            }
        }
        let mut failures = judging.failures;
        failures.sort_unstable();
        failures.dedup();
        let mut into = rejected.iter_mut().peekable();
        for failure in failures {
            while into.next_if(|next| next.row < failure.row).is_some() {}
            if let Some(next) = into.peek_mut()
                && next.row == failure.row
                && self.rules[failure.rule].severity == Severity::Error
            {
                next.reasons.push((failure.rule, failure.why.word()));
            }
        }
        counts.passed = passed_rows.len() as u64;
        counts.duplicate = duplicates.len() as u64;
        counts.quarantined = rejected.len() as u64;
        debug_assert!(counts.balances());
        let passed = self.passed(chunk, &judging.frame, &passed_rows)?;
        seen.count(counts, &judging.tallies);
        Ok(Cleaned {
            passed,
            passed_rows,
            duplicates,
            rejected,
            counts,
        })
    }

    /// The rows `rows`, with the chunk's other columns beside the cleansed ones.
    fn passed(&self, chunk: &DataFrame, frame: &DataFrame, rows: &[u32]) -> Result<DataFrame> {
        let mut columns = frame.columns().to_vec();
        let others = chunk.columns().iter();
        columns.extend(
            others
                .filter(|column| self.place_of(column.name()).is_none())
                .cloned(),
        );
        let failed = |error| Error::new("the records that passed cannot be taken").because(error);
        let all = DataFrame::new(chunk.height(), columns).map_err(failed)?;
        match rows.len() == all.height() {
            true => Ok(all),
            false => {
                let index = IdxCa::from_vec(PlSmallStr::EMPTY, rows.to_vec());
                all.take(&index).map_err(failed)
            }
        }
    }

    /// The reasons of a rejected record in words: what its quality rules say, and for a value that does not fit the column and why.
    pub fn words(&self, rejected: &Rejected) -> Vec<String> {
        let words = rejected.reasons.iter().map(|(number, word)| {
            let rule = &self.rules[*number];
            match rule.description.as_str() {
                "" => format!("{}: {word}", rule.columns.join(", ")),
                description => description.to_owned(),
            }
        });
        words.collect()
    }
}
