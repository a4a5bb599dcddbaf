//! All sections together.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Engine, LakeSettings, Limits, Logs, Pools, RecordsSettings, S3Settings};
use crate::base::Secret;

/// Everything an installation decides, checked. `Settings::load` reads it; tests fill it by hand.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where `dags/`, `data_sample/`, `galen.toml` and `state/` are; relative paths in DAG files start here.
    #[serde(skip)]
    pub home: PathBuf,
    /// PostgreSQL for metadata and records; SQLite files under `state/` without it.
    pub database_url: Option<Secret>,
    /// How runs are driven.
    pub engine: Engine,
    /// Named limits on tasks at the same time.
    pub pools: Pools,
    /// Logs of tries.
    pub logs: Logs,
    /// How records are written.
    pub records: RecordsSettings,
    /// What input may not exceed.
    pub limits: Limits,
    /// How models are computed.
    pub lake: LakeSettings,
    /// How object stores are reached.
    pub s3: S3Settings,
}

impl Settings {
    /// Where the DAG folders are.
    pub fn dags_dir(&self) -> PathBuf {
        self.home.join("dags")
    }

    /// Where everything that Galen writes is.
    pub fn state_dir(&self) -> PathBuf {
        self.home.join("state")
    }

    /// Where it is kept which DAGs were found sound.
    pub fn checked_dir(&self) -> PathBuf {
        self.state_dir().join("checked")
    }

    /// The first value that no setting may have: its key and what was expected.
    pub(super) fn flaw(&self) -> Option<(String, String)> {
        self.validate_database_url()
            .or_else(|| prefixed("engine", self.engine.validate()))
            .or_else(|| prefixed("pools", self.pools.validate()))
            .or_else(|| prefixed("logs", self.logs.validate()))
            .or_else(|| prefixed("records", self.records.validate()))
            .or_else(|| prefixed("limits", self.limits.validate()))
            .or_else(|| prefixed("lake", self.lake.validate()))
            .or_else(|| prefixed("s3", self.s3.validate()))
    }

    fn validate_database_url(&self) -> Option<(String, String)> {
        let url = self.database_url.as_ref()?.expose();
        let known = ["postgres://", "postgresql://"];
        (!known.iter().any(|scheme| url.starts_with(scheme))).then(|| {
            let expected = "expected `postgres://user:password@host:port/database`";
            ("database_url".to_owned(), expected.to_owned())
        })
    }
}

fn prefixed(section: &str, flaw: Result<(), Flaw>) -> Option<(String, String)> {
    let Flaw { key, expected } = flaw.err()?;
    Some((format!("{section}.{key}"), expected))
}

/// A value that a section refuses: its key within the section, and what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Flaw {
    /// Key within the section.
    pub key: String,
    /// What was expected.
    pub expected: String,
}

/// `Ok` when `holds`, else the flaw of `key`.
pub(super) fn expect(holds: bool, key: &str, expected: &str) -> Result<(), Flaw> {
    if holds {
        return Ok(());
    }
    Err(Flaw {
        key: key.to_owned(),
        expected: expected.to_owned(),
    })
}
