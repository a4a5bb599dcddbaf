//! What was downloaded before, so that the same is not downloaded again.

use chrono::{DateTime, Utc};

use super::Records;
use crate::base::{Digest, Result};
use crate::on_conn;

const FIND: &str = "SELECT etag, last_modified, sha256 FROM _downloads WHERE address = $1";
const NOTE: &str = "INSERT INTO _downloads (address, name, etag, last_modified, sha256, at) \
     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (address) DO UPDATE SET \
     etag = excluded.etag, last_modified = excluded.last_modified, sha256 = excluded.sha256, at = excluded.at";

/// The version of a file that was downloaded last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Downloaded {
    /// How the server names the version.
    pub etag: Option<String>,
    /// When the server says that it was made.
    pub last_modified: Option<String>,
    /// Of its bytes, under which the archive has it.
    pub digest: Digest,
}

impl Records {
    /// What was downloaded last from the address whose SHA-256 is `address`: the address itself may hold a secret.
    ///
    /// # Errors
    /// The database's.
    pub async fn downloaded(&self, address: Digest) -> Result<Option<Downloaded>> {
        let mut read = self.read().await?;
        let row: Option<(Option<String>, Option<String>, String)> = on_conn!(read.conn()?, c => {
            sqlx::query_as(FIND).bind(address.to_string()).fetch_optional(&mut *c).await
        })?;
        Ok(row.and_then(|(etag, last_modified, sha256)| {
            Some(Downloaded {
                etag,
                last_modified,
                digest: Digest::parse(&sha256)?,
            })
        }))
    }

    /// Notes what was downloaded; `name` is the public part of the address.
    ///
    /// # Errors
    /// The database's.
    pub async fn note_download(
        &self,
        address: Digest,
        name: &str,
        version: &Downloaded,
        at: DateTime<Utc>,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        on_conn!(tx.conn()?, c => {
            sqlx::query(NOTE)
                .bind(address.to_string())
                .bind(name)
                .bind(&version.etag)
                .bind(&version.last_modified)
                .bind(version.digest.to_string())
                .bind(at)
                .execute(&mut *c)
                .await
                .map(drop)
        })?;
        tx.commit().await
    }
}
