//! A place in a definition file.

use super::Problem;

/// A line and a column, both from 1; 0 when unknown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

impl Place {
    /// A place from numbers as parsers give them.
    pub fn new(line: u64, column: u64) -> Self {
        let small = |number| u32::try_from(number).unwrap_or(0);
        Self {
            line: small(line),
            column: small(column),
        }
    }

    /// What is wrong here in `file`.
    pub fn problem(
        self,
        file: impl Into<String>,
        message: impl Into<String>,
        hint: Option<String>,
    ) -> Problem {
        Problem {
            file: file.into(),
            line: self.line,
            column: self.column,
            message: message.into(),
            hint,
        }
    }
}
