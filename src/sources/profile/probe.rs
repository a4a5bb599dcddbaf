//! What a file is before it is read: compression, encoding, language, delimiter.

use std::path::Path;

use crate::base::Result;
use crate::sources::input::Input;
use crate::sources::{Delimiter, Encoding, Format};

/// What the bytes of a file say about it.
pub(super) struct Probe {
    /// Whether they start with a byte order mark.
    pub bom: bool,
    /// `ascii`, `utf-8`, `windows-1252` or `latin1`.
    pub encoding_name: &'static str,
    /// The encoding to read with.
    pub encoding: Encoding,
    /// The language.
    pub format: Format,
    /// Between the fields, of CSV.
    pub delimiter: u8,
}

/// What was seen in the bytes so far.
#[derive(Default)]
struct Seen {
    /// A byte that ASCII does not have.
    high: bool,
    /// A byte that is a letter in Windows-1252 and none in Latin-1.
    windows: bool,
    /// Something that is not UTF-8.
    broken: bool,
}

impl Probe {
    /// Reads the whole file once.
    pub(super) fn of(path: &Path, name: &str) -> Result<Self> {
        let mut input = Input::open(path, name)?;
        let bom = input.had_mark();
        let first = input
            .bytes()
            .split(|&byte| byte == b'\n')
            .find(|line| !line.trim_ascii().is_empty());
        let first = first.unwrap_or_default();
        let delimiter = Delimiter::Auto.resolve(first);
        let format = format_of(name, first);
        let mut seen = Seen::default();
        loop {
            let taken = seen.look(input.bytes(), input.complete());
            input.consume(taken, 0);
            if input.complete() {
                break;
            }
            input.fill()?;
        }
        let (encoding_name, encoding) = seen.encoding();
        Ok(Self {
            bom,
            encoding_name,
            encoding,
            format,
            delimiter,
        })
    }
}

impl Seen {
    /// Looks at `bytes`; gives how many were looked at: a letter may be cut at the end.
    fn look(&mut self, bytes: &[u8], last: bool) -> usize {
        self.high |= !bytes.is_ascii();
        if self.high {
            self.windows |= bytes.iter().any(|byte| (0x80..=0x9F).contains(byte));
        }
        match std::str::from_utf8(bytes) {
            Err(error) if error.error_len().is_none() && !last => error.valid_up_to(),
            result => {
                self.broken |= result.is_err();
                bytes.len()
            }
        }
    }

    fn encoding(&self) -> (&'static str, Encoding) {
        match self {
            Self { high: false, .. } => ("ascii", Encoding::Utf8),
            Self { broken: false, .. } => ("utf-8", Encoding::Utf8),
            Self { windows: true, .. } => ("windows-1252", Encoding::Windows1252),
            _ => ("latin1", Encoding::Latin1),
        }
    }
}

/// The language, by the name's ending where it says so, else by the first byte.
fn format_of(name: &str, first_line: &[u8]) -> Format {
    let name = name.to_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("csv" | "tsv" | "txt" | "psv") => Format::Csv,
        Some("json") if !first_line.trim_ascii_start().starts_with(b"{") => Format::Json,
        Some("ndjson" | "jsonl" | "json") => Format::Ndjson,
        _ => match first_line.trim_ascii_start() {
            [b'[', ..] => Format::Json,
            [b'{', ..] => Format::Ndjson,
            _ => Format::Csv,
        },
    }
}
