//! Leases: who may drive, for a while.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::FromRow;

use super::Store;
use crate::base::Result;
use crate::db::{AnyRow, on_conn};

/// A lease somebody took; it may have run out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Who took it.
    pub owner: String,
    /// When it runs out.
    pub expires_at: DateTime<Utc>,
}

const ACQUIRE: &str = "INSERT INTO leases (name, owner, expires_at) VALUES ($1, $2, $3)
    ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, expires_at = excluded.expires_at
    WHERE leases.owner = excluded.owner OR leases.expires_at <= $4";
const RENEW: &str = "UPDATE leases SET expires_at = $3 WHERE name = $1 AND owner = $2";
const RELEASE: &str = "DELETE FROM leases WHERE name = $1 AND owner = $2";
const READ: &str = "SELECT owner, expires_at FROM leases WHERE name = $1";

impl<'r, R: AnyRow> FromRow<'r, R> for Lease {
    fn from_row(row: &'r R) -> sqlx::Result<Self> {
        Ok(Self {
            owner: row.text("owner")?,
            expires_at: row.time("expires_at")?,
        })
    }
}

impl Store {
    /// Takes the lease `name` for `ttl` when nobody holds it, or only one whose time is over; says whether `owner` holds it now.
    ///
    /// # Errors
    /// The database's.
    pub async fn acquire_lease(
        &self,
        name: &str,
        owner: &str,
        ttl: Duration,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let times = [now + ttl, now];
        self.write_lease(ACQUIRE, name, owner, &times).await
    }

    /// Holds the lease for another `ttl`; says whether `owner` still had it. Nobody having taken it, one whose time is over can be renewed.
    ///
    /// # Errors
    /// The database's.
    pub async fn renew_lease(
        &self,
        name: &str,
        owner: &str,
        ttl: Duration,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        self.write_lease(RENEW, name, owner, &[now + ttl]).await
    }

    /// Gives the lease back; says whether `owner` had it.
    ///
    /// # Errors
    /// The database's.
    pub async fn release_lease(&self, name: &str, owner: &str) -> Result<bool> {
        self.write_lease(RELEASE, name, owner, &[]).await
    }

    /// Who took the lease `name` last and did not give it back.
    ///
    /// # Errors
    /// The database's.
    pub async fn lease(&self, name: &str) -> Result<Option<Lease>> {
        let mut read = self.database.read().await?;
        Ok(on_conn!(read.conn()?, c =>
            sqlx::query_as(READ).bind(name).fetch_optional(&mut *c).await)?)
    }

    /// Runs one statement on a lease, `times` being its parameters from `$3`; says whether it wrote anything.
    async fn write_lease(
        &self,
        sql: &'static str,
        name: &str,
        owner: &str,
        times: &[DateTime<Utc>],
    ) -> Result<bool> {
        let mut tx = self.database.begin().await?;
        let written = on_conn!(tx.conn()?, c => {
            let mut query = sqlx::query(sql).bind(name).bind(owner);
            for time in times {
                query = query.bind(*time);
            }
            query.execute(&mut *c).await.map(|done| done.rows_affected())
        })?;
        tx.commit().await?;
        Ok(written > 0)
    }
}
