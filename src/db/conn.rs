//! A connection to either database.

use sqlx::{AssertSqlSafe, PgConnection, SqliteConnection};

use crate::base::Result;

/// A borrowed connection; run typed sqlx code on it with [`on_conn!`](crate::db::on_conn).
#[derive(Debug)]
pub enum Conn<'c> {
    /// To a SQLite file.
    Sqlite(&'c mut SqliteConnection),
    /// To a PostgreSQL server.
    Postgres(&'c mut PgConnection),
}

/// Expands one sqlx body for both databases: `on_conn!(conn, c => sqlx::query(SQL).bind(x).execute(&mut *c).await)`.
///
/// The value of the body must have one type; `execute` wants `.map(|done| done.rows_affected())`.
#[macro_export]
macro_rules! on_conn {
    ($conn:expr, $c:ident => $body:expr) => {
        match $conn {
            $crate::db::Conn::Sqlite($c) => $body,
            $crate::db::Conn::Postgres($c) => $body,
        }
    };
}

impl Conn<'_> {
    /// The same connection for a shorter time, so that it can be passed on and used again.
    pub fn again(&mut self) -> Conn<'_> {
        match self {
            Self::Sqlite(c) => Conn::Sqlite(c),
            Self::Postgres(c) => Conn::Postgres(c),
        }
    }

    /// Whether it leads to PostgreSQL, for the few places where SQL must differ.
    pub fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// Runs a text of one or more statements without parameters, such as a migration.
    ///
    /// # Errors
    /// The first statement that fails; those before it have run.
    pub async fn run_script(self, sql: &str) -> Result<()> {
        on_conn!(self, c => sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *c).await.map(drop))?;
        Ok(())
    }
}
