//! CSV, record by record, each with its line and the hash of its bytes.

use std::borrow::Cow;
use std::sync::Arc;

use memchr::{memchr, memchr_iter};

use super::csv_scan::{Dialect, Field, Found};
use super::delimiter;
use super::encoding::Encoding;
use super::input::Input;
use super::names;
use super::reader::Records;
use super::source::Layout;
use crate::base::{BadRecord, Error, Result, TextBatch, sha256};

/// Reads CSV with a header line.
///
/// Blank lines are passed over. A field that is empty is null, and one that is empty between quotes is empty text, as in
/// PostgreSQL's CSV. Lines end with LF or CRLF. The hash of a record is that of its bytes without the line's end.
///
/// Where a quote does not close its field, or a record of several lines has the wrong number of fields, only the
/// first line is rejected: what the quote swallowed is read again from the next.
pub(super) struct CsvRecords {
    input: Input,
    dialect: Dialect,
    encoding: Encoding,
    max_record_bytes: usize,
    /// Fields of each record in the file.
    width: usize,
    columns: Arc<[String]>,
    /// For each column the place of its field.
    places: Vec<usize>,
    fields: Vec<Field>,
    /// The delimiter that the header seems to have, when that is another.
    other: Option<u8>,
}

impl CsvRecords {
    /// Reads the header.
    ///
    /// # Errors
    /// When there is none, it cannot be read, is no text, names a column twice, lacks one of `layout.columns`, or seems to be of more columns
    /// than the one that the delimiter makes of it. Also when lines end with CR alone, as all of the file would be its header then.
    pub(super) fn open(mut input: Input, layout: &Layout) -> Result<Self> {
        skip_blank_lines(&mut input)?;
        let first_line = memchr(b'\n', input.bytes()).unwrap_or(input.bytes().len());
        let first_line = &input.bytes()[..first_line];
        if has_bare_return(first_line, layout.quote) {
            return Err(input
                .error("the header has a carriage return without a line feed, expected lines that end with LF or CRLF")
                .hint("convert the line ends before the file is delivered, as `tr '\\r' '\\n'` does"));
        }
        let mut reader = Self {
            dialect: Dialect {
                delimiter: layout.delimiter.resolve(first_line),
                quote: layout.quote,
            },
            other: layout.delimiter.other(first_line),
            input,
            encoding: layout.encoding,
            max_record_bytes: layout.max_record_bytes,
            width: 0,
            columns: Arc::default(),
            places: Vec::new(),
            fields: Vec::new(),
        };
        let names = reader.read_header()?;
        if let (1, Some(other)) = (names.len(), reader.other) {
            let error = Error::new(format!(
                "the header of `{}` is a single column, expected one that `delimiter` separates",
                reader.input.name()
            ));
            return Err(error.hint(delimiter::hint(other)));
        }
        reader.width = names.len();
        (reader.places, reader.columns) = match &layout.columns {
            None => ((0..names.len()).collect(), names),
            Some(wanted) => {
                let places = names::places(&names, wanted, reader.input.name());
                let places = places.map_err(|error| match reader.other {
                    Some(other) => error.hint(delimiter::hint(other)),
                    None => error,
                })?;
                (places, wanted.as_slice().into())
            }
        };
        Ok(reader)
    }

    fn read_header(&mut self) -> Result<Arc<[String]>> {
        let Some(found) = self.find()? else {
            return Err(names::empty(self.input.name(), "a header line"));
        };
        let Found::Record { length, whole } = found else {
            self.first_line()?;
            return Err(self
                .input
                .error("the header has a quote that does not close its field")
                .hint("look at `quote` and `delimiter` of the source"));
        };
        let raw = &self.input.bytes()[..length];
        if let Some((_, detail)) = unreadable(raw, self.encoding) {
            return Err(self
                .input
                .error(format!("the header cannot be read: {detail}"))
                .hint("set `encoding` of the source to `latin1` or `windows-1252` if that is what it is"));
        }
        if let Some(column) = self
            .fields
            .iter()
            .position(|field| holds_control(raw, *field))
        {
            return Err(self
                .input
                .error(format!(
                    "the name of column {} holds a control character, expected text",
                    column + 1
                ))
                .hint("look at what was delivered: it does not seem to be CSV"));
        }
        let cells = Cells::of(raw, self.encoding, self.dialect);
        let header: Vec<_> = self.fields.iter().map(|field| cells.get(*field)).collect();
        let names = names::from_header(header.iter().map(|name| name.as_deref().unwrap_or("")))
            .map_err(|text| {
                self.input
                    .error(text)
                    .hint("give each column a name of its own")
            })?;
        consume(&mut self.input, whole);
        Ok(names)
    }

    /// Looks for the next record, reading on as far as needed; `None` at the end of the file.
    fn find(&mut self) -> Result<Option<Found>> {
        skip_blank_lines(&mut self.input)?;
        if self.input.bytes().is_empty() {
            return Ok(None);
        }
        loop {
            let complete = self.input.complete();
            let found = self
                .dialect
                .scan(self.input.bytes(), complete, &mut self.fields);
            let length = match found {
                Found::Record { length, .. } => length,
                Found::Part => self.input.bytes().len(),
                Found::BadQuote => 0,
            };
            if length > self.max_record_bytes {
                // a quote that never closes; or a line that never ends, which `first_line` refuses
                return Ok(Some(Found::BadQuote));
            }
            if found != Found::Part {
                return Ok(Some(found));
            }
            self.input.fill()?;
        }
    }

