//! Small JSON files beside the tables, for what is known from one run to the next.

use std::io::ErrorKind;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::base::{Error, Result, write_whole};

/// What the file holds; `None` when there is none.
///
/// # Errors
/// When it cannot be read.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    match std::fs::read(path) {
        Ok(text) => serde_json::from_slice(&text).map_err(|error| unusable(path, error.into())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unusable(path, error)),
    }
}

/// Writes the file as a whole.
///
/// # Errors
/// When it cannot be written.
pub(super) fn write(path: &Path, kept: &impl Serialize) -> Result<()> {
    let text = serde_json::to_vec(kept).map_err(|error| unusable(path, error.into()))?;
    write_whole(path, text).map_err(|error| unusable(path, error))
}

/// That a file or folder of results is of no use.
pub(super) fn unusable(path: &Path, error: std::io::Error) -> Error {
    Error::new(format!(
        "results of past runs in `{}` cannot be read or written",
        path.display()
    ))
    .hint("free its disk and permissions; a damaged file can be deleted, it holds no rows and runs write it anew")
    .because(error)
}
