//! Where the Delta tables of a DAG are.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use deltalake::{DeltaTable, DeltaTableBuilder, ensure_table_uri};

use super::error::delta;
use super::lock::TableLock;
use crate::base::{DagId, Error, Result};
use crate::config::Settings;

/// The Delta tables of one DAG, in `state/lake/<dag_id>/<layer>/<table>`.
#[derive(Debug, Clone)]
pub struct Lake {
    root: PathBuf,
}

/// A moment of a table's past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// The table as its version so-and-so.
    Version(u64),
    /// The table as it was then.
    Time(DateTime<Utc>),
}

impl Lake {
    /// The tables of `dag_id`. Touches no disk.
    pub fn new(settings: &Settings, dag_id: &DagId) -> Self {
        let root = settings.state_dir().join("lake").join(dag_id.as_str());
        Self {
            // tables are opened by URL, which knows no current folder
            root: std::path::absolute(&root).unwrap_or(root),
        }
    }

    /// Where the table is, or would be.
    pub fn path(&self, layer: &str, table: &str) -> PathBuf {
        self.root.join(layer).join(table)
    }

    /// A folder for what a build of the table keeps aside while it runs.
    pub(super) fn aside(&self, layer: &str, table: &str) -> PathBuf {
        self.root.join(".aside").join(format!("{layer}.{table}"))
    }

    /// Where results of the table's tests are kept.
    pub(super) fn results(&self, layer: &str, table: &str) -> PathBuf {
        self.root
            .join(".tests")
            .join(format!("{layer}.{table}.json"))
    }

    /// The folder of what rules said of tables.
    pub(super) fn folder_of_rules(&self) -> PathBuf {
        self.root.join(".rules")
    }

    /// Names of the tables that exist in `layer`.
    pub(super) fn tables(&self, layer: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.root.join(layer)).into_iter();
        let mut names: Vec<String> = entries
            .flatten()
            .flatten()
            .filter(|entry| is_table(&entry.path()))
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// Waits until nobody else writes the table.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub(super) async fn lock(&self, layer: &str, table: &str) -> Result<TableLock> {
        TableLock::wait(&self.path(layer, table)).await
    }

    /// The table as it is now; `None` when it was never written.
    ///
    /// # Errors
    /// When its log cannot be read.
    pub(super) async fn open(&self, layer: &str, table: &str) -> Result<Option<DeltaTable>> {
        let path = self.path(layer, table);
        if !is_table(&path) {
            return Ok(None);
        }
        let mut opened = self.handle(layer, table)?;
        opened.load().await.map_err(delta)?;
        Ok(Some(opened))
    }

    /// The table as it was.
    ///
    /// # Errors
    /// When there was no such table then.
    pub(super) async fn open_at(&self, layer: &str, table: &str, at: At) -> Result<DeltaTable> {
        let path = self.path(layer, table);
        let absent = || {
            Error::new(format!("table `{layer}.{table}` has no such version")).hint(format!(
                "`galen tables` lists tables, and the log is in `{}`",
                path.display()
            ))
        };
        if !is_table(&path) {
            return Err(absent());
        }
        let mut opened = self.handle(layer, table)?;
        let loaded = match at {
            At::Version(version) => opened.load_version(version).await,
            At::Time(time) => {
                // before its first version there was no table, and the earliest is not what was asked for
                let first = path.join("_delta_log/00000000000000000000.json");
                let made = std::fs::metadata(first).and_then(|about| about.modified());
                if made.is_ok_and(|made| DateTime::<Utc>::from(made) > time) {
                    return Err(absent());
                }
                opened.load_with_datetime(time).await
            }
        };
        loaded.map_err(|_| absent())?;
        Ok(opened)
    }

    /// The table, whether it exists or not, nothing loaded.
    ///
    /// # Errors
    /// When its place cannot be said as a URL.
    pub(super) fn handle(&self, layer: &str, table: &str) -> Result<DeltaTable> {
        let path = self.path(layer, table);
        std::fs::create_dir_all(&path).map_err(|error| {
            Error::new(format!("cannot create folder `{}`", path.display())).because(error)
        })?;
        let url = ensure_table_uri(path.display().to_string()).map_err(delta)?;
        let builder = DeltaTableBuilder::from_url(url).map_err(delta)?;
        builder.build().map_err(delta)
    }
}

fn is_table(path: &Path) -> bool {
    path.join("_delta_log").is_dir()
}
