//! Many rows as parameters of one statement.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::postgres::PgRow;
use sqlx::query::{Query, QueryAs};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{AssertSqlSafe, FromRow, PgConnection, Postgres, Sqlite, SqliteConnection};

use super::{Conn, quote};
use crate::base::Result;

/// SQLite statements hold at most this many rows: enough to make the cost of a statement small.
const MAX_CHUNK: usize = 512;
/// Parameters a SQLite statement may have.
const MAX_PARAMETERS: usize = 32_766;

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
/// of fixed sizes on SQLite, so that prepared statements are found again. `{rows}` may stand once, and the statement has no other parameters.
#[derive(Debug, Default)]
pub struct Rows<'a> {
    columns: Vec<(&'a str, Cells<'a>)>,
    /// Columns with one value for all rows, given once.
    constants: Vec<(&'a str, Constant<'a>)>,
}

#[derive(Debug, Clone)]
enum Constant<'a> {
    Text(&'a str),
    Int(i64),
    Time(DateTime<Utc>),
}

#[derive(Debug)]
enum Cells<'a> {
    Text(Vec<Option<Cow<'a, str>>>),
    Int(Vec<Option<i64>>),
    Float(Vec<Option<f64>>),
    Bool(Vec<Option<bool>>),
    Time(Vec<Option<DateTime<Utc>>>),
    Date(Vec<Option<NaiveDate>>),
}

/// Applies one body to the vector of cells of whichever type.
macro_rules! on_cells {
    ($cells:expr, $vec:ident => $body:expr) => {
        match $cells {
            Cells::Text($vec) => $body,
            Cells::Int($vec) => $body,
            Cells::Float($vec) => $body,
            Cells::Bool($vec) => $body,
            Cells::Time($vec) => $body,
            Cells::Date($vec) => $body,
        }
    };
}

/// Binds the constants to a query.
macro_rules! bind_constants {
    ($constants:expr, $query:expr) => {
        for (_, constant) in $constants {
            $query = match constant {
                Constant::Text(text) => $query.bind(*text),
                Constant::Int(number) => $query.bind(*number),
                Constant::Time(time) => $query.bind(*time),
            };
        }
    };
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
    pub fn text<T: Into<Cow<'a, str>>>(
        self,
        name: &'a str,
        cells: impl IntoIterator<Item = T>,
    ) -> Self {
        self.nullable_text(name, cells.into_iter().map(Some))
    }

    /// Adds a column of texts, some of them null.
    #[must_use]
    pub fn nullable_text<T: Into<Cow<'a, str>>>(
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
        self.constants.push((name, Constant::Text(text)));
        self
    }

    /// Adds a column that is `number` in every row.
    #[must_use]
    pub fn constant_int(mut self, name: &'a str, number: i64) -> Self {
        self.constants.push((name, Constant::Int(number)));
        self
    }

    /// Adds a column that is `time` in every row.
    #[must_use]
    pub fn constant_time(mut self, name: &'a str, time: DateTime<Utc>) -> Self {
        self.constants.push((name, Constant::Time(time)));
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
        Ok(match conn {
            Conn::Postgres(c) => self.execute_postgres(c, sql).await?,
            Conn::Sqlite(c) => self.execute_sqlite(c, sql).await?,
        })
    }

    /// Runs `sql` and collects the rows it gives, in no promised order; without rows it does nothing.
    ///
    /// # Errors
    /// The database's, mapped.
    pub async fn fetch<T: FromAnyRow>(&self, conn: Conn<'_>, sql: &str) -> Result<Vec<T>> {
        if self.is_empty() {
            return Ok(Vec::new());
        }
        Ok(match conn {
            Conn::Postgres(c) => self.fetch_postgres(c, sql).await?,
            Conn::Sqlite(c) => self.fetch_sqlite(c, sql).await?,
        })
    }

    async fn execute_postgres(&self, c: &mut PgConnection, sql: &str) -> sqlx::Result<u64> {
        let sql = AssertSqlSafe(sql.replace("{rows}", &self.unnest()));
        let mut query = sqlx::query::<Postgres>(sql);
        for (_, cells) in &self.columns {
            query = on_cells!(cells, vec => query.bind(vec));
        }
        bind_constants!(&self.constants, query);
        Ok(query.execute(c).await?.rows_affected())
    }

    async fn fetch_postgres<T: FromAnyRow>(
        &self,
        c: &mut PgConnection,
        sql: &str,
    ) -> sqlx::Result<Vec<T>> {
        let sql = AssertSqlSafe(sql.replace("{rows}", &self.unnest()));
        let mut query = sqlx::query_as::<Postgres, T>(sql);
        for (_, cells) in &self.columns {
            query = on_cells!(cells, vec => query.bind(vec));
        }
        bind_constants!(&self.constants, query);
        query.fetch_all(c).await
    }

    async fn execute_sqlite(&self, c: &mut SqliteConnection, sql: &str) -> sqlx::Result<u64> {
        let mut written = 0;
        for (start, size) in self.chunks() {
            let sql = AssertSqlSafe(sql.replace("{rows}", &self.values(size)));
            let mut query = sqlx::query::<Sqlite>(sql);
            bind_constants!(&self.constants, query);
            for row in start..start + size {
                for (_, cells) in &self.columns {
                    query = cells.bind(row, query);
                }
            }
            written += query.execute(&mut *c).await?.rows_affected();
        }
        Ok(written)
    }

    async fn fetch_sqlite<T: FromAnyRow>(
        &self,
        c: &mut SqliteConnection,
        sql: &str,
    ) -> sqlx::Result<Vec<T>> {
        let mut found = Vec::new();
        for (start, size) in self.chunks() {
            let sql = AssertSqlSafe(sql.replace("{rows}", &self.values(size)));
            let mut query = sqlx::query_as::<Sqlite, T>(sql);
            bind_constants!(&self.constants, query);
            for row in start..start + size {
                for (_, cells) in &self.columns {
                    query = cells.bind_as(row, query);
                }
            }
            found.extend(query.fetch_all(&mut *c).await?);
        }
        Ok(found)
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

    /// Anonymous `?`, because SQLite looks named parameters up one by one.
    fn values(&self, rows: usize) -> String {
        // the constants come first, as they are bound
        let constants = self
            .constants
            .iter()
            .map(|(name, _)| format!("? AS {}", quote(name)));
        let columns = (1..)
            .zip(&self.columns)
            .map(|(n, (name, _))| format!("column{n} AS {}", quote(name)));
        let names: Vec<String> = constants.chain(columns).collect();
        let row = format!("({})", vec!["?"; self.columns.len()].join(","));
        let rows = vec![row.as_str(); rows].join(",");
        format!("SELECT {} FROM (VALUES {rows})", names.join(", "))
    }

    /// Start and size of each chunk; sizes are the largest that fits and powers of two below it.
    fn chunks(&self) -> Vec<(usize, usize)> {
        let largest = MAX_CHUNK
            .min((MAX_PARAMETERS - self.constants.len()) / self.columns.len().max(1))
            .max(1);
        let mut chunks = Vec::new();
        let mut start = 0;
        while start < self.len() {
            let left = self.len() - start;
            let size = if left >= largest {
                largest
            } else {
                1 << left.ilog2()
            };
            chunks.push((start, size));
            start += size;
        }
        chunks
    }
}

