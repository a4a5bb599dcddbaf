//! Units of work: a transaction that writes, a connection that reads.

use sqlx::pool::PoolConnection;
use sqlx::{Postgres, Transaction};

use super::Conn;
use super::sqlite::{Reader, Writer};
use crate::base::{Error, Result};

/// A transaction; dropping it without [`Tx::commit`] takes everything back.
///
/// On SQLite it holds the one writer, so two of them never run at the same time.
#[derive(Debug)]
#[must_use = "a transaction that is not committed does nothing"]
pub struct Tx(TxInner);

#[derive(Debug)]
enum TxInner {
    Sqlite(SqliteTx),
    Postgres(Transaction<'static, Postgres>),
}

#[derive(Debug)]
struct SqliteTx {
    writer: Writer,
    open: bool,
}

impl Tx {
    pub(super) async fn on_sqlite(writer: Writer) -> Result<Self> {
        let mut tx = SqliteTx { writer, open: true };
        sqlx::query("BEGIN IMMEDIATE").execute(tx.conn()?).await?;
        Ok(Self(TxInner::Sqlite(tx)))
    }

    pub(super) fn on_postgres(transaction: Transaction<'static, Postgres>) -> Self {
        Self(TxInner::Postgres(transaction))
    }

    /// The connection, inside the transaction.
    ///
    /// # Errors
    /// None in practice; a writer without a connection would be a mistake in this room.
    pub fn conn(&mut self) -> Result<Conn<'_>> {
        Ok(match &mut self.0 {
            TxInner::Sqlite(tx) => Conn::Sqlite(tx.conn()?),
            TxInner::Postgres(transaction) => Conn::Postgres(transaction),
        })
    }

    /// Keeps what was written.
    ///
    /// # Errors
    /// When the database refused; nothing is kept then. When the connection was lost on the way it is unknown whether
    /// it was kept: look before repeating.
    pub async fn commit(self) -> Result<()> {
        match self.0 {
            TxInner::Sqlite(mut tx) => {
                sqlx::query("COMMIT").execute(tx.conn()?).await?;
                tx.open = false;
            }
            TxInner::Postgres(transaction) => transaction.commit().await?,
        }
        Ok(())
    }
}

impl SqliteTx {
    fn conn(&mut self) -> Result<&mut sqlx::SqliteConnection> {
        self.writer.as_mut().ok_or_else(no_connection)
    }
}

impl Drop for SqliteTx {
    fn drop(&mut self) {
        // SQLite ends some transactions by itself (disk full); closing the connection is the one way
        // back that is right in every state it may be in
        if self.open {
            self.writer.take();
        }
    }
}

/// A connection for reading, given back on drop.
#[derive(Debug)]
pub struct ReadConn(ReadInner);

#[derive(Debug)]
enum ReadInner {
    Sqlite(Reader),
    Postgres(PoolConnection<Postgres>),
}

impl ReadConn {
    pub(super) fn on_sqlite(reader: Reader) -> Self {
        Self(ReadInner::Sqlite(reader))
    }

    pub(super) fn on_postgres(conn: PoolConnection<Postgres>) -> Self {
        Self(ReadInner::Postgres(conn))
    }

    /// The connection.
    ///
    /// # Errors
    /// None in practice, as for [`Tx::conn`].
    pub fn conn(&mut self) -> Result<Conn<'_>> {
        Ok(match &mut self.0 {
            ReadInner::Sqlite(reader) => Conn::Sqlite(reader.conn().ok_or_else(no_connection)?),
            ReadInner::Postgres(conn) => Conn::Postgres(conn),
        })
    }
}

fn no_connection() -> Error {
    Error::new("a database connection was used after it was given back").transient()
}
