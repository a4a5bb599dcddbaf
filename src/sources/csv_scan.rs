//! Where a CSV record ends and its fields are; pure.
//!
//! The `csv` crate is made to read any file somehow: an unclosed quote swallows the rest of the file, and text after a
//! closing quote joins its field. Here one bad record must cost one record, so the cutting is our own.

use memchr::{memchr, memchr2};

/// The two bytes that mean something besides the line's end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dialect {
    /// Between fields.
    pub delimiter: u8,
    /// Around fields that need it.
    pub quote: Option<u8>,
}

/// A field's place in its record, quotes excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field {
    /// First byte.
    pub start: usize,
    /// One past the last.
    pub end: usize,
    /// Whether it stands between quotes.
    pub quoted: bool,
    /// Whether it holds doubled quotes.
    pub doubled: bool,
}

/// What stands at the start of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// A record of `length` bytes; with its line's end, `whole`.
    Record {
        /// Without the line's end.
        length: usize,
        /// With it.
        whole: usize,
    },
    /// The first part of a record.
    Part,
    /// A field whose closing quote is missing, or is followed by something.
    BadQuote,
}

impl Dialect {
    /// Looks at the start of `bytes`, which `complete` says are the last; the fields of a record go to `fields`.
    ///
    /// A quote means something at the start of a field only; elsewhere it is text.
    pub(super) fn scan(self, bytes: &[u8], complete: bool, fields: &mut Vec<Field>) -> Found {
        fields.clear();
        let mut at = 0;
        loop {
            let quoted = self.quote.filter(|quote| bytes.get(at) == Some(quote));
            let field = match quoted {
                Some(quote) => quoted_field(bytes, at, quote),
                None => self.plain_field(bytes, at),
            };
            let Some(mut field) = field else {
                return match (complete, quoted) {
                    (false, _) => Found::Part,
                    (true, Some(_)) => Found::BadQuote,
                    (true, None) => {
                        fields.push(plain(at, without_cr(bytes, at, bytes.len())));
                        end_of(fields, bytes.len())
                    }
                };
            };
            let after = field.end + usize::from(field.quoted);
            match &bytes[after..] {
                [] | [b'\r'] if !complete => return Found::Part,
                [byte, ..] if *byte == self.delimiter => {
                    fields.push(field);
                    at = after + 1;
                }
                [b'\n', ..] => {
                    if !field.quoted {
                        field.end = without_cr(bytes, field.start, field.end);
                    }
                    fields.push(field);
                    return end_of(fields, after + 1);
                }
                [b'\r', b'\n', ..] => {
                    fields.push(field);
                    return end_of(fields, after + 2);
                }
                [] | [b'\r'] => {
                    fields.push(field);
                    return end_of(fields, bytes.len());
                }
                _ => return Found::BadQuote,
            }
        }
    }

    fn plain_field(self, bytes: &[u8], start: usize) -> Option<Field> {
        let length = memchr2(self.delimiter, b'\n', &bytes[start..])?;
        Some(plain(start, start + length))
    }
}

/// The quoted field whose opening quote is at `open`; `None` when its closing quote is not there.
fn quoted_field(bytes: &[u8], open: usize, quote: u8) -> Option<Field> {
    let mut from = open + 1;
    let mut doubled = false;
    loop {
        let close = from + memchr(quote, &bytes[from..])?;
        if bytes.get(close + 1) != Some(&quote) {
            return Some(Field {
                start: open + 1,
                end: close,
                quoted: true,
                doubled,
            });
        }
        doubled = true;
        from = close + 2;
    }
}

fn plain(start: usize, end: usize) -> Field {
    Field {
        start,
        end,
        quoted: false,
        doubled: false,
    }
}

fn without_cr(bytes: &[u8], start: usize, end: usize) -> usize {
    end - usize::from(end > start && bytes[end - 1] == b'\r')
}

fn end_of(fields: &[Field], whole: usize) -> Found {
    let length = fields
        .last()
        .map_or(0, |field| field.end + usize::from(field.quoted));
    Found::Record { length, whole }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMA: Dialect = Dialect {
        delimiter: b',',
        quote: Some(b'"'),
    };

    fn cells(bytes: &[u8]) -> (Vec<&str>, Found) {
        let mut fields = Vec::new();
        let found = COMMA.scan(bytes, true, &mut fields);
        let cells = fields
            .iter()
            .map(|field| std::str::from_utf8(&bytes[field.start..field.end]).expect("text"))
            .collect();
        (cells, found)
    }

    #[test]
    fn fields_end_where_they_should() {
        let record = |length, whole| Found::Record { length, whole };
        assert_eq!(cells(b"a,b\nc"), (vec!["a", "b"], record(3, 4)));
        assert_eq!(cells(b"a,b\r\nc"), (vec!["a", "b"], record(3, 5)));
        assert_eq!(cells(b"a,\"b\"\r\nc"), (vec!["a", "b"], record(5, 7)));
        assert_eq!(cells(b"a,b"), (vec!["a", "b"], record(3, 3)));
        assert_eq!(cells(b"a,\r"), (vec!["a", ""], record(2, 3)));
        assert_eq!(cells(b",\n"), (vec!["", ""], record(1, 2)));
        assert_eq!(cells(b"\"a\nb\",c\n"), (vec!["a\nb", "c"], record(7, 8)));
        assert_eq!(
            cells(b"5\" tube,c\n"),
            (vec!["5\" tube", "c"], record(9, 10))
        );
        assert_eq!(
            cells(b"\"a\"\"b\",\"\"\n"),
            (vec!["a\"\"b", ""], record(9, 10))
        );
    }

    #[test]
    fn a_quote_that_does_not_close_its_field_is_seen() {
        assert_eq!(cells(b"\"a\"b,c\n").1, Found::BadQuote);
        assert_eq!(cells(b"a,\"b\nc,d\n").1, Found::BadQuote);
    }

    #[test]
    fn a_part_is_never_taken_for_a_record() {
        let whole = b"a,\"b\"\"c\nd\"\r\n";
        for length in 0..whole.len() {
            let found = COMMA.scan(&whole[..length], false, &mut Vec::new());
            assert_eq!(found, Found::Part, "{length} bytes");
        }
    }
}
