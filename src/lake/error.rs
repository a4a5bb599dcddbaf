//! Errors of the engine and of Delta tables as the house's. Those that arise while rows pass through may quote a value, so their
//! text is never passed on.

use datafusion::arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use deltalake::DeltaTableError;

use crate::base::Error;

/// An error of parsing or planning: it speaks of names and types only.
pub(super) fn planning(error: DataFusionError) -> Error {
    match error.find_root() {
        DataFusionError::External(_) | DataFusionError::ArrowError(..) => running(error),
        root => Error::new(first_line(&root.strip_backtrace())),
    }
}

/// An error of execution.
pub fn running(error: DataFusionError) -> Error {
    match error.find_root() {
        DataFusionError::External(source) => match source.downcast_ref::<Error>() {
            Some(own) => again(own),
            None => match source.downcast_ref::<DeltaTableError>() {
                Some(delta) => of_delta(delta),
                None => unknown("an external error"),
            },
        },
        DataFusionError::ResourcesExhausted(_) => exhausted(),
        DataFusionError::IoError(error) => Error::new(format!(
            "a file of the lake cannot be read or written ({})",
            error.kind()
        ))
        .transient(),
        DataFusionError::ObjectStore(_) => {
            Error::new("a file of the lake cannot be read or written").transient()
        }
        DataFusionError::ParquetError(_) => {
            Error::new("a Parquet file of the lake cannot be read or written")
        }
        DataFusionError::ArrowError(error, _) => of_arrow(error),
        root @ (DataFusionError::Plan(_)
        | DataFusionError::SchemaError(..)
        | DataFusionError::NotImplemented(_)) => Error::new(first_line(&root.strip_backtrace())),
        _ => unknown("an error of execution"),
    }
}

/// An error of a Delta table.
pub(super) fn delta(error: DeltaTableError) -> Error {
    of_delta(&error)
}

fn of_delta(error: &DeltaTableError) -> Error {
    match error {
        DeltaTableError::Arrow { source } => of_arrow(source),
        DeltaTableError::Io { .. } | DeltaTableError::ObjectStore { .. } => {
            Error::new("a Delta table cannot be read or written").transient()
        }
        DeltaTableError::Transaction { .. } => {
            Error::new("a Delta table was changed by somebody else at the same time").transient()
        }
        DeltaTableError::InvalidVersion(version) => {
            Error::new(format!("a Delta table has no version {version}"))
        }
        DeltaTableError::SchemaMismatch { .. } => {
            Error::new("the rows do not have the columns of the Delta table")
        }
        DeltaTableError::Generic(text) if text.contains("Resources exhausted") => exhausted(),
        DeltaTableError::Generic(text)
            if ["Error during planning", "Schema error"]
                .iter()
                .any(|start| text.starts_with(start)) =>
        {
            Error::new(first_line(text))
        }
        _ => unknown("an error of a Delta table"),
    }
}

fn of_arrow(error: &ArrowError) -> Error {
    match error {
        ArrowError::CastError(_) | ArrowError::ParseError(_) => {
            Error::new("a value does not fit the type that the SQL casts it to")
                .hint("`try_cast(x AS …)` gives null for such values")
        }
        ArrowError::ArithmeticOverflow(_) => {
            Error::new("a number became too large for its type").hint("cast to a wider type first")
        }
        ArrowError::DivideByZero => {
            Error::new("a division by zero").hint("`nullif(x, 0)` gives null instead")
        }
        ArrowError::ExternalError(source) => match source.downcast_ref::<Error>() {
            Some(own) => again(own),
            None => unknown("an external error"),
        },
        _ => unknown("an error of execution"),
    }
}

const EXHAUSTED: &str = "the query needs more memory than `lake.memory_mb` allows";

/// Whether `error` says that memory did not suffice.
pub(super) fn is_exhausted(error: &Error) -> bool {
    error.to_string().ends_with(EXHAUSTED)
}

fn exhausted() -> Error {
    Error::new(EXHAUSTED).hint("raise `memory_mb` in section `[lake]` of `galen.toml`")
}

fn unknown(kind: &str) -> Error {
    Error::new(format!("the query stopped: {kind}"))
        .hint("its text may hold values and is not shown; run parts of the query to find the place")
}

fn again(own: &Error) -> Error {
    let error = Error::new(own.to_string());
    let error = match own.hint_text() {
        Some(hint) => error.hint(hint),
        None => error,
    };
    match own.is_transient() {
        true => error.transient(),
        false => error,
    }
}

/// Of an engine's text the first line, as our messages are written: lower case, no full stop.
pub(super) fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default().trim();
    let line = [
        "Error during planning: ",
        "Schema error: ",
        "SQL error: ",
        "This feature is not implemented: ",
    ]
    .iter()
    .fold(line, |line, prefix| {
        line.strip_prefix(prefix).unwrap_or(line)
    });
    let line = line.trim_end_matches('.');
    let mut chars = line.chars();
    match chars.next() {
        Some(first) if !chars.as_str().starts_with(char::is_uppercase) => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => line.to_owned(),
    }
}
