//! Versions of DAGs as the store keeps them, read back.

use crate::base::{Digest, Error, Result};
use crate::dag::Version;
use crate::store::Store;

/// The version with this hash, as it was stored.
///
/// # Errors
/// When it was never stored or cannot be read back, or the store cannot be read.
pub async fn stored_version(store: &Store, version: &Digest) -> Result<Version> {
    let stored = store.version(version).await?.ok_or_else(|| {
        Error::new(format!("DAG version `{version}` is not in the store"))
            .hint("the metadata database was changed by hand; restore it from a backup")
    })?;
    let files = stored.files.into_iter().collect();
    let read = Version::from_json(&stored.definition, files)?;
    Ok(Version {
        hash: *version,
        ..read
    })
}
