//! Units of work: a transaction that writes, a connection that reads.

use sqlx::Postgres;
use sqlx::pool::PoolConnection;

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
    Postgres(PostgresTx),
}

#[derive(Debug)]
struct SqliteTx {
    writer: Writer,
    open: bool,
}

/// Not sqlx's own transaction: that one gives its connection back to the pool whatever it was in the middle of.
#[derive(Debug)]
struct PostgresTx {
    conn: Option<PoolConnection<Postgres>>,
    open: bool,
}

impl Tx {
    pub(super) async fn on_sqlite(writer: Writer) -> Result<Self> {
        let mut tx = SqliteTx { writer, open: true };
        sqlx::query("BEGIN IMMEDIATE").execute(tx.conn()?).await?;
        Ok(Self(TxInner::Sqlite(tx)))
    }

    pub(super) async fn on_postgres(conn: PoolConnection<Postgres>) -> Result<Self> {
        let mut tx = PostgresTx {
            conn: Some(conn),
            open: true,
        };
        sqlx::raw_sql("BEGIN").execute(tx.conn()?).await?;
        Ok(Self(TxInner::Postgres(tx)))
    }

    /// The connection, inside the transaction.
    ///
    /// # Errors
    /// None in practice; a writer without a connection would be a mistake in this room.
    pub fn conn(&mut self) -> Result<Conn<'_>> {
        Ok(match &mut self.0 {
            TxInner::Sqlite(tx) => Conn::Sqlite(tx.conn()?),
            TxInner::Postgres(tx) => Conn::Postgres(tx.conn()?),
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
                tx.writer.committed();
            }
            TxInner::Postgres(mut tx) => {
                sqlx::raw_sql("COMMIT").execute(tx.conn()?).await?;
                tx.open = false;
            }
        }
        Ok(())
    }
}

impl SqliteTx {
    fn conn(&mut self) -> Result<&mut sqlx::SqliteConnection> {
        self.writer.conn().ok_or_else(no_connection)
    }
}

impl Drop for SqliteTx {
    fn drop(&mut self) {
        // SQLite ends some transactions by itself (disk full); closing the connection is the one way
        // back that is right in every state it may be in
        if self.open {
            self.writer.close();
        }
    }
}

impl PostgresTx {
    fn conn(&mut self) -> Result<&mut sqlx::PgConnection> {
        self.conn.as_deref_mut().ok_or_else(no_connection)
    }
}

impl Drop for PostgresTx {
    fn drop(&mut self) {
        // a task that was stopped may have left a statement or a COPY half sent; only the end of the connection is
        // sure to end those
        if let (true, Some(conn)) = (self.open, self.conn.take()) {
            drop(conn.detach());
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
    /// A transient one when a SQLite file that could only be read as it was found has been written since.
    pub fn conn(&mut self) -> Result<Conn<'_>> {
        Ok(match &mut self.0 {
            ReadInner::Sqlite(reader) => Conn::Sqlite(reader.conn()?),
            ReadInner::Postgres(conn) => Conn::Postgres(conn),
        })
    }
}

pub(super) fn no_connection() -> Error {
    Error::new("a database connection was used after it was given back").transient()
}
