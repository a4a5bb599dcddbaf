//! Changes of the schema over time, in pairs, each applied once.

use chrono::{DateTime, Utc};

use super::{AnyRow, Database, on_conn};
use crate::base::{Error, Result, sha256};

/// One change, as text for each database.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// Its place in the order, from 1.
    pub version: i64,
    /// What it brings, in a word.
    pub name: &'static str,
    /// The text for SQLite.
    pub sqlite: &'static str,
    /// The text for PostgreSQL.
    pub postgres: &'static str,
}

/// Whether a migration was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationStatus {
    /// Its place in the order.
    pub version: i64,
    /// What it brings.
    pub name: String,
    /// When it was applied, if it was.
    pub applied_at: Option<DateTime<Utc>>,
}

struct Applied {
    version: i64,
    name: String,
    checksum: String,
    applied_at: DateTime<Utc>,
}

impl<'r, R: AnyRow> sqlx::FromRow<'r, R> for Applied {
    fn from_row(row: &'r R) -> sqlx::Result<Self> {
        Ok(Self {
            version: row.int("version")?,
            name: row.text("name")?,
            checksum: row.text("checksum")?,
            applied_at: row.parsed("applied_at")?,
        })
    }
}

const CREATE_TABLE: &str = "CREATE TABLE IF NOT EXISTS _migrations (version BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at TEXT NOT NULL)";
const APPLIED: &str =
    "SELECT version, name, checksum, applied_at FROM _migrations ORDER BY version";
const RECORD: &str =
    "INSERT INTO _migrations (version, name, checksum, applied_at) VALUES ($1, $2, $3, $4)";
const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtext('galen migrate'))";

impl Database {
    /// Applies what is missing of `migrations`, all or nothing, and returns how many that were. Two processes may try at once.
    ///
    /// # Errors
    /// When an applied migration is not the one known here, or the database refuses.
    pub async fn migrate(&self, migrations: &[Migration], at: DateTime<Utc>) -> Result<usize> {
        // what is up to date already can be read by those who may not write it
        if self.is_read_only() {
            let applied = self.applied().await?;
            check(&applied, migrations, false)?;
            if applied.len() == migrations.len() {
                return Ok(0);
            }
        }
        self.create().await?;
        let mut tx = self.begin().await?;
        if tx.conn()?.is_postgres() {
            tx.conn()?.run_script(LOCK).await?;
        }
        tx.conn()?.run_script(CREATE_TABLE).await?;
        let applied: Vec<Applied> =
            on_conn!(tx.conn()?, c => sqlx::query_as(APPLIED).fetch_all(&mut *c).await)?;
        check(&applied, migrations, self.is_postgres())?;
        let missing = &migrations[applied.len()..];
        for migration in missing {
            let text = migration.text(self.is_postgres());
            tx.conn()?.run_script(text).await?;
            on_conn!(tx.conn()?, c => sqlx::query(RECORD)
                .bind(migration.version)
                .bind(migration.name)
                .bind(sha256(text).to_string())
                .bind(at.to_rfc3339())
                .execute(&mut *c).await.map(drop))?;
        }
        tx.commit().await?;
        Ok(missing.len())
    }

    /// Which of `migrations` were applied.
    ///
    /// # Errors
    /// As for [`Database::migrate`].
    pub async fn migration_status(&self, migrations: &[Migration]) -> Result<Vec<MigrationStatus>> {
        let applied = self.applied().await?;
        check(&applied, migrations, self.is_postgres())?;
        let mut applied = applied.into_iter();
        let status = migrations.iter().map(|migration| MigrationStatus {
            version: migration.version,
            name: migration.name.to_owned(),
            applied_at: applied.next().map(|applied| applied.applied_at),
        });
        Ok(status.collect())
    }

    async fn applied(&self) -> Result<Vec<Applied>> {
        const SQLITE: &str =
            "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = '_migrations'";
        const POSTGRES: &str = "SELECT COUNT(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = '_migrations'";
        if !self.exists().await? {
            return Ok(Vec::new());
        }
        let mut read = self.read().await?;
        let sql = if self.is_postgres() { POSTGRES } else { SQLITE };
        let tables: i64 =
            on_conn!(read.conn()?, c => sqlx::query_scalar(sql).fetch_one(&mut *c).await)?;
        if tables == 0 {
            return Ok(Vec::new());
        }
        Ok(on_conn!(read.conn()?, c => sqlx::query_as(APPLIED).fetch_all(&mut *c).await)?)
    }
}

impl Migration {
    fn text(&self, postgres: bool) -> &'static str {
        if postgres { self.postgres } else { self.sqlite }
    }
}

/// What was applied must be a beginning of what is known.
fn check(applied: &[Applied], known: &[Migration], postgres: bool) -> Result<()> {
    for (index, applied) in applied.iter().enumerate() {
        let Some(known) = known.get(index) else {
            return Err(Error::new(format!(
                "the database has migration {} `{}`, which this program does not know",
                applied.version, applied.name
            ))
            .hint("it was written by a newer version of galen; use that one"));
        };
        let checksum = sha256(known.text(postgres)).to_string();
        if applied.version != known.version || applied.checksum != checksum {
            return Err(Error::new(format!(
                "migration {} `{}` in the database is not the one this program knows",
                applied.version, applied.name
            ))
            .hint("use the version of galen that made the database, or start with a new one"));
        }
    }
    Ok(())
}
