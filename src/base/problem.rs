//! One problem of a definition file, with its place.

use std::fmt;

use serde::Serialize;

use super::Error;

/// A problem found in a definition: where, what, and the way out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// The file, relative to the home folder where possible.
    pub file: String,
    /// Line, from 1; 0 when the problem concerns the file as a whole.
    pub line: u32,
    /// Column, from 1; 0 when unknown.
    pub column: u32,
    /// What is wrong and what was expected.
    pub message: String,
    /// The way out.
    pub hint: Option<String>,
}

impl Problem {
    /// File, line and column, as far as they are known.
    fn place(&self) -> String {
        match (self.line, self.column) {
            (0, _) => self.file.clone(),
            (line, 0) => format!("{}:{line}", self.file),
            (line, column) => format!("{}:{line}:{column}", self.file),
        }
    }
}

/// For those who must stop at the first problem.
impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        let error = Self::new(problem.message.as_str()).at(problem.place());
        match problem.hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place(), self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}
