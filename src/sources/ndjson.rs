//! NDJSON: an object a line.

use std::path::Path;
use std::sync::Arc;

use memchr::memchr;

use super::input::Input;
use super::json_record::{ObjectRows, union_of_keys};
use super::names;
use super::reader::Records;
use super::source::Layout;
use crate::base::{Result, TextBatch};

/// Reads an object from each line. Blank lines are passed over; a line that is no object is rejected alone.
pub(super) struct Ndjson {
    lines: Lines,
    rows: ObjectRows,
}

impl Ndjson {
    /// The columns are those of `layout`, or the union of all keys, for which the file is read once more.
    ///
    /// # Errors
    /// When the file has no line, or a line is longer than allowed.
    pub(super) fn open(input: Input, path: &Path, layout: &Layout) -> Result<Self> {
        let max = layout.max_record_bytes;
        let columns: Arc<[String]> = match &layout.columns {
            Some(columns) => columns.as_slice().into(),
            None => {
                let mut first = Lines {
                    input: Input::open(path, input.name())?,
                    max,
                };
                let next = |take: &mut dyn FnMut(&[u8])| first.next(|raw, _| take(raw));
                union_of_keys(&input, next, layout.encoding)?
            }
        };
        let mut lines = Lines { input, max };
        if lines.find()?.is_none() {
            return Err(names::empty(lines.input.name(), "an object on each line"));
        }
        Ok(Self {
            lines,
            rows: ObjectRows::new(columns, layout.encoding),
        })
    }
}

impl Records for Ndjson {
    fn columns(&self) -> &Arc<[String]> {
        self.rows.columns()
    }

    fn read(&mut self, batch: &mut TextBatch) -> Result<bool> {
        self.lines
            .next(|raw, line| self.rows.push(raw, line, batch))
    }
}

/// The lines of a file that are not blank.
struct Lines {
    input: Input,
    max: usize,
}

impl Lines {
    /// Gives the next line without its end, and its number, to `take`; `false` at the end.
    fn next(&mut self, take: impl FnOnce(&[u8], u64)) -> Result<bool> {
        let Some((length, whole)) = self.find()? else {
            return Ok(false);
        };
        let raw = self.input.bytes()[..length].trim_ascii_end();
        take(raw, self.input.line());
        self.input.consume(whole, u64::from(whole > length));
        Ok(true)
    }

    /// Length of the next line that is not blank, without its line feed and with it.
    fn find(&mut self) -> Result<Option<(usize, usize)>> {
        loop {
            let bytes = self.input.bytes();
            let end = memchr(b'\n', bytes);
            let length = end.unwrap_or(bytes.len());
            if length > self.max {
                return Err(self.input.too_long(self.max));
            }
            if end.is_none() && !self.input.complete() {
                self.input.fill()?;
                continue;
            }
            let whole = length + usize::from(end.is_some());
            if !bytes[..length].trim_ascii().is_empty() {
                return Ok(Some((length, whole)));
            }
            if whole == 0 {
                return Ok(None);
            }
            self.input.consume(whole, u64::from(whole > length));
        }
    }
}
