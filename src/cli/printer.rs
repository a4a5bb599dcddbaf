//! Where a command's words go: data to stdout, everything else to stderr.

use std::io::{self, BufWriter, ErrorKind, Write};

use super::Table;
use crate::base::{Error, Result};

/// Writes data and remarks. A reader that goes away (`| head`) is no error: what follows is not written.
pub struct Printer {
    out: BufWriter<Box<dyn Write + Send>>,
    err: Box<dyn Write + Send>,
    closed: bool,
}

impl Printer {
    /// On the process's stdout and stderr.
    pub fn standard() -> Self {
        Self::new(Box::new(io::stdout()), Box::new(io::stderr()))
    }

    /// On writers of one's own.
    pub fn new(out: Box<dyn Write + Send>, err: Box<dyn Write + Send>) -> Self {
        Self {
            out: BufWriter::with_capacity(64 * 1024, out),
            err,
            closed: false,
        }
    }

    /// Writes `text` to stdout as it is.
    ///
    /// # Errors
    /// When stdout cannot be written, as on a full disk.
    pub fn data(&mut self, text: &str) -> Result<()> {
        self.bytes(text.as_bytes())
    }

    /// Writes `text` and a line feed to stdout.
    ///
    /// # Errors
    /// As [`Printer::data`].
    pub fn line(&mut self, text: &str) -> Result<()> {
        self.data(text)?;
        self.data("\n")
    }

    /// Writes `bytes` to stdout.
    ///
    /// # Errors
    /// As [`Printer::data`].
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<()> {
        if self.closed {
            return Ok(());
        }
        let written = self.out.write_all(bytes);
        self.settle(written)
    }

    /// Writes a table to stdout: aligned text, or with `json` one array of objects.
    ///
    /// # Errors
    /// As [`Printer::data`].
    pub fn table(&mut self, table: &Table, json: bool) -> Result<()> {
        let text = match json {
            true => table.to_json(),
            false => table.to_string(),
        };
        self.data(&text)
    }

    /// Sends on what was written to stdout so far.
    ///
    /// # Errors
    /// As [`Printer::data`].
    pub fn flush(&mut self) -> Result<()> {
        if self.closed {
            return Ok(());
        }
        let flushed = self.out.flush();
        self.settle(flushed)
    }

    /// Whether nobody reads stdout any more.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Writes a remark to stderr, after all data so far.
    pub fn note(&mut self, text: &str) {
        // a remark that cannot be written has nowhere to be reported
        let _ = self.flush();
        let _ = writeln!(self.err, "{text}");
    }

    /// Writes an error and its way out to stderr.
    pub fn error(&mut self, error: &Error) {
        for line in error.to_string().lines() {
            self.note(&format!("error: {line}"));
        }
        for line in error.hint_text().unwrap_or_default().lines() {
            self.note(&format!("hint: {line}"));
        }
    }

    fn settle(&mut self, outcome: io::Result<()>) -> Result<()> {
        match outcome {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            Err(error) => {
                self.closed = true;
                Err(Error::new("cannot write to stdout")
                    .because(error)
                    .transient())
            }
            Ok(()) => Ok(()),
        }
    }
}

/// For rooms that write to a writer; bytes go to stdout.
impl Write for Printer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes(bytes).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Self::flush(self).map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Gone;

    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_goes_away_is_no_error() {
        let mut printer = Printer::new(Box::new(Gone), Box::new(io::sink()));
        printer.line("a").expect("buffered");
        assert!(!printer.is_closed());
        printer.flush().expect("no error");
        assert!(printer.is_closed());
        printer.line("b").expect("dropped");
    }
}
