//! The quality rules of a table, asked about the records of a chunk.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::time::Duration;

use polars::prelude::*;
use regex::Regex;

use super::bounds::Bounds;
use super::cell::Why;
use super::cleaning::Cleaning;
use super::compatibility::Compatibility;
use super::condition::{Condition, Said};
use super::key::{Rows, text_of};
use super::known::Known;
use super::seen::Tally;
use super::severity::Severity;
use crate::base::{Error, Result};

/// A quality rule, compiled. Columns are numbers.
#[derive(Debug)]
pub(super) struct Judge {
    pub rule: usize,
    pub what: Judged,
}

/// What a quality rule looks at.
#[derive(Debug)]
pub(super) enum Judged {
    NotNull(usize),
    Text(usize, Test),
    Condition(Condition),
    Relationship {
        columns: Vec<usize>,
        parent: usize,
    },
    /// Number of the columns in the identities of the table.
    Unique(usize),
    Freshness(usize, Duration),
    Completeness(usize),
    Sql(String),
}

/// What is asked of one value.
#[derive(Debug)]
pub(super) enum Test {
    Regex(Regex),
    OneOf(HashSet<String>),
    Between(Bounds),
}

impl Test {
    fn holds(&self, text: &str) -> bool {
        match self {
            Self::Regex(regex) => regex.is_match(text),
            Self::OneOf(values) => values.contains(text),
            Self::Between(bounds) => bounds.holds(text),
        }
    }
}

/// A record that fails a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Failure {
    pub row: u32,
    pub rule: usize,
    pub why: Why,
}

/// A chunk on its way through the rules.
pub(super) struct Judging<'a> {
    pub cleaning: &'a Cleaning,
    /// The cleansed columns.
    pub frame: DataFrame,
    texts: Vec<OnceCell<StringChunked>>,
    pub failures: Vec<Failure>,
    pub tallies: Vec<Tally>,
    /// For each column the rows that are rejected since their value did not fit: it is null now, and was not missing.
    pub unfit: Vec<HashSet<u32>>,
}

impl<'a> Judging<'a> {
    /// A chunk that no quality rule has seen.
    pub fn new(
        cleaning: &'a Cleaning,
        frame: DataFrame,
        failures: Vec<Failure>,
        tallies: Vec<Tally>,
    ) -> Self {
        let mut unfit = vec![HashSet::new(); cleaning.columns.len()];
        for failure in &failures {
            let rule = &cleaning.rules[failure.rule];
            let column = rule.columns.first();
            if rule.severity == Severity::Error
                && let Some(column) = column.and_then(|name| cleaning.place_of(name))
            {
                unfit[column].insert(failure.row);
            }
        }
        Self {
            texts: vec![OnceCell::new(); cleaning.columns.len()],
            cleaning,
            frame,
            failures,
            tallies,
            unfit,
        }
    }

    /// A column as text, made once.
    pub fn text(&self, column: usize) -> Result<&StringChunked> {
        if let Some(text) = self.texts[column].get() {
            return Ok(text);
        }
        let text = text_of(&self.frame.columns()[column])?;
        Ok(self.texts[column].get_or_init(|| text))
    }

    /// Columns as text.
    pub fn texts(&self, columns: &[usize]) -> Result<Vec<StringChunked>> {
        columns
            .iter()
            .map(|column| self.text(*column).cloned())
            .collect()
    }

    /// Whether each value of a column is there: neither null nor empty.
    fn is_there(&self, column: usize) -> Vec<bool> {
        let values = &self.frame.columns()[column];
        if let Ok(texts) = values.str() {
            let is_there = texts.iter().map(|t| t.is_some_and(|t| !t.is_empty()));
            return is_there.collect();
        }
        let is_there = values.is_not_null();
        is_there.iter().map(|value| value == Some(true)).collect()
    }

    /// Asks `judge` about every record; rules of uniqueness and queries are asked elsewhere.
    ///
    /// # Errors
    /// When the rule fails as a whole, or the keys it needs were not given.
    pub fn ask(&mut self, judge: &Judge, known: &Known) -> Result<()> {
        let mut asked = Asked::new();
        match &judge.what {
            Judged::NotNull(column) | Judged::Completeness(column) => {
                let unfit = &self.unfit[*column];
                let is_there = self.is_there(*column);
                for (row, is_there) in (0..).zip(is_there) {
                    if is_there || !unfit.contains(&row) {
                        asked.hear(row, is_there);
                    }
                }
            }
            Judged::Text(column, test) => {
                for (row, text) in (0..).zip(self.text(*column)?.iter()) {
                    if let Some(text) = text {
                        asked.hear(row, test.holds(text));
                    }
                }
            }
            Judged::Condition(condition) => {
                let lenient = self.cleaning.compatibility == Compatibility::Source;
                for (row, said) in (0..).zip(condition.evaluate(&self.frame)?) {
                    match said {
                        Said::Holds => asked.hear(row, true),
                        Said::Fails => asked.hear(row, false),
                        Said::Nothing => asked.hear(row, lenient),
                        Said::Null => {}
                    }
                }
            }
            Judged::Relationship { columns, parent } => {
                let keys = known.keys(*parent).ok_or_else(|| {
                    let table = &self.cleaning.parents[*parent].table;
                    Error::new(format!("the keys of table `{table}` are not known"))
                })?;
                let texts = self.texts(columns)?;
                let mut rows = Rows::new(&texts);
                for row in 0..self.frame.height() as u32 {
                    if let Some(key) = rows.next_key() {
                        asked.hear(row, keys.contains(&key));
                    }
                }
            }
            Judged::Freshness(column, _) => self.newest(*column, &mut asked)?,
            Judged::Unique(_) | Judged::Sql(_) => return Ok(()),
        }
        let tally = &mut self.tallies[judge.rule];
        tally.checked += asked.checked;
        tally.failed += asked.failed.len() as u64;
        tally.newest = tally.newest.max(asked.newest);
        // a rule of a whole column is no reason against one record
        if !matches!(judge.what, Judged::Completeness(_)) {
            self.failures
                .extend(asked.failed.into_iter().map(|row| Failure {
                    row,
                    rule: judge.rule,
                    why: Why::Rule,
                }));
        }
        Ok(())
    }

    fn newest(&self, column: usize, asked: &mut Asked) -> Result<()> {
        let column = &self.frame.columns()[column];
        let micros = DataType::Datetime(TimeUnit::Microseconds, None);
        let unexpected = |error| Error::new("a date has no time").because(error);
        let times = column.cast(&micros).map_err(unexpected)?;
        let times = times.datetime().map_err(unexpected)?;
        for time in times.physical().iter().flatten() {
            asked.checked += 1;
            asked.newest = asked.newest.max(Some(time));
        }
        Ok(())
    }
}

/// What a rule has said so far.
struct Asked {
    checked: u64,
    failed: Vec<u32>,
    newest: Option<i64>,
}

impl Asked {
    const fn new() -> Self {
        Self {
            checked: 0,
            failed: Vec::new(),
            newest: None,
        }
    }

    fn hear(&mut self, row: u32, holds: bool) {
        self.checked += 1;
        if !holds {
            self.failed.push(row);
        }
    }
}
