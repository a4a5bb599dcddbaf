//! Delta tables below one folder: a DAG's own, or those published for others.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use deltalake::{DeltaTable, DeltaTableBuilder, ensure_table_uri};

use super::At;
use super::error::delta;
use crate::base::{Error, Result};

/// A folder below which Delta tables are, each named by its path from here.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// The folder at `path`. Touches no disk.
    pub fn new(path: &Path) -> Self {
        Self {
            // tables are opened by URL, which knows no current folder
            path: std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
        }
    }

    /// Where the table is, or would be.
    pub fn path(&self, table: &str) -> PathBuf {
        self.path.join(table)
    }

    /// Names of the tables that are in `folder` and not below it.
    pub(super) fn tables(&self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path.join(folder)).into_iter();
        let mut names: Vec<String> = entries
            .flatten()
            .flatten()
            .filter(|entry| is_table(&entry.path()))
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// The table as it is now; `None` when it was never written.
    ///
    /// # Errors
    /// When its log cannot be read.
    pub(super) async fn open(&self, table: &str) -> Result<Option<DeltaTable>> {
        if !is_table(&self.path(table)) {
            return Ok(None);
        }
        let mut opened = self.handle(table)?;
        opened.load().await.map_err(delta)?;
        Ok(Some(opened))
    }

    /// The table as it is now, or one that is still to be written.
    ///
    /// # Errors
    /// As [`Folder::open`].
    pub(super) async fn open_or_new(&self, table: &str) -> Result<DeltaTable> {
        match self.open(table).await? {
            Some(table) => Ok(table),
            None => self.handle(table),
        }
    }

    /// The table as it was; `None` when there was no such table then.
    ///
    /// # Errors
    /// When its place cannot be said as a URL.
    pub(super) async fn open_at(&self, table: &str, at: At) -> Result<Option<DeltaTable>> {
        let path = self.path(table);
        if !is_table(&path) {
            return Ok(None);
        }
        let mut opened = self.handle(table)?;
        let loaded = match at {
            At::Version(version) => opened.load_version(version).await,
            At::Time(time) => {
                // before its first version there was no table, and the earliest is not what was asked for
                let first = path.join("_delta_log/00000000000000000000.json");
                let made = std::fs::metadata(first).and_then(|about| about.modified());
                if made.is_ok_and(|made| DateTime::<Utc>::from(made) > time) {
                    return Ok(None);
                }
                opened.load_with_datetime(time).await
            }
        };
        Ok(loaded.is_ok().then_some(opened))
    }

    /// The table, whether it exists or not, nothing loaded.
    ///
    /// # Errors
    /// When its place cannot be said as a URL.
    pub(super) fn handle(&self, table: &str) -> Result<DeltaTable> {
        let path = self.path(table);
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
