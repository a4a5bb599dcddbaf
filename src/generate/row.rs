//! The row at hand of one table: its values, compact, with their texts in one buffer.

use chrono::NaiveDate;

use super::spec::DateFormat;

/// A stretch of a row's buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// Its first place.
    pub start: u32,
    /// The place after its last.
    pub end: u32,
}

impl Stretch {
    /// The stretch of `buffer`.
    pub fn of<T>(self, buffer: &[T]) -> &[T] {
        &buffer[self.start as usize..self.end as usize]
    }
}

/// A value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell {
    /// None.
    Null,
    /// A number in units of its last digit, and the digits after its point.
    Number(i64, u8),
    /// A date and how it is written.
    Date(NaiveDate, DateFormat),
    /// A text of the plan.
    Literal(u32),
    /// A text in the row's buffer.
    Text(Stretch),
    /// A text in the buffer of the row at hand of the table above at the first place.
    Above(u32, Stretch),
    /// Of the list at the first place a line, and a column of it.
    Line(u32, u32, u32),
    /// Lines, in the row's list of lines.
    Lines(Stretch),
}

/// The values of a row.
#[derive(Debug, Default)]
pub struct Row {
    /// By column.
    pub cells: Vec<Cell>,
    /// Texts that were put together for this row.
    pub text: Vec<u8>,
    /// Lines that were sampled for this row.
    pub lines: Vec<u32>,
    /// Its number among its parent's rows, or in the table, from 1.
    pub number: u64,
    /// The planted mistake it or a row above it has.
    pub defect: Option<u32>,
}

impl Row {
    /// Empties the row for the next one.
    pub fn start(&mut self, number: u64, defect: Option<u32>) {
        self.cells.clear();
        self.text.clear();
        self.lines.clear();
        self.number = number;
        self.defect = defect;
    }

    /// The bytes of a stretch of the text buffer.
    pub fn bytes(&self, stretch: Stretch) -> &[u8] {
        stretch.of(&self.text)
    }

    /// The lines of a stretch of the sampled lines.
    pub fn sampled(&self, stretch: Stretch) -> &[u32] {
        stretch.of(&self.lines)
    }
}
