//! Many rows into a staging table: a statement of many rows on SQLite, COPY on PostgreSQL.

use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments as _, AssertSqlSafe, PgConnection, SqliteConnection};

use super::staging_table::{OWN_COLUMNS, state_table};
use crate::base::{Error, Result, TextBatch};
use crate::db::{Conn, CopyText, quote};
use crate::on_conn;

/// Rows of one SQLite statement: more gain nothing.
const MAX_ROWS: usize = 128;
/// Parameters of one SQLite statement.
const MAX_PARAMETERS: usize = 32_766;

/// Rows of a batch on their way into a table.
pub(super) struct NewRows<'a> {
    pub table: &'a str,
    /// Its table of records.
    pub records: &'a str,
    pub batch: &'a TextBatch,
    /// The batch's columns as the table spells them.
    pub columns: &'a [String],
    /// Which records of the batch, with their keys.
    pub rows: &'a [NewRow],
    /// `_row_id` of the first; the others follow.
    pub first_id: i64,
    /// Their row of `_chunks`.
    pub chunk: i64,
}

/// A record of the batch that becomes a row.
pub(super) struct NewRow {
    /// Its place in the batch.
    pub place: usize,
    /// `_key`.
    pub key: Option<String>,
}

impl NewRows<'_> {
    /// Inserts them all.
    pub(super) async fn insert(&self, mut conn: Conn<'_>) -> Result<()> {
        match conn.again() {
            Conn::Sqlite(c) => self.insert_sqlite(c).await?,
            Conn::Postgres(c) => self.copy_postgres(c).await?,
        }
        let sql = format!(
            "INSERT INTO {} (_row_id, _processed) SELECT _row_id, FALSE FROM {} WHERE _row_id >= $1 ORDER BY _row_id",
            quote(&state_table(self.table)),
            quote(self.records)
        );
        on_conn!(conn, c => sqlx::query(AssertSqlSafe(sql)).bind(self.first_id).execute(&mut *c).await.map(drop))?;
        Ok(())
    }

    fn columns(&self) -> String {
        let own = OWN_COLUMNS.iter().map(|&name| name.to_owned());
        let file = self.columns.iter().map(|name| quote(name));
        own.chain(file).collect::<Vec<_>>().join(", ")
    }

    async fn insert_sqlite(&self, c: &mut SqliteConnection) -> Result<()> {
        let width = OWN_COLUMNS.len() + self.batch.columns().len();
        let most = MAX_ROWS.min(MAX_PARAMETERS / width).max(1);
        let insert = format!(
            "INSERT INTO {} ({}) VALUES ",
            quote(self.records),
            self.columns()
        );
        let row = format!("({})", vec!["?"; width].join(","));
        let statement = |rows: usize| format!("{insert}{}", vec![row.as_str(); rows].join(","));
        let full = statement(most);
        let next = |from: usize| -> Result<Option<(String, SqliteArguments, usize)>> {
            // sizes come from a short list, so that prepared statements are found again
            let size = match self.rows.len() - from {
                0 => return Ok(None),
                left if left >= most => most,
                left => 1 << left.ilog2(),
            };
            let sql = match size == most {
                true => full.clone(),
                false => statement(size),
            };
            Ok(Some((sql, self.arguments(from, size, width)?, from + size)))
        };
        let mut ready = next(0)?;
        while let Some((sql, arguments, to)) = ready.take() {
            let run = sqlx::query_with(AssertSqlSafe(sql), arguments).execute(&mut *c);
            // statements run on a thread of their own: meanwhile the next one is made
            let (done, following) = futures::join!(run, async { next(to) });
            done?;
            ready = following?;
        }
        Ok(())
    }

    fn arguments(&self, from: usize, size: usize, width: usize) -> Result<SqliteArguments> {
        let mut arguments = SqliteArguments::default();
        arguments.reserve(size * width, 0);
        self.bind(&mut arguments, from, size)
            .map_err(|_| Error::new("a value cannot be bound"))?;
        Ok(arguments)
    }

    fn bind(
        &self,
        arguments: &mut SqliteArguments,
        from: usize,
        size: usize,
    ) -> Result<(), sqlx::error::BoxDynError> {
        for index in from..from + size {
            let NewRow { place, key } = &self.rows[index];
            arguments.add(self.first_id + index as i64)?;
            arguments.add(self.chunk)?;
            arguments.add(self.batch.line(*place) as i64)?;
            arguments.add(self.batch.hash(*place).to_string())?;
            arguments.add(key.as_deref())?;
            for column in 0..self.batch.columns().len() {
                arguments.add(self.batch.cell(*place, column))?;
            }
        }
        Ok(())
    }

    async fn copy_postgres(&self, c: &mut PgConnection) -> Result<()> {
        let sql = format!(
            "COPY {} ({}) FROM STDIN",
            quote(self.records),
            self.columns()
        );
        self.copy_text().send(c, &sql).await.map(drop)
    }

    fn copy_text(&self) -> CopyText {
        let mut copy = CopyText::with_capacity(self.batch.text_bytes() * 5 / 4);
        for (id, NewRow { place, key }) in (self.first_id..).zip(self.rows) {
            copy.plain(id);
            copy.plain(self.chunk);
            copy.plain(self.batch.line(*place));
            copy.plain(self.batch.hash(*place));
            copy.text(key.as_deref());
            for column in 0..self.batch.columns().len() {
                copy.text(self.batch.cell(*place, column));
            }
            copy.end_row();
        }
        copy
    }
}