    /// Length of the first line, without its end and with it.
    fn first_line(&mut self) -> Result<(usize, usize)> {
        loop {
            let bytes = self.input.bytes();
            let end = memchr(b'\n', bytes);
            let length = end.unwrap_or(bytes.len());
            if length > self.max_record_bytes {
                return Err(self.input.too_long(self.max_record_bytes));
            }
            if end.is_some() || self.input.complete() {
                let whole = length + usize::from(end.is_some());
                let cr = bytes[..length].last() == Some(&b'\r');
                return Ok((length - usize::from(cr), whole));
            }
            self.input.fill()?;
        }
    }

    fn reject_first_line(
        &mut self,
        reason: &'static str,
        detail: String,
        batch: &mut TextBatch,
    ) -> Result<()> {
        let (length, whole) = self.first_line()?;
        batch.rejects.push(BadRecord {
            line: self.input.line(),
            reason,
            detail,
            raw: self.input.bytes()[..length].to_vec(),
        });
        consume(&mut self.input, whole);
        Ok(())
    }

    /// Takes the record of `length` bytes that was just found.
    fn take(&mut self, length: usize, whole: usize, batch: &mut TextBatch) {
        let raw = &self.input.bytes()[..length];
        let line = self.input.line();
        match unreadable(raw, self.encoding) {
            Some((reason, detail)) => batch.rejects.push(BadRecord {
                line,
                reason,
                detail,
                raw: raw.to_vec(),
            }),
            None => {
                let cells = Cells::of(raw, self.encoding, self.dialect);
                let fields = &self.fields;
                let row = self.places.iter().map(|&place| cells.get(fields[place]));
                batch.push(line, sha256(raw), row);
            }
        }
        consume(&mut self.input, whole);
    }
}

impl Records for CsvRecords {
    fn columns(&self) -> &Arc<[String]> {
        &self.columns
    }

    fn doubt(&self) -> Option<String> {
        self.other.map(delimiter::hint)
    }

    fn read(&mut self, batch: &mut TextBatch) -> Result<bool> {
        match self.find()? {
            None => return Ok(false),
            Some(Found::Record { length, whole }) if self.fields.len() == self.width => {
                self.take(length, whole, batch);
            }
            Some(Found::Record { .. }) => {
                let (found, expected) = (self.fields.len(), self.width);
                let detail = format!("found {found} fields, expected {expected}");
                self.reject_first_line("ragged", detail, batch)?;
            }
            Some(Found::BadQuote | Found::Part) => {
                let detail = "a quote does not close its field".to_owned();
                self.reject_first_line("bad_quote", detail, batch)?;
            }
        }
        Ok(true)
    }
}

/// The cells of one readable record.
struct Cells<'a> {
    raw: &'a [u8],
    /// The record as text when its bytes are that already, so that a cell is a slice of it.
    text: Option<&'a str>,
    encoding: Encoding,
    quote: char,
}

impl<'a> Cells<'a> {
    fn of(raw: &'a [u8], encoding: Encoding, dialect: Dialect) -> Self {
        let text = match encoding {
            Encoding::Utf8 => std::str::from_utf8(raw).ok(),
            Encoding::Latin1 | Encoding::Windows1252 => None,
        };
        Self {
            raw,
            text,
            encoding,
            quote: char::from(dialect.quote.unwrap_or(b'"')),
        }
    }

    /// The text of `field`; `None` when it is null.
    fn get(&self, field: Field) -> Option<Cow<'a, str>> {
        if field.start == field.end && !field.quoted {
            return None;
        }
        let range = field.start..field.end;
        let text = match self.text {
            Some(text) => Cow::Borrowed(&text[range]),
            None => self.encoding.decode(&self.raw[range])?,
        };
        if !field.doubled {
            return Some(text);
        }
        let one = self.quote.to_string();
        Some(Cow::Owned(text.replace(&one.repeat(2), &one)))
    }
}

/// Why no text can be made of `raw`, if so: a stable word, and what was found.
fn unreadable(raw: &[u8], encoding: Encoding) -> Option<(&'static str, String)> {
    if let Some(at) = memchr(0, raw) {
        return Some(("nul_byte", format!("byte {} is NUL", at + 1)));
    }
    match encoding {
        Encoding::Utf8 => std::str::from_utf8(raw).err().map(|error| {
            let at = error.valid_up_to() + 1;
            ("bad_encoding", format!("byte {at} is not UTF-8"))
        }),
        Encoding::Latin1 | Encoding::Windows1252 => None,
    }
}

/// Whether a CR stands outside quotes that does not end `first_line`.
fn has_bare_return(first_line: &[u8], quote: Option<u8>) -> bool {
    let mut quoted = false;
    first_line.iter().enumerate().any(|(at, byte)| {
        quoted ^= quote == Some(*byte);
        *byte == b'\r' && !quoted && at + 1 < first_line.len()
    })
}

/// Whether a name holds what no text does; between quotes it may be of several lines.
fn holds_control(raw: &[u8], name: Field) -> bool {
    let allowed = |byte: &u8| match byte {
        b'\t' => true,
        b'\r' | b'\n' => name.quoted,
        byte => !byte.is_ascii_control(),
    };
    !raw[name.start..name.end].iter().all(allowed)
}

fn consume(input: &mut Input, count: usize) {
    let lines = memchr_iter(b'\n', &input.bytes()[..count]).count();
    input.consume(count, lines as u64);
}

fn skip_blank_lines(input: &mut Input) -> Result<()> {
    loop {
        match input.bytes() {
            [b'\n', ..] => input.consume(1, 1),
            [b'\r', b'\n', ..] => input.consume(2, 1),
            [] | [b'\r'] if !input.complete() => input.fill()?,
            [b'\r'] => input.consume(1, 0),
            _ => return Ok(()),
        }
    }
}
