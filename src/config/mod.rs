//! Settings: defaults < `galen.toml` < `GALEN_*` environment < flags. One file per section.
//!
//! Belongs here: what an installation decides. Does not belong here: what a DAG decides.

use std::path::PathBuf;

use crate::base::Secret;

/// Everything an installation decides, checked.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Where `dags/`, `data_sample/` and `state/` are.
    pub home: PathBuf,
    /// PostgreSQL for metadata and records; SQLite files under `state/` without it.
    pub database_url: Option<Secret>,
}
