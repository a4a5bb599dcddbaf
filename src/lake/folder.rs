//! Delta tables below one folder: a DAG's own, or those published for others.

use std::path::{Path, PathBuf};

use deltalake::{DeltaTable, DeltaTableBuilder, ensure_table_uri};
use object_store::ObjectStoreExt;

use super::At;
use super::bucket::Bucket;
use super::error::delta;
use crate::base::{Error, Result};
use crate::config::Settings;

/// A folder below which Delta tables are, each named by its path from here.
#[derive(Debug, Clone)]
pub struct Folder(Inner);

#[derive(Debug, Clone)]
enum Inner {
    Here(PathBuf),
    There(Bucket),
}

impl Folder {
    /// The folder at `location`: a path, relative to the home folder, or `s3://bucket/prefix`. Touches neither disk nor network.
    pub fn new(settings: &Settings, location: &str) -> Self {
        if let Some(bucket) = Bucket::new(settings, location) {
            return Self(Inner::There(bucket));
        }
        let path = settings.home.join(location);
        // tables are opened by URL, which knows no current folder
        Self(Inner::Here(std::path::absolute(&path).unwrap_or(path)))
    }

    /// Where the table is, or would be.
    pub fn place(&self, table: &str) -> String {
        match &self.0 {
            Inner::Here(path) => path.join(table).display().to_string(),
            Inner::There(bucket) => bucket.place(table),
        }
    }

    /// Tries whether tables can be found and written here, with a file called `name` that does not stay.
    ///
    /// # Errors
    /// What cannot be done, and the way out.
    pub async fn probe(&self, name: &str) -> Result<()> {
        let path = match &self.0 {
            Inner::Here(path) => path,
            Inner::There(bucket) => return bucket.probe(name).await,
        };
        let file = path.join(name);
        let tried = std::fs::create_dir_all(path)
            .and_then(|()| std::fs::read_dir(path))
            .and_then(|_| std::fs::write(&file, b"galen"))
            .and_then(|()| std::fs::remove_file(&file));
        tried.map_err(|error| {
            Error::new(format!("cannot write in `{}`", path.display()))
                .because(error)
                .hint(
                    "give this user the folder, or name another as `location` in section `[lake]`",
                )
        })
    }

    /// Names of the tables that are in `folder` and not below it.
    ///
    /// # Errors
    /// When an object store cannot be asked.
    pub(super) async fn tables(&self, folder: &str) -> Result<Vec<String>> {
        let mut names: Vec<String> = Vec::new();
        match &self.0 {
            Inner::Here(path) => {
                let entries = std::fs::read_dir(path.join(folder)).into_iter();
                let tables = entries
                    .flatten()
                    .flatten()
                    .filter(|entry| is_table(&entry.path()));
                names.extend(tables.map(|entry| entry.file_name().to_string_lossy().into_owned()));
            }
            Inner::There(bucket) => {
                for name in bucket.folders(folder).await? {
                    if bucket.is_table(&format!("{folder}/{name}")).await? {
                        names.push(name);
                    }
                }
            }
        }
        names.sort();
        Ok(names)
    }

    /// The table as it is now; `None` when it was never written.
    ///
    /// # Errors
    /// When its log cannot be read.
    pub(super) async fn open(&self, table: &str) -> Result<Option<DeltaTable>> {
        if !self.has(table).await? {
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
        if !self.has(table).await? {
            return Ok(None);
        }
        let mut opened = self.handle(table)?;
        let loaded = match at {
            At::Version(version) => opened.load_version(version).await,
            At::Time(time) => {
                // before its first version there was no table, and the earliest is not what was asked for
                let first = "_delta_log/00000000000000000000.json".into();
                let made = opened.object_store().head(&first).await;
                if made.is_ok_and(|made| made.last_modified > time) {
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
        let path = match &self.0 {
            Inner::Here(path) => path.join(table),
            Inner::There(bucket) => return bucket.handle(table),
        };
        std::fs::create_dir_all(&path).map_err(|error| {
            Error::new(format!("cannot create folder `{}`", path.display())).because(error)
        })?;
        let url = ensure_table_uri(path.display().to_string()).map_err(delta)?;
        let builder = DeltaTableBuilder::from_url(url).map_err(delta)?;
        builder.build().map_err(delta)
    }

    async fn has(&self, table: &str) -> Result<bool> {
        match &self.0 {
            Inner::Here(path) => Ok(is_table(&path.join(table))),
            Inner::There(bucket) => bucket.is_table(table).await,
        }
    }
}

fn is_table(path: &Path) -> bool {
    path.join("_delta_log").is_dir()
}
