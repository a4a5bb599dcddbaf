//! A source's file into the archive.

use std::path::PathBuf;

use super::blocking::blocking;
use super::{TaskContext, TaskError};
use crate::base::{Digest, Error, Result};
use crate::sources::{Source, SourceFile};

/// A file in the archive, ready to be read.
pub(super) struct Fetched {
    /// Of its bytes.
    pub digest: Digest,
    /// Where its copy is.
    pub path: PathBuf,
}

/// Brings `file` into the archive.
pub(super) async fn fetch(
    context: &TaskContext,
    file: &SourceFile,
    source: &Source,
) -> Result<Fetched, TaskError> {
    let digest = match file {
        SourceFile::Local { path, name } => keep(context, path.clone(), name.clone()).await?,
        SourceFile::Remote { .. } => {
            return Err(Error::new("addresses are not read yet").into());
        }
    };
    check_digest(file.name(), digest, source.sha256.as_deref())?;
    Ok(Fetched {
        digest,
        path: context.records.archive().path(digest),
    })
}

async fn keep(context: &TaskContext, path: PathBuf, name: String) -> Result<Digest, TaskError> {
    let archive = context.records.archive();
    tokio::select! {
        biased;
        // a copy that goes on unwatched does no harm
        () = context.cancel.cancelled() => Err(TaskError::Cancelled),
        kept = blocking(move || archive.keep(&path, &name)) => Ok(kept?.digest),
    }
}

fn check_digest(name: &str, digest: Digest, expected: Option<&str>) -> Result<()> {
    match expected {
        Some(expected) if !expected.eq_ignore_ascii_case(&digest.to_string()) => Err(Error::new(
            format!("`{name}` has the SHA-256 {digest}, expected {expected}"),
        )
        .hint("the file is not the one that `sha256` of the source names")),
        _ => Ok(()),
    }
}
