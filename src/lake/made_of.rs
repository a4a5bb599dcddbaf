//! What the rows of a table were made of, so that the same rows are not made twice.

use deltalake::DeltaTable;
use deltalake::kernel::Transaction;
use deltalake::kernel::transaction::CommitProperties;
use serde::{Deserialize, Serialize};

use super::error::delta;
use super::{Lake, Warehouse};
use crate::base::{Result, sha256};

/// Under this name the log of a table says what its newest rows were made of.
const APPLICATION: &str = "galen.made_of";
/// What stands there when nobody can say.
const UNKNOWN: i64 = 0;

/// A number for all that decides the rows of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeOf(i64);

impl MadeOf {
    /// That of `parts`, in whatever order.
    pub(super) fn parts(parts: impl IntoIterator<Item = String>) -> Option<Self> {
        let mut parts: Vec<String> = parts.into_iter().collect();
        parts.sort();
        // another version of Galen may compute other rows
        parts.push(env!("CARGO_PKG_VERSION").to_owned());
        let digest = sha256(parts.join("\n\n")).to_string();
        let start = digest.get(..15)?;
        i64::from_str_radix(start, 16).ok().map(Self)
    }

    /// Whether the newest rows of `stored` were made of this.
    pub(super) async fn made(self, stored: &DeltaTable) -> Result<bool> {
        let log = stored.log_store();
        let snapshot = stored.snapshot().map_err(delta)?;
        let then = snapshot
            .transaction_version(log.as_ref(), APPLICATION)
            .await
            .map_err(delta)?;
        Ok(then == Some(self.0))
    }

    /// What a commit of rows made of `of` says.
    pub(super) fn commit(of: Option<Self>) -> CommitProperties {
        let number = of.map_or(UNKNOWN, |of| of.0);
        CommitProperties::default()
            .with_application_transaction(Transaction::new(APPLICATION, number))
    }
}

impl Lake {
    /// The exact version of a table as text; `None` when it is not there.
    pub(super) async fn version_text(&self, layer: &str, table: &str) -> Result<Option<String>> {
        let Some(stored) = self.open(layer, table).await? else {
            return Ok(None);
        };
        // a table that was deleted and made again counts its versions from 0, under another id
        let id = stored.snapshot().map_err(delta)?.metadata().id();
        let version = stored.version();
        Ok(Some(format!("{layer}.{table}\n{id}\n{version:?}")))
    }
}

impl Warehouse {
    /// A number for `texts` and the exact versions of `tables`, given by full names; `None` when one of them is not there.
    ///
    /// # Errors
    /// When the log of a table cannot be read.
    pub async fn made_of(&self, texts: Vec<String>, tables: &[String]) -> Result<Option<MadeOf>> {
        let mut parts = texts;
        for full_name in tables {
            let (layer, table) = full_name.split_once('.').unwrap_or_default();
            match self.lake.version_text(layer, table).await? {
                Some(version) => parts.push(version),
                None => return Ok(None),
            }
        }
        Ok(MadeOf::parts(parts))
    }

    /// Whether the newest rows of a table were made of `of`.
    ///
    /// # Errors
    /// When its log cannot be read.
    pub async fn is_made(&self, full_name: &str, of: MadeOf) -> Result<bool> {
        let (layer, table) = full_name.split_once('.').unwrap_or_default();
        match self.lake.open(layer, table).await? {
            Some(stored) => of.made(&stored).await,
            None => Ok(false),
        }
    }
}
