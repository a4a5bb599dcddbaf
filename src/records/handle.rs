//! The records database of one DAG.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::OnceCell;

use super::{Archive, bookkeeping, declared, fitting};
use crate::base::{DagId, Result, Schema};
use crate::config::Settings;
use crate::db::{Conn, Database, ReadConn, Tx};

/// The records database of one DAG; cheap to clone, connects on first use.
#[derive(Clone)]
pub struct Records {
    database: Database,
    dag_id: DagId,
    state: PathBuf,
    prepared: Arc<OnceCell<()>>,
    tables: Option<Arc<str>>,
    declared: Arc<OnceCell<Arc<Schema>>>,
    applied: Arc<OnceCell<()>>,
    readable: Arc<OnceCell<()>>,
}

impl Records {
    /// The records of `dag_id`: `state/records/<dag_id>.db`, or the PostgreSQL schema of that name. Opens nothing yet.
    ///
    /// # Errors
    /// As [`Database::records`].
    pub fn open(settings: &Settings, dag_id: &DagId) -> Result<Self> {
        Ok(Self {
            database: Database::records(settings, dag_id)?,
            dag_id: dag_id.clone(),
            state: settings.state_dir(),
            prepared: Arc::default(),
            tables: None,
            declared: Arc::default(),
            applied: Arc::default(),
            readable: Arc::default(),
        })
    }

    /// The same records with the operational tables that `sql` declares: they exist from the first use on.
    #[must_use]
    pub fn with_tables(&self, sql: impl Into<Arc<str>>) -> Self {
        let sql = sql.into();
        if self.tables.as_ref() == Some(&sql) {
            return self.clone();
        }
        Self {
            tables: Some(sql),
            declared: Arc::default(),
            applied: Arc::default(),
            readable: Arc::default(),
            ..self.clone()
        }
    }

    /// The declared tables, which the database may have in an older form: for those who only read.
    ///
    /// # Errors
    /// When their SQL does not run.
    pub async fn declared(&self) -> Result<Arc<Schema>> {
        let sql = self.tables.as_deref().unwrap_or_default();
        let read = async || declared::schema_from_sql(sql).map(Arc::new);
        Ok(Arc::clone(self.declared.get_or_try_init(read).await?))
    }

    /// The declared tables, as the database has them from now on.
    ///
    /// # Errors
    /// When their SQL does not run, or the database has an older form of them that cannot be changed into theirs.
    pub async fn schema(&self) -> Result<Arc<Schema>> {
        let schema = self.declared().await?;
        self.applied.get_or_try_init(|| self.apply(&schema)).await?;
        Ok(schema)
    }

    async fn apply(&self, schema: &Schema) -> Result<()> {
        self.prepare().await?;
        if self.database.is_read_only() {
            return Ok(());
        }
        let sql = self.tables.as_deref().unwrap_or_default();
        let mut tx = self.database.begin().await?;
        lock(tx.conn()?).await?;
        fitting::apply(tx.conn()?, sql, schema).await?;
        tx.commit().await
    }

    /// The DAG.
    pub fn dag_id(&self) -> &DagId {
        &self.dag_id
    }

    /// The database, as it is: see [`Records::begin`] and [`Records::read`] for one with the bookkeeping tables.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// The archive of delivered files, common to all DAGs.
    pub fn archive(&self) -> Archive {
        Archive::under(&self.state)
    }

    /// Starts a transaction that writes, after creating what is absent of the bookkeeping and declared tables. Writers of one DAG
    /// wait for each other on both databases, so that what one reads stays true until it commits.
    ///
    /// # Errors
    /// The database's.
    pub async fn begin(&self) -> Result<Tx> {
        self.schema().await?;
        let mut tx = self.database.begin().await?;
        lock(tx.conn()?).await?;
        Ok(tx)
    }

    /// A connection to read from, after creating the bookkeeping tables, and the declared tables if there never were any. What was edited since
    /// is read as it was: only who writes changes tables.
    ///
    /// # Errors
    /// The database's.
    pub async fn read(&self) -> Result<ReadConn> {
        self.make_readable().await?;
        self.database.read().await
    }

    /// What [`Records::read`] does before it reads.
    pub(super) async fn make_readable(&self) -> Result<()> {
        let make = async || {
            self.prepare().await?;
            if self.tables.is_none() || self.database.is_read_only() {
                return Ok(());
            }
            let mut read = self.database.read().await?;
            if fitting::is_fresh(read.conn()?).await? {
                self.schema().await?;
            }
            Ok(())
        };
        self.readable.get_or_try_init(make).await.copied()
    }

    async fn prepare(&self) -> Result<()> {
        self.prepared
            .get_or_try_init(|| async {
                // who may only read finds what others made
                if self.database.is_read_only() {
                    return Ok(());
                }
                self.database.create().await?;
                let mut tx = self.database.begin().await?;
                lock(tx.conn()?).await?;
                bookkeeping::create(tx.conn()?).await?;
                tx.commit().await
            })
            .await
            .copied()
    }
}

/// SQLite has one writer anyway; on PostgreSQL a lock of the schema until the transaction ends does the same.
///
/// Writers find rows by their keys. PostgreSQL keeps plans, also those by which it checks foreign keys, and one made while a table
/// was small would walk through all of it long after it has grown: so that no plan does, the other ways are closed.
async fn lock(conn: Conn<'_>) -> Result<()> {
    if let Conn::Postgres(c) = conn {
        sqlx::query(
            "SELECT pg_advisory_xact_lock(hashtextextended('galen records ' || current_schema(), 0)),
                set_config('enable_seqscan', 'off', true),
                set_config('enable_hashjoin', 'off', true),
                set_config('enable_mergejoin', 'off', true)",
        )
        .execute(c)
        .await?;
    }
    Ok(())
}
