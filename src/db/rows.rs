//! Many rows as parameters of one statement.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, FromRow, PgConnection, SqliteConnection};

use super::chunks::{Chunks, Statement};
use super::column::{Cells, Text};
use super::{Conn, quote};
use crate::base::{Error, Result};

/// A row type both databases can fill.
pub trait FromAnyRow:
    for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{
}
impl<T> FromAnyRow for T where
    T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{
}

/// Columns of equal length, given to a statement as a table in the place of `{rows}`:
///
/// ```text
/// INSERT INTO t (a, b) SELECT a, b FROM ({rows}) AS v WHERE true ON CONFLICT …
/// UPDATE t SET b = v.b FROM ({rows}) AS v WHERE t.a = v.a
/// ```
///
/// It becomes `UNNEST` of arrays on PostgreSQL, so one statement whatever the number of rows, and `VALUES` in chunks
/// on SQLite. `{rows}` may stand once, and the statement has no other parameters.
#[derive(Debug, Default)]
pub struct Rows<'a> {
    pub(super) columns: Vec<(&'a str, Cells<'a>)>,
    /// Columns with one value for all rows, given once.
    pub(super) constants: Vec<(&'a str, Cells<'a>)>,
}

macro_rules! column {
    ($(#[$doc:meta])* $name:ident, $variant:ident, $type:ty) => {
        $(#[$doc])*
        #[must_use]
        pub fn $name<T: Into<Option<$type>>>(
            mut self,
            name: &'a str,
            cells: impl IntoIterator<Item = T>,
        ) -> Self {
            let cells = cells.into_iter().map(Into::into).collect();
            self.columns.push((name, Cells::$variant(cells)));
            debug_assert_eq!(self.columns.first().map(|(_, c)| c.len()), self.columns.last().map(|(_, c)| c.len()));
            self
        }
    };
}

impl<'a> Rows<'a> {
    /// No columns yet.
    pub fn new() -> Self {
        Self::default()
    }

    column! {
        /// Adds a column of whole numbers.
        int, Int, i64
    }
    column! {
        /// Adds a column of numbers.
        float, Float, f64
    }
    column! {
        /// Adds a column of truth values.
        bool, Bool, bool
    }
    column! {
        /// Adds a column of times.
        time, Time, DateTime<Utc>
    }
    column! {
        /// Adds a column of dates.
        date, Date, NaiveDate
    }

    /// Adds a column of texts, none of them null.
    #[must_use]
    pub fn text<T: Into<Text<'a>>>(
        self,
        name: &'a str,
        cells: impl IntoIterator<Item = T>,
    ) -> Self {
        self.nullable_text(name, cells.into_iter().map(Some))
    }

    /// Adds a column of texts, some of them null.
    #[must_use]
    pub fn nullable_text<T: Into<Text<'a>>>(
        mut self,
        name: &'a str,
        cells: impl IntoIterator<Item = Option<T>>,
    ) -> Self {
        let cells = cells.into_iter().map(|cell| cell.map(Into::into)).collect();
        self.columns.push((name, Cells::Text(cells)));
        self
    }

    /// Adds a column that is `text` in every row.
    #[must_use]
    pub fn constant_text(mut self, name: &'a str, text: &'a str) -> Self {
        let cell = Cells::Text(vec![Some(text.into())]);
        self.constants.push((name, cell));
        self
    }

    /// Adds a column that is `number` in every row.
    #[must_use]
    pub fn constant_int(mut self, name: &'a str, number: i64) -> Self {
        self.constants.push((name, Cells::Int(vec![Some(number)])));
        self
    }

    /// Adds a column that is `time` in every row.
    #[must_use]
    pub fn constant_time(mut self, name: &'a str, time: DateTime<Utc>) -> Self {
        self.constants.push((name, Cells::Time(vec![Some(time)])));
        self
    }

    /// The same rows; a column whose cells are all equal is given once.
    #[must_use]
    pub fn folded(mut self) -> Self {
        // the first column stays: it says how many rows there are
        let columns = self.columns.split_off(self.columns.len().min(1));
        for (name, cells) in columns {
            match cells.only() {
                Some(only) => self.constants.push((name, only)),
                None => self.columns.push((name, cells)),
            }
        }
        self
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.columns.first().map_or(0, |(_, cells)| cells.len())
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Runs `sql` and counts the rows it wrote; without rows it does nothing.
    ///
    /// # Errors
    /// The database's, mapped.
    pub async fn execute(&self, conn: Conn<'_>, sql: &str) -> Result<u64> {
        if self.is_empty() {
            return Ok(0);
        }
        match conn {
            Conn::Postgres(c) => self.execute_postgres(c, sql).await,
            Conn::Sqlite(c) => self.statements(sql)?.run(self, sql, c).await,
        }
    }

    /// Runs `sql` and collects the rows it gives, in no promised order; without rows it does nothing.
    ///
    /// # Errors
    /// The database's, mapped.
    pub async fn fetch<T: FromAnyRow>(&self, conn: Conn<'_>, sql: &str) -> Result<Vec<T>> {
        if self.is_empty() {
            return Ok(Vec::new());
        }
        match conn {
            Conn::Postgres(c) => self.fetch_postgres(c, sql).await,
            Conn::Sqlite(c) => self.fetch_sqlite(c, sql).await,
        }
    }

    /// Inserts all rows into `table`, which has none of their keys.
    ///
    /// # Errors
    /// The database's, mapped. On SQLite a row that breaks a constraint ends the whole transaction.
    pub async fn insert(self, conn: Conn<'_>, table: &str) -> Result<u64> {
        self.insertion(table, conn.is_postgres())?.run(conn).await
    }

    /// The statement that [`Rows::insert`] runs, made ready while the database does something else.
    ///
    /// # Errors
    /// When a value cannot be bound.
    pub fn insertion(self, table: &str, postgres: bool) -> Result<Insertion<'a>> {
        let columns = self.columns.iter().map(|(name, _)| name);
        let constants = self.constants.iter().map(|(name, _)| name);
        let names: Vec<String> = columns.chain(constants).map(|name| quote(name)).collect();
        let (table, names) = (quote(table), names.join(", "));
        // with ROLLBACK SQLite keeps no journal of the single statement
        let insert = if postgres {
            "INSERT"
        } else {
            "INSERT OR ROLLBACK"
        };
        let sql = format!("{insert} INTO {table} ({names}) SELECT {names} FROM ({{rows}}) AS v");
        Ok(match postgres {
            _ if self.is_empty() => Insertion::Nothing,
            true => Insertion::Postgres(sql.replace("{rows}", &self.unnest()), self.arrays()?),
            false => Insertion::Sqlite(self.statements(&sql)?, sql, self),
        })
    }

    async fn execute_postgres(&self, c: &mut PgConnection, sql: &str) -> Result<u64> {
        let sql = AssertSqlSafe(sql.replace("{rows}", &self.unnest()));
        let query = sqlx::query_with(sql, self.arrays()?);
        Ok(query.execute(c).await?.rows_affected())
    }

    async fn fetch_postgres<T: FromAnyRow>(
        &self,
        c: &mut PgConnection,
        sql: &str,
    ) -> Result<Vec<T>> {
        let sql = AssertSqlSafe(sql.replace("{rows}", &self.unnest()));
        Ok(sqlx::query_as_with(sql, self.arrays()?)
            .fetch_all(c)
            .await?)
    }

    fn statements(&self, sql: &str) -> Result<Statements> {
        let mut chunks = Chunks::new(self);
        let first = chunks.next(self, sql)?;
        Ok(Statements { first, chunks })
    }

    async fn fetch_sqlite<T: FromAnyRow>(
        &self,
        c: &mut SqliteConnection,
        sql: &str,
    ) -> Result<Vec<T>> {
        let mut found = Vec::new();
        let mut chunks = Chunks::new(self);
        while let Some((sql, arguments)) = chunks.next(self, sql)? {
            let query = sqlx::query_as_with(AssertSqlSafe(sql), arguments);
            found.extend(query.fetch_all(&mut *c).await?);
        }
        Ok(found)
    }

    fn arrays(&self) -> Result<PgArguments> {
        let mut arguments = PgArguments::default();
        let add = |arguments: &mut PgArguments| {
            for (_, cells) in &self.columns {
                cells.add_to_postgres(arguments)?;
            }
            for (_, constant) in &self.constants {
                constant.add_only_to_postgres(arguments)?;
            }
            Ok(())
        };
        let added: Result<(), sqlx::error::BoxDynError> = add(&mut arguments);
        added.map_err(|_| Error::new("a value cannot be bound"))?;
        Ok(arguments)
    }

    fn unnest(&self) -> String {
        let arrays: Vec<String> = (1..)
            .zip(&self.columns)
            .map(|(n, (_, cells))| format!("${n}::{}[]", cells.postgres_type()))
            .collect();
        let names: Vec<String> = self.columns.iter().map(|(name, _)| quote(name)).collect();
        let first = self.columns.len() + 1;
        let constants: String = (first..)
            .zip(&self.constants)
            .map(|(n, (name, constant))| {
                format!(", ${n}::{} AS {}", constant.postgres_type(), quote(name))
            })
            .collect();
        format!(
            "SELECT r.*{constants} FROM UNNEST({}) AS r({})",
            arrays.join(", "),
            names.join(", ")
        )
    }
}

