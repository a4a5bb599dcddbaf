//! A problem with its place in a model's file.

use crate::base::yaml::Place;
use crate::base::{Problem, nearest};

/// A place in a file: line and column from 1, 0 when unknown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Placed {
    pub line: u32,
    pub column: u32,
}

impl Placed {
    /// A place from numbers as parsers give them.
    pub fn new(line: u64, column: u64) -> Self {
        let small = |number| u32::try_from(number).unwrap_or(0);
        Self {
            line: small(line),
            column: small(column),
        }
    }

    /// What is wrong here in `file`.
    pub fn problem(self, file: &str, message: impl Into<String>, hint: Option<String>) -> Problem {
        Problem {
            file: file.to_owned(),
            line: self.line,
            column: self.column,
            message: message.into(),
            hint,
        }
    }
}

impl From<Place> for Placed {
    fn from(place: Place) -> Self {
        Self {
            line: place.line,
            column: place.column,
        }
    }
}

/// The hint that names the nearest of `known`.
pub fn did_you_mean<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(given, known).map(|name| format!("did you mean `{name}`?"))
}
