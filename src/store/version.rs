//! DAGs as the store knows them, and their versions.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::FromRow;

use super::{NewVersion, Store};
use crate::base::{DagId, Digest, Result, sha256};
use crate::db::{AnyRow, Conn, Rows, on_conn};

/// A DAG that was registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredDag {
    /// Its id.
    pub dag_id: DagId,
    /// Its current version.
    pub version: Digest,
    /// Whether no new runs are scheduled.
    pub paused: bool,
    /// When the current version became current.
    pub registered_at: DateTime<Utc>,
}

/// A version of a DAG as it was registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredVersion {
    /// Hash of the canonical form.
    pub version: Digest,
    /// Its DAG.
    pub dag_id: DagId,
    /// The definition as canonical JSON.
    pub definition: String,
    /// The files of its folder by path.
    pub files: BTreeMap<String, Arc<str>>,
    /// When it was first seen.
    pub registered_at: DateTime<Utc>,
}

const ALL: &str = "SELECT * FROM dags ORDER BY dag_id";
const BY_ID: &str = "SELECT * FROM dags WHERE dag_id = $1";
const LOAD: &str = "SELECT d.* FROM ({rows}) AS v CROSS JOIN dags AS d WHERE d.dag_id = v.dag_id";
const WRITE: &str = "INSERT INTO dags (dag_id, version, paused, registered_at)
    SELECT dag_id, version, paused, registered_at FROM ({rows}) AS v WHERE true
    ON CONFLICT (dag_id) DO UPDATE SET version = excluded.version, paused = excluded.paused, registered_at = excluded.registered_at";
const VERSION: &str = "SELECT * FROM versions WHERE version = $1";
const VERSION_FILES: &str = "SELECT version_files.path, files.content FROM version_files JOIN files ON files.digest = version_files.digest WHERE version_files.version = $1";
const WRITE_VERSION: &str = "INSERT INTO versions (version, dag_id, definition, registered_at) VALUES ($1, $2, $3, $4) ON CONFLICT (version) DO NOTHING";
const WRITE_FILES: &str = "INSERT INTO files (digest, content) SELECT DISTINCT digest, content FROM ({rows}) AS v WHERE true ON CONFLICT (digest) DO NOTHING";
const WRITE_VERSION_FILES: &str = "INSERT INTO version_files (version, path, digest) SELECT version, path, digest FROM ({rows}) AS v";

impl<'r, R: AnyRow> FromRow<'r, R> for RegisteredDag {
    fn from_row(row: &'r R) -> sqlx::Result<Self> {
        Ok(Self {
            dag_id: DagId::new(row.text("dag_id")?),
            version: row.digest("version")?,
            paused: row.flag("paused")?,
            registered_at: row.time("registered_at")?,
        })
    }
}

impl<'r, R: AnyRow> FromRow<'r, R> for StoredVersion {
    fn from_row(row: &'r R) -> sqlx::Result<Self> {
        Ok(Self {
            version: row.digest("version")?,
            dag_id: DagId::new(row.text("dag_id")?),
            definition: row.text("definition")?,
            files: BTreeMap::new(),
            registered_at: row.time("registered_at")?,
        })
    }
}

impl Store {
    /// Every DAG that was ever registered, by id.
    ///
    /// # Errors
    /// The database's.
    pub async fn dags(&self) -> Result<Vec<RegisteredDag>> {
        let mut read = self.database.read().await?;
        Ok(on_conn!(read.conn()?, c => sqlx::query_as(ALL).fetch_all(&mut *c).await)?)
    }

    /// The DAG `dag_id`, if it was registered.
    ///
    /// # Errors
    /// The database's.
    pub async fn dag(&self, dag_id: &DagId) -> Result<Option<RegisteredDag>> {
        let mut read = self.database.read().await?;
        Ok(on_conn!(read.conn()?, c =>
            sqlx::query_as(BY_ID).bind(dag_id.as_str()).fetch_optional(&mut *c).await)?)
    }

    /// A version with its files.
    ///
    /// # Errors
    /// The database's.
    pub async fn version(&self, version: &Digest) -> Result<Option<StoredVersion>> {
        let version = version.to_string();
        let mut read = self.database.read().await?;
        let found: Option<StoredVersion> = on_conn!(read.conn()?, c =>
            sqlx::query_as(VERSION).bind(&version).fetch_optional(&mut *c).await)?;
        let Some(mut found) = found else {
            return Ok(None);
        };
        let files: Vec<(String, String)> = on_conn!(read.conn()?, c =>
            sqlx::query_as(VERSION_FILES).bind(&version).fetch_all(&mut *c).await)?;
        let files = files
            .into_iter()
            .map(|(path, content)| (path, content.into()));
        found.files = files.collect();
        Ok(Some(found))
    }
}

impl RegisteredDag {
    pub(super) async fn load(conn: Conn<'_>, ids: &[&DagId]) -> Result<Vec<Self>> {
        let rows = Rows::new().text("dag_id", ids.iter().map(|id| id.as_str()));
        rows.fetch(conn, LOAD).await
    }

    pub(super) async fn write(conn: Conn<'_>, dags: &[&Self]) -> Result<()> {
        let rows = Rows::new()
            .text("dag_id", dags.iter().map(|dag| dag.dag_id.as_str()))
            .text("version", dags.iter().map(|dag| dag.version.to_string()))
            .bool("paused", dags.iter().map(|dag| dag.paused))
            .time("registered_at", dags.iter().map(|dag| dag.registered_at));
        rows.execute(conn, WRITE).await.map(drop)
    }
}

impl NewVersion {
    /// Keeps the version, and those of its files whose content is new; does nothing when it is known.
    pub(super) async fn write(&self, mut conn: Conn<'_>, at: DateTime<Utc>) -> Result<()> {
        let version = self.version.to_string();
        let written = on_conn!(conn.again(), c => sqlx::query(WRITE_VERSION)
            .bind(&version)
            .bind(self.dag_id.as_str())
            .bind(&self.definition)
            .bind(at)
            .execute(&mut *c).await.map(|done| done.rows_affected()))?;
        if written == 0 {
            return Ok(());
        }
        let digests: Vec<String> = self
            .files
            .values()
            .map(|text| sha256(&**text).to_string())
            .collect();
        let files = Rows::new()
            .text("digest", digests.iter().map(String::as_str))
            .text("content", self.files.values().map(|text| &**text));
        files.execute(conn.again(), WRITE_FILES).await?;
        let paths = Rows::new()
            .text("version", self.files.iter().map(|_| version.as_str()))
            .text("path", self.files.keys().map(String::as_str))
            .text("digest", digests.iter().map(String::as_str));
        paths.execute(conn, WRITE_VERSION_FILES).await.map(drop)
    }
}