/// Rows on their way into a table.
#[derive(Debug)]
pub enum Insertion<'a> {
    /// There are none.
    Nothing,
    /// With its arguments encoded.
    Postgres(String, PgArguments),
    /// With the arguments of the first chunk; the others follow.
    Sqlite(Statements, String, Rows<'a>),
}

/// What SQLite is to run for some rows, the first of it ready.
#[derive(Debug)]
pub struct Statements {
    first: Option<Statement>,
    chunks: Chunks,
}

impl Statements {
    async fn run(mut self, rows: &Rows<'_>, sql: &str, c: &mut SqliteConnection) -> Result<u64> {
        let mut written = 0;
        let mut next = self.first;
        while let Some((text, arguments)) = next {
            let run = sqlx::query_with(AssertSqlSafe(text), arguments).execute(&mut *c);
            // statements run on a thread of their own: meanwhile the next one is made
            let (done, following) = futures::join!(run, async { self.chunks.next(rows, sql) });
            written += done?.rows_affected();
            next = following?;
        }
        Ok(written)
    }
}

impl Insertion<'_> {
    /// Runs it on the kind of database for which it was made; gives the number of rows.
    ///
    /// # Errors
    /// As for [`Rows::insert`].
    pub async fn run(self, conn: Conn<'_>) -> Result<u64> {
        match (self, conn) {
            (Self::Nothing, _) => Ok(0),
            (Self::Postgres(sql, arguments), Conn::Postgres(c)) => {
                let query = sqlx::query_with(AssertSqlSafe(sql), arguments);
                Ok(query.execute(c).await?.rows_affected())
            }
            (Self::Sqlite(statements, sql, rows), Conn::Sqlite(c)) => {
                statements.run(&rows, &sql, c).await
            }
            _ => Err(Error::new("a statement was made for another database")),
        }
    }
}
