//! Where in a rule table something is written, and the problems found there.

use std::fmt;
use std::sync::Arc;

use crate::base::{Error, Problem, nearest};

/// A line of a rule table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file, as the caller names it.
    pub file: Arc<str>,
    /// The line, from 1; 0 for the file as a whole.
    pub line: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}", self.file),
        }
    }
}

impl Place {
    /// `error` as a problem of this line.
    pub fn problem(&self, error: &Error) -> Problem {
        Problem {
            file: self.file.to_string(),
            line: self.line,
            column: 0,
            message: error.to_string(),
            hint: error
                .hint_text()
                .filter(|hint| !hint.is_empty())
                .map(str::to_owned),
        }
    }
}

/// Problems found so far.
#[derive(Debug, Default)]
pub(super) struct Problems(pub Vec<Problem>);

impl Problems {
    /// Adds `error`, found at `place`.
    pub fn add(&mut self, place: &Place, error: &Error) {
        self.0.push(place.problem(error));
    }

    /// The value, or `None` after adding the error.
    pub fn take<T>(&mut self, place: &Place, result: Result<T, Error>) -> Option<T> {
        result.map_err(|error| self.add(place, &error)).ok()
    }

    /// All of them in the order of files and lines, or none.
    ///
    /// # Errors
    /// When there is any.
    pub fn finish(mut self) -> Result<(), Vec<Problem>> {
        self.0.sort();
        self.0.dedup();
        match self.0.is_empty() {
            true => Ok(()),
            false => Err(self.0),
        }
    }
}

/// An error about `given`, which is none of `known`: the hint is the nearest of them, or all.
pub(super) fn unknown<'a>(
    message: String,
    given: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Error {
    let known: Vec<&str> = known.into_iter().collect();
    let error = Error::new(message);
    match nearest(given, known.iter().copied()) {
        Some(name) => error.hint(format!("did you mean `{name}`?")),
        None if known.is_empty() => error,
        None => error.hint(format!("expected one of `{}`", known.join("`, `"))),
    }
}
