//! Where the Delta tables of a DAG are.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use deltalake::DeltaTable;

use super::folder::Folder;
use super::lock::TableLock;
use crate::base::{DagId, Error, Result};
use crate::config::Settings;

/// The Delta tables of one DAG, in `<location>/<dag_id>/<layer>/<table>`, and what is known of them besides, which is in
/// `state/lake/<dag_id>` wherever they are.
#[derive(Debug, Clone)]
pub struct Lake {
    /// Locks, what is kept aside, and what is known from run to run.
    state: PathBuf,
    tables: Folder,
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
        let state = settings.state_dir().join("lake").join(dag_id.as_str());
        let location = settings.lake.location.trim_end_matches('/');
        Self {
            tables: Folder::new(settings, &format!("{location}/{dag_id}")),
            state: std::path::absolute(&state).unwrap_or(state),
        }
    }

    /// Where the table is, or would be.
    pub fn place(&self, layer: &str, table: &str) -> String {
        self.tables.place(&named(layer, table))
    }

    /// A folder for what a build of the table keeps aside while it runs.
    pub(super) fn aside(&self, layer: &str, table: &str) -> PathBuf {
        self.state.join(".aside").join(format!("{layer}.{table}"))
    }

    /// Where results of the table's tests are kept.
    pub(super) fn results(&self, layer: &str, table: &str) -> PathBuf {
        self.state
            .join(".tests")
            .join(format!("{layer}.{table}.json"))
    }

    /// The folder of what rules said of tables.
    pub(super) fn folder_of_rules(&self) -> PathBuf {
        self.state.join(".rules")
    }

    /// Names of the tables that exist in `layer`.
    ///
    /// # Errors
    /// When an object store cannot be asked.
    pub(super) async fn tables(&self, layer: &str) -> Result<Vec<String>> {
        self.tables.tables(layer).await
    }

    /// Waits until nobody else writes the table.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub(super) async fn lock(&self, layer: &str, table: &str) -> Result<TableLock> {
        TableLock::wait(&self.state.join(named(layer, table))).await
    }

    /// Waits until nobody else publishes files or Delta tables of this DAG.
    ///
    /// # Errors
    /// As [`Lake::lock`].
    pub(super) async fn lock_published(&self) -> Result<TableLock> {
        TableLock::wait(&self.state.join(".published")).await
    }

    /// The table as it is now; `None` when it was never written.
    ///
    /// # Errors
    /// When its log cannot be read.
    pub(super) async fn open(&self, layer: &str, table: &str) -> Result<Option<DeltaTable>> {
        self.tables.open(&named(layer, table)).await
    }

    /// The table as it is now, or one that is still to be written.
    ///
    /// # Errors
    /// As [`Lake::open`].
    pub(super) async fn open_or_new(&self, layer: &str, table: &str) -> Result<DeltaTable> {
        self.tables.open_or_new(&named(layer, table)).await
    }

    /// The table as it was.
    ///
    /// # Errors
    /// When there was no such table then.
    pub(super) async fn open_at(&self, layer: &str, table: &str, at: At) -> Result<DeltaTable> {
        let opened = self.tables.open_at(&named(layer, table), at).await?;
        opened.ok_or_else(|| {
            Error::new(format!("table `{layer}.{table}` has no such version")).hint(format!(
                "`galen tables` lists tables, and the log is in `{}`",
                self.place(layer, table)
            ))
        })
    }

    /// The table, whether it exists or not, nothing loaded.
    ///
    /// # Errors
    /// When its place cannot be said as a URL.
    pub(super) fn handle(&self, layer: &str, table: &str) -> Result<DeltaTable> {
        self.tables.handle(&named(layer, table))
    }
}

/// The name of a table in the folder of all tables.
fn named(layer: &str, table: &str) -> String {
    format!("{layer}/{table}")
}