impl Constant<'_> {
    fn postgres_type(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Int(_) => "bigint",
            Self::Time(_) => "timestamptz",
        }
    }
}

impl Cells<'_> {
    fn len(&self) -> usize {
        on_cells!(self, vec => vec.len())
    }

    fn postgres_type(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Int(_) => "bigint",
            Self::Float(_) => "float8",
            Self::Bool(_) => "boolean",
            Self::Time(_) => "timestamptz",
            Self::Date(_) => "date",
        }
    }

    fn bind<'q>(
        &'q self,
        row: usize,
        query: Query<'q, Sqlite, SqliteArguments>,
    ) -> Query<'q, Sqlite, SqliteArguments> {
        on_cells!(self, vec => { let cell = &vec[row]; query.bind(cell) })
    }

    fn bind_as<'q, T>(
        &'q self,
        row: usize,
        query: QueryAs<'q, Sqlite, T, SqliteArguments>,
    ) -> QueryAs<'q, Sqlite, T, SqliteArguments> {
        on_cells!(self, vec => { let cell = &vec[row]; query.bind(cell) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunk_sizes_come_from_a_short_list() {
        let rows = Rows::new().int("n", 0..1_100);
        let chunks = rows.chunks();
        let sizes: Vec<usize> = chunks.iter().map(|(_, size)| *size).collect();
        assert_eq!(sizes, [512, 512, 64, 8, 4]);
        assert_eq!(chunks.last(), Some(&(1_096, 4)));
    }

    #[test]
    fn wide_rows_stay_below_the_parameter_limit() {
        let names: Vec<String> = (0..1_000).map(|n| n.to_string()).collect();
        let mut rows = Rows::new();
        for name in &names {
            rows = rows.int(name, 0..100);
        }
        assert!(
            rows.chunks()
                .iter()
                .all(|(_, size)| size * 1_000 <= MAX_PARAMETERS)
        );
    }
}
