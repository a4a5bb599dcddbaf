//! A window on a file's bytes: decompressed, refilled as it is consumed, never larger than it must be.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use crate::base::{Error, Result};

/// Bytes asked of the file at a time.
const CHUNK: usize = 256 * 1024;

/// The part of a file that is being cut into records.
pub(super) struct Input {
    name: String,
    source: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    /// First byte not yet consumed.
    start: usize,
    /// One past the last byte read.
    end: usize,
    complete: bool,
    line: u64,
    /// Whether a byte order mark was taken away.
    mark: bool,
}

impl Input {
    /// Opens the file at `path`, shown in errors as `name`; gzip, also of several members, is recognised by its first bytes.
    pub(super) fn open(path: &Path, name: &str) -> Result<Self> {
        let mut file = File::open(path).map_err(|error| open_error(name, error))?;
        if file
            .metadata()
            .map_err(|error| open_error(name, error))?
            .is_dir()
        {
            return Err(directory_error(name));
        }
        let gzip = starts_with_gzip(&mut file).map_err(|error| open_error(name, error))?;
        let source: Box<dyn Read + Send> = if gzip {
            Box::new(MultiGzDecoder::new(BufReader::with_capacity(CHUNK, file)))
        } else {
            Box::new(file)
        };
        let mut input = Self::new(source, name);
        input.fill()?;
        input.check_text()?;
        Ok(input)
    }

    fn new(source: Box<dyn Read + Send>, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            source,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            complete: false,
            line: 1,
            mark: false,
        }
    }

    /// The file as errors name it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether the file starts with a byte order mark, which is no part of [`Input::bytes`].
    pub(super) fn had_mark(&self) -> bool {
        self.mark
    }

    /// Line of the first byte of [`Input::bytes`], from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// Bytes read and not yet consumed.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Whether nothing follows [`Input::bytes`].
    pub(super) fn complete(&self) -> bool {
        self.complete
    }

    /// Consumes `count` bytes, in which there are `lines` line breaks.
    pub(super) fn consume(&mut self, count: usize, lines: u64) {
        self.start += count;
        self.line += lines;
    }

    /// Reads on, at least doubling what is there when it is large, so that looking again from its start stays cheap.
    pub(super) fn fill(&mut self) -> Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let wanted = self.end + CHUNK.max(self.end);
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
        while self.end < wanted {
            match self.source.read(&mut self.buffer[self.end..wanted]) {
                Ok(0) => {
                    self.complete = true;
                    break;
                }
                Ok(count) => self.end += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.read_error(error)),
            }
        }
        Ok(())
    }

    /// An error at the present line.
    pub(super) fn error(&self, message: impl std::fmt::Display) -> Error {
        self.error_at(self.line, message)
    }

    /// An error at `line`.
    pub(super) fn error_at(&self, line: u64, message: impl std::fmt::Display) -> Error {
        Error::new(format!("`{}:{line}`: {message}", self.name))
    }

    /// The error for a record of more than `limit` bytes.
    pub(super) fn too_long(&self, limit: usize) -> Error {
        self.error(format!(
            "a record is longer than {limit} bytes, the limit of `limits.max_record_bytes`"
        ))
        .hint("look for missing line breaks at that line, or raise the limit in `galen.toml`")
    }

    /// Takes a byte order mark away and refuses what is not text of one byte a letter, and a page of the web.
    fn check_text(&mut self) -> Result<()> {
        if self.bytes().starts_with(&[0xEF, 0xBB, 0xBF]) {
            self.consume(3, 0);
            self.mark = true;
        }
        let found = match self.bytes() {
            [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => "UTF-16 text",
            [b'P', b'K', 3, 4, ..] => "a zip archive or a spreadsheet",
            [0x28, 0xB5, 0x2F, 0xFD, ..] => "compressed with zstd",
            [b'P', b'A', b'R', b'1', ..] => "a parquet file",
            bytes if is_page(bytes) => {
                return Err(Error::new(format!(
                    "`{}` is an HTML page, expected CSV or JSON",
                    self.name
                ))
                .hint("look at what was delivered; an address gives a page when it wants a login or has moved"));
            }
            _ => return Ok(()),
        };
        Err(Error::new(format!(
            "`{}` is {found}, expected text in UTF-8, Latin-1 or Windows-1252, plain or compressed with gzip",
            self.name
        ))
        .hint("convert the file before it is delivered"))
    }

    fn read_error(&self, error: io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Error::new(format!(
                "`{}` is cut short: the gzip data ends before its end mark",
                self.name
            ))
            .hint("deliver the file again; records before the cut were kept"),
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => Error::new(format!(
                "`{}` is damaged: the gzip data does not agree with its checksum",
                self.name
            ))
            .hint("deliver the file again"),
            _ => open_error(&self.name, error),
        }
    }
}

/// Whether `bytes` start as HTML does.
fn is_page(bytes: &[u8]) -> bool {
    let bytes = bytes.trim_ascii_start();
    let starts = |tag: &str| match bytes.split_at_checked(tag.len()) {
        Some((start, rest)) => {
            start.eq_ignore_ascii_case(tag.as_bytes())
                && !rest.first().is_some_and(u8::is_ascii_alphanumeric)
        }
        None => false,
    };
    starts("<!doctype html") || starts("<html")
}

fn starts_with_gzip(file: &mut File) -> io::Result<bool> {
    let mut magic = Vec::with_capacity(2);
    file.by_ref().take(2).read_to_end(&mut magic)?;
    file.rewind()?;
    Ok(magic == [0x1F, 0x8B])
}

/// The error for a folder where a file was expected.
pub(super) fn directory_error(name: &str) -> Error {
    Error::new(format!("`{name}` is a directory, expected a file")).hint(format!(
        "name the files in it with a pattern, as `{}/*.csv`",
        name.trim_end_matches('/')
    ))
}

/// The error for a file that cannot be opened or read.
pub(super) fn open_error(name: &str, error: io::Error) -> Error {
    let failed = Error::new(format!("cannot read `{name}`"));
    match error.kind() {
        io::ErrorKind::NotFound => Error::new(format!("file `{name}` does not exist"))
            .hint("relative paths start at the home folder (`--home`)"),
        io::ErrorKind::PermissionDenied => failed
            .because(error)
            .hint("give the user who runs galen the right to read it"),
        _ => failed.because(error).transient(),
    }
}
