//! The one error of the house: what is wrong, and the way out.

use std::fmt;

/// `Result` with Galen's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error a person can act on.
///
/// The message is lower case, without a full stop, names the thing in backticks, the place
/// (`file:line`) where there is one, and what was expected. The hint is the way out. Neither ever
/// holds a value from a data row.
pub struct Error(Box<Inner>);

struct Inner {
    message: String,
    hint: Option<String>,
    transient: bool,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error with the message `message`; permanent until [`Error::transient`] says otherwise.
    pub fn new(message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            message: message.into(),
            hint: None,
            transient: false,
            source: None,
        }))
    }

    /// Adds the way out, printed on a `hint:` line of its own.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Says where, before the message.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.0.message = format!("{place}: {}", self.0.message);
        self
    }

    /// Says that trying again later can help (a lost connection, a full disk, a lock).
    #[must_use]
    pub fn transient(mut self) -> Self {
        self.0.transient = true;
        self
    }

    /// Keeps the cause; `Display` of [`Error`] appends its text after a colon.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The way out, if one is known.
    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Whether a retry can help.
    pub fn is_transient(&self) -> bool {
        self.0.transient
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        match &self.0.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        match &self.0.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        None // already part of `Display`
    }
}
