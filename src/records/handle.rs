//! The way to a DAG's records.

use std::sync::Arc;

use sqlx::AssertSqlSafe;
use tokio::sync::OnceCell;

use super::{bookkeeping, declared};
use crate::base::{DagId, Error, Result, Schema, sha256};
use crate::config::Settings;
use crate::db::{Conn, Database, ReadConn, Tx, quote};
use crate::on_conn;

/// The records of one DAG; clones share connections, and nothing is opened before it is needed.
#[derive(Clone)]
pub struct Records(Arc<Inner>);

struct Inner {
    dag_id: DagId,
    database: Database,
    tables: Option<Arc<str>>,
    /// The declared tables, once the database has them.
    ready: OnceCell<Arc<Schema>>,
}

impl Records {
    /// The records of `dag_id`; `tables` is the SQL that declares its operational tables.
    ///
    /// # Errors
    /// When the database URL cannot be read, or the id is the name of a schema that is not its own. Must be called inside a tokio runtime.
    pub fn open(settings: &Settings, dag_id: &DagId, tables: Option<Arc<str>>) -> Result<Self> {
        Ok(Self(Arc::new(Inner {
            dag_id: dag_id.clone(),
            database: Database::records(settings, dag_id)?,
            tables,
            ready: OnceCell::new(),
        })))
    }

    /// The DAG.
    pub fn dag_id(&self) -> &DagId {
        &self.0.dag_id
    }

    /// Whether it is PostgreSQL.
    pub fn is_postgres(&self) -> bool {
        self.0.database.is_postgres()
    }

    /// The declared tables; makes the database and its tables on first use.
    ///
    /// # Errors
    /// When the database cannot be reached or the tables' SQL does not run.
    pub async fn schema(&self) -> Result<Arc<Schema>> {
        let schema = self.0.ready.get_or_try_init(|| self.prepare()).await?;
        Ok(Arc::clone(schema))
    }

    /// Starts a transaction that writes. Transactions of one DAG never overlap, on PostgreSQL either.
    ///
    /// # Errors
    /// As for [`Records::schema`].
    pub async fn begin(&self) -> Result<Tx> {
        self.schema().await?;
        self.locked().await
    }

    /// A connection to read from.
    ///
    /// # Errors
    /// When the DAG has no records yet, or the database cannot be reached.
    pub async fn read(&self) -> Result<ReadConn> {
        if self.0.ready.get().is_none() {
            if !self.0.database.exists().await? {
                let dag = self.dag_id();
                return Err(Error::new(format!("dag `{dag}` has no records yet"))
                    .hint(format!("`galen run {dag}` makes them")));
            }
            self.schema().await?;
        }
        self.0.database.read().await
    }

    async fn locked(&self) -> Result<Tx> {
        let mut tx = self.0.database.begin().await?;
        if let Conn::Postgres(c) = tx.conn()? {
            sqlx::query(
                "SELECT pg_advisory_xact_lock(hashtext('galen records ' || current_schema()))",
            )
            .execute(&mut *c)
            .await?;
        }
        Ok(tx)
    }

    async fn prepare(&self) -> Result<Arc<Schema>> {
        let sql = self.0.tables.as_deref().unwrap_or_default();
        let schema = declared::schema_from_sql(sql)?;
        self.0.database.create().await?;
        let mut tx = self.locked().await?;
        let id = if self.is_postgres() {
            "BIGINT"
        } else {
            "INTEGER"
        };
        for statement in bookkeeping::TABLES {
            tx.conn()?
                .run_script(&statement.replace("{id}", id))
                .await?;
        }
        let digest = sha256(sql).to_string();
        let known: Option<String> = on_conn!(tx.conn()?, c => {
            sqlx::query_scalar("SELECT digest FROM _declared WHERE digest = $1").bind(&digest).fetch_optional(&mut *c).await
        })?;
        if known.is_none() {
            tx.conn()?.run_script(sql).await?;
            for table in schema.tables() {
                add_columns(
                    tx.conn()?,
                    &table.name,
                    &table
                        .columns
                        .iter()
                        .map(|c| c.name.as_str())
                        .collect::<Vec<_>>(),
                )
                .await?;
            }
            on_conn!(tx.conn()?, c => {
                sqlx::query("INSERT INTO _declared (digest) VALUES ($1)").bind(&digest).execute(&mut *c).await.map(drop)
            })?;
        }
        tx.commit().await?;
        Ok(Arc::new(schema))
    }
}

/// Adds Galen's columns to `table`, and checks that it has the declared ones: `CREATE TABLE IF NOT EXISTS` leaves an older form as it is.
async fn add_columns(mut conn: Conn<'_>, table: &str, declared: &[&str]) -> Result<()> {
    let existing = columns(conn.again(), table).await?;
    if let Some(missing) = declared
        .iter()
        .find(|name| !existing.iter().any(|e| e == *name))
    {
        return Err(Error::new(format!("column `{missing}` of table `{table}` is declared and not in the database"))
            .hint(format!("add `ALTER TABLE {table} ADD COLUMN {missing} …` through a `sql` task once, or start a new database")));
    }
    for (name, sql_type) in bookkeeping::COLUMNS {
        if !existing.iter().any(|column| column == name) {
            let sql = format!("ALTER TABLE {} ADD COLUMN {name} {sql_type}", quote(table));
            conn.again().run_script(&sql).await?;
        }
    }
    Ok(())
}

/// Names of the columns of `table` in table order; none when there is no such table.
///
/// # Errors
/// The database's.
pub(super) async fn columns(conn: Conn<'_>, table: &str) -> Result<Vec<String>> {
    const SQLITE: &str = "SELECT name FROM pragma_table_info($1) ORDER BY cid";
    const POSTGRES: &str = "SELECT attname::text FROM pg_attribute
        WHERE attrelid = to_regclass(quote_ident($1)) AND attnum > 0 AND NOT attisdropped ORDER BY attnum";
    let sql = if conn.is_postgres() { POSTGRES } else { SQLITE };
    Ok(
        on_conn!(conn, c => sqlx::query_scalar(AssertSqlSafe(sql)).bind(table).fetch_all(&mut *c).await)?,
    )
}
