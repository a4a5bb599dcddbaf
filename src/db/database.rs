//! One database: a SQLite file, or a schema of a PostgreSQL server.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, PgPool};

use super::sqlite::SqliteFile;
use super::{Bell, ReadApart, ReadConn, Tx, quote};
use crate::base::{DagId, Error, Result};
use crate::config::Settings;

/// PostgreSQL connections per schema, at most.
const MAX_CONNECTIONS: u32 = 8;
/// How long to wait for a connection before saying that the server is gone.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections unused for so long are closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// PostgreSQL schema of the run metadata.
const METADATA_SCHEMA: &str = "galen";

/// A database; clones share its connections, which are opened when first needed.
#[derive(Debug, Clone)]
pub struct Database(Arc<Inner>);

#[derive(Debug)]
enum Inner {
    Sqlite(SqliteFile),
    Postgres { pool: PgPool, schema: String },
}

impl Database {
    /// The run metadata: `state/galen.db`, or schema `galen`.
    ///
    /// # Errors
    /// When the database URL cannot be read. Must be called inside a tokio runtime.
    pub fn metadata(settings: &Settings) -> Result<Self> {
        // a plan kept from when a table was small would walk through it long after it has grown
        let postgres = [("plan_cache_mode", "force_custom_plan")];
        Self::open(settings, "galen.db".into(), METADATA_SCHEMA, &postgres)
    }

    /// The records of a DAG: `state/records/<dag_id>.db`, or the schema named by the id.
    ///
    /// # Errors
    /// As for [`Database::metadata`], and for a DAG whose id is the name of another schema.
    pub fn records(settings: &Settings, dag_id: &DagId) -> Result<Self> {
        let schema = dag_id.as_str();
        if [METADATA_SCHEMA, "public", "information_schema"].contains(&schema)
            || schema.starts_with("pg_")
        {
            return Err(Error::new(format!(
                "dag id `{schema}` is the name of a schema that is not its own"
            ))
            .hint("rename the folder and its `dag_id`"));
        }
        Self::open(settings, format!("records/{schema}.db").into(), schema, &[])
    }

    /// `postgres` are options of each connection to PostgreSQL.
    fn open(
        settings: &Settings,
        file: PathBuf,
        schema: &str,
        postgres: &[(&str, &str)],
    ) -> Result<Self> {
        let inner = match &settings.database_url {
            None => {
                let path = settings.home.join("state").join(file);
                Inner::Sqlite(SqliteFile::new(path))
            }
            Some(url) => Inner::Postgres {
                pool: pool(url.expose(), schema, postgres)?,
                schema: schema.to_owned(),
            },
        };
        Ok(Self(Arc::new(inner)))
    }

    /// Whether it is PostgreSQL.
    pub fn is_postgres(&self) -> bool {
        matches!(*self.0, Inner::Postgres { .. })
    }

    /// Where it is, for people: a path or a schema, never the URL with its password.
    pub fn place(&self) -> String {
        match &*self.0 {
            Inner::Sqlite(file) => file.path().display().to_string(),
            Inner::Postgres { schema, .. } => format!("PostgreSQL schema {schema}"),
        }
    }

    /// Whether the file or schema exists; a read fails before it does.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn exists(&self) -> Result<bool> {
        match &*self.0 {
            Inner::Sqlite(file) => Ok(file.path().exists()),
            Inner::Postgres { pool, schema } => {
                const SQL: &str = "SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1)";
                Ok(sqlx::query_scalar(SQL).bind(schema).fetch_one(pool).await?)
            }
        }
    }

    /// Whether it is a SQLite file that this user can read and not write.
    pub fn is_read_only(&self) -> bool {
        match &*self.0 {
            Inner::Sqlite(file) => file.is_read_only(),
            Inner::Postgres { .. } => false,
        }
    }

    /// Makes the file or schema when absent.
    ///
    /// # Errors
    /// When the folder cannot be written or the PostgreSQL user may not create a schema.
    pub async fn create(&self) -> Result<()> {
        match &*self.0 {
            Inner::Sqlite(file) => file.writer().await.map(drop),
            Inner::Postgres { pool, schema } => {
                if self.exists().await? {
                    return Ok(());
                }
                let mut tx = pool.begin().await?;
                // two at once would both find it absent
                sqlx::query("SELECT pg_advisory_xact_lock(hashtext('galen create schema'))")
                    .execute(&mut *tx)
                    .await?;
                let sql = format!("CREATE SCHEMA IF NOT EXISTS {}", quote(schema));
                sqlx::query(AssertSqlSafe(sql)).execute(&mut *tx).await?;
                Ok(tx.commit().await?)
            }
        }
    }

    /// Starts a transaction that writes; on SQLite it waits until nobody else writes and creates the file when absent.
    ///
    /// # Errors
    /// A transient error when the database cannot be reached or stays locked.
    pub async fn begin(&self) -> Result<Tx> {
        match &*self.0 {
            Inner::Sqlite(file) => Tx::on_sqlite(file.writer().await?).await,
            Inner::Postgres { pool, .. } => Tx::on_postgres(pool.acquire().await?).await,
        }
    }

    /// A connection to read from.
    ///
    /// # Errors
    /// A transient error when the database cannot be reached; a permanent one when the SQLite file does not exist.
    pub async fn read(&self) -> Result<ReadConn> {
        match &*self.0 {
            Inner::Sqlite(file) => Ok(ReadConn::on_sqlite(file.reader().await?)),
            Inner::Postgres { pool, .. } => Ok(ReadConn::on_postgres(pool.acquire().await?)),
        }
    }

    /// A read transaction on a connection of its own, for reading that goes on for long.
    ///
    /// # Errors
    /// As [`Database::read`].
    pub async fn read_apart(&self) -> Result<ReadApart> {
        match &*self.0 {
            Inner::Sqlite(file) => ReadApart::on_sqlite(file.reader_apart().await?).await,
            Inner::Postgres { pool, .. } => ReadApart::on_postgres(&pool.connect_options()).await,
        }
    }

    /// What rings when the SQLite file is written to, which must exist, or when `channel` is notified on the PostgreSQL server. Must be called
    /// inside a tokio runtime.
    ///
    /// # Errors
    /// When the file cannot be watched.
    pub fn bell(&self, channel: &'static str) -> Result<Bell> {
        match &*self.0 {
            Inner::Sqlite(file) => Bell::on_file(file.path()),
            Inner::Postgres { pool, .. } => Ok(Bell::on_server(pool.clone(), channel)),
        }
    }
}

fn pool(url: &str, schema: &str, more: &[(&str, &str)]) -> Result<PgPool> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|_| {
            Error::new("the database URL cannot be read")
                .hint("expected `postgres://user:password@host:port/database` in GALEN_DATABASE_URL or `galen.toml`")
        })?
        .application_name("galen")
        .options([("search_path", quote(schema).as_str()), ("jit", "off")])
        .options(more.iter().copied())
        .disable_statement_logging();
    Ok(PgPoolOptions::new()
        .max_connections(MAX_CONNECTIONS)
        .acquire_timeout(CONNECT_TIMEOUT)
        .acquire_slow_threshold(CONNECT_TIMEOUT)
        .idle_timeout(IDLE_TIMEOUT)
        .connect_lazy_with(options))
}
