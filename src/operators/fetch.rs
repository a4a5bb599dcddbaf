//! A source's file into the archive.

use std::path::PathBuf;

use serde_json::json;

use super::blocking::blocking;
use super::{TaskContext, TaskError};
use crate::base::{Digest, Error, Result, sha256};
use crate::records;
use crate::sources::{
    Download, Downloaded, Source, SourceFile, Validators, header_map, http_client,
};

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
        SourceFile::Remote { url, name } => tokio::select! {
            biased;
            // what was gathered stays for the next try
            () = context.cancel.cancelled() => return Err(TaskError::Cancelled),
            digest = download(context, url, name, source) => digest?,
        },
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

/// Asks for what is at `url`, unless the archive has the version that is there.
async fn download(context: &TaskContext, url: &str, name: &str, source: &Source) -> Result<Digest> {
    let archive = context.records.archive();
    let address = sha256(url);
    let kept = context.records.downloaded(address).await?;
    let kept = kept.filter(|kept| archive.path(kept.digest).exists());
    let part = {
        let archive = archive.clone();
        blocking(move || archive.part(&format!("{address}.part"))).await?
    };
    // ours until the file is in the archive or the part is gone
    let part = part.ok_or_else(|| {
        Error::new(format!("`{name}` is being downloaded by another task")).transient()
    })?;
    let download = Download {
        client: &http_client()?,
        url,
        headers: header_map(&source.headers)?,
        known: kept.as_ref().map(|kept| Validators {
            etag: kept.etag.clone(),
            last_modified: kept.last_modified.clone(),
        }),
        part: part.path(),
    };
    let version = match download.run(part.file()).await? {
        Downloaded::Whole(version) => version,
        Downloaded::NotModified => {
            drop(part.remove());
            let kept =
                kept.ok_or_else(|| Error::new(format!("`{name}` answered without a file")))?;
            context
                .log
                .info("the file has not changed", json!({"file": name}));
            return Ok(kept.digest);
        }
    };
    let kept = blocking(move || archive.adopt(part)).await?;
    let downloaded = records::Downloaded {
        etag: version.etag,
        last_modified: version.last_modified,
        digest: kept.digest,
    };
    let now = context.clock.now();
    context
        .records
        .note_download(address, name, &downloaded, now)
        .await?;
    context.log.info(
        "downloaded a file",
        json!({"file": name, "bytes": kept.bytes}),
    );
    Ok(kept.digest)
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
