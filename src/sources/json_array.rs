//! A JSON array of objects, element by element.

use std::path::Path;
use std::sync::Arc;

use memchr::{memchr_iter, memchr2};

use super::input::Input;
use super::json_record::{ObjectRows, union_of_keys};
use super::names;
use super::reader::Records;
use super::source::Layout;
use crate::base::{Error, Result, TextBatch};

/// Reads the elements of an array one after the other, never the whole. An element that is no object is rejected alone;
/// where the array itself is broken the elements cannot be told apart, and the file is refused from there.
pub(super) struct JsonArray {
    elements: Elements,
    rows: ObjectRows,
}

impl JsonArray {
    /// The columns are those of `layout`, or the union of all keys, for which the file is read once more.
    ///
    /// # Errors
    /// When the file is no array, or an element is longer than allowed.
    pub(super) fn open(input: Input, path: &Path, layout: &Layout) -> Result<Self> {
        let max = layout.max_record_bytes;
        let columns: Arc<[String]> = match &layout.columns {
            Some(columns) => columns.as_slice().into(),
            None => {
                let mut first = Elements::open(Input::open(path, input.name())?, max)?;
                let next = |take: &mut dyn FnMut(&[u8])| first.next(|raw, _| take(raw));
                union_of_keys(&input, next, layout.encoding)?
            }
        };
        Ok(Self {
            elements: Elements::open(input, max)?,
            rows: ObjectRows::new(columns, layout.encoding),
        })
    }
}

impl Records for JsonArray {
    fn columns(&self) -> &Arc<[String]> {
        self.rows.columns()
    }

    fn read(&mut self, batch: &mut TextBatch) -> Result<bool> {
        self.elements
            .next(|raw, line| self.rows.push(raw, line, batch))
    }
}

/// Cuts an array into its elements.
struct Elements {
    input: Input,
    max: usize,
    first: bool,
    closed: bool,
}

impl Elements {
    fn open(input: Input, max: usize) -> Result<Self> {
        let mut elements = Self {
            input,
            max,
            first: true,
            closed: false,
        };
        match elements.peek()? {
            Some(b'[') => elements.input.consume(1, 0),
            None => {
                return Err(names::empty(elements.input.name(), "an array of objects"));
            }
            Some(_) => {
                return Err(elements
                    .input
                    .error("expected `[`, the start of an array of objects")
                    .hint("a file with an object on each line is read with `ndjson`"));
            }
        }
        Ok(elements)
    }

    /// Gives the next element and its line to `take`; `false` after the last.
    fn next(&mut self, take: impl FnOnce(&[u8], u64)) -> Result<bool> {
        if self.closed {
            return Ok(false);
        }
        match (self.peek()?, self.first) {
            (Some(b']'), _) => return self.close(),
            (Some(b','), false) => {
                self.input.consume(1, 0);
                self.peek()?;
            }
            (_, true) => self.first = false,
            (None, _) => return Err(self.cut_short()),
            _ => return Err(self.input.error("expected `,` or `]` after an element")),
        }
        let length = self.element_length()?;
        let raw = &self.input.bytes()[..length];
        let lines = memchr_iter(b'\n', raw).count();
        take(raw.trim_ascii_end(), self.input.line());
        self.input.consume(length, lines as u64);
        Ok(true)
    }

    fn close(&mut self) -> Result<bool> {
        self.input.consume(1, 0);
        self.closed = true;
        match self.peek()? {
            None => Ok(false),
            Some(_) => Err(self.input.error("expected nothing after the array")),
        }
    }

    /// The first byte after white space.
    fn peek(&mut self) -> Result<Option<u8>> {
        loop {
            match self.input.bytes() {
                [b'\n', ..] => self.input.consume(1, 1),
                [b' ' | b'\t' | b'\r', ..] => self.input.consume(1, 0),
                [byte, ..] => return Ok(Some(*byte)),
                [] if self.input.complete() => return Ok(None),
                [] => self.input.fill()?,
            }
        }
    }

    /// Length of the element at the start of the input: up to the comma or bracket that ends it.
    fn element_length(&mut self) -> Result<usize> {
        loop {
            let bytes = self.input.bytes();
            let length = end_of_element(bytes);
            if length.unwrap_or(bytes.len()) > self.max {
                return Err(self.input.too_long(self.max));
            }
            match length {
                Some(0) => return Err(self.input.error("expected an element")),
                Some(length) => return Ok(length),
                None if self.input.complete() => return Err(self.cut_short()),
                None => self.input.fill()?,
            }
        }
    }

    fn cut_short(&self) -> Error {
        self.input
            .error("the array ends too early, expected `]`")
            .hint("the file is cut short: deliver it again")
    }
}

/// Where the element at the start of `bytes` ends: before a comma or closing bracket of the array itself.
fn end_of_element(bytes: &[u8]) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = end_of_text(bytes, at + 1)?,
            b'{' | b'[' => depth += 1,
            b',' if depth == 0 => return Some(at),
            b'}' | b']' => match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => return Some(at),
            },
            _ => {}
        }
        at += 1;
    }
    None
}

/// Place of the quote that closes the text that starts at `from`.
fn end_of_text(bytes: &[u8], mut from: usize) -> Option<usize> {
    loop {
        let at = from + memchr2(b'"', b'\\', bytes.get(from..)?)?;
        if bytes[at] == b'"' {
            return Some(at);
        }
        from = at + 2;
    }
}
