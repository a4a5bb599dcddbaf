//! A connection beside the pools, for a read transaction that lasts.

use sqlx::{Connection, PgConnection};

use super::Conn;
use super::sqlite::Reading;
use crate::base::Result;

/// A read transaction on a connection of its own: everything read through it is as it was when it began, and nobody waits for it.
/// It ends when it is dropped.
#[derive(Debug)]
pub struct ReadApart(Inner);

#[derive(Debug)]
enum Inner {
    Sqlite(Reading),
    Postgres(PgConnection),
}

impl ReadApart {
    pub(super) async fn on_sqlite(mut reading: Reading) -> Result<Self> {
        // the first read decides which state is seen
        sqlx::raw_sql("BEGIN; SELECT count(*) FROM sqlite_schema")
            .execute(reading.conn()?)
            .await?;
        Ok(Self(Inner::Sqlite(reading)))
    }

    pub(super) async fn on_postgres(
        options: &<PgConnection as Connection>::Options,
    ) -> Result<Self> {
        let mut conn = PgConnection::connect_with(options).await?;
        sqlx::raw_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT 1")
            .execute(&mut conn)
            .await?;
        Ok(Self(Inner::Postgres(conn)))
    }

    /// The connection, inside the transaction.
    ///
    /// # Errors
    /// As [`ReadConn::conn`](super::ReadConn::conn).
    pub fn conn(&mut self) -> Result<Conn<'_>> {
        Ok(match &mut self.0 {
            Inner::Sqlite(reading) => Conn::Sqlite(reading.conn()?),
            Inner::Postgres(conn) => Conn::Postgres(conn),
        })
    }
}
