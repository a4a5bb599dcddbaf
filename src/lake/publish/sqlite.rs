//! Models as tables of a SQLite file.

use std::path::Path;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::DataType;
use futures::TryStreamExt;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqliteConnection};

use super::copied::Copied;
use super::file::unwritable;
use super::written;
use crate::base::{Counts, Result};
use crate::db::quote;
use crate::lake::Warehouse;
use crate::lake::error::running;
use crate::lake::rows::Cells;

impl Warehouse {
    /// Writes these models as tables of a new SQLite file that takes the place of `path` when it is whole. Decimals are texts, so that no
    /// digit is lost. Gives what became of the rows of each.
    ///
    /// # Errors
    /// When a model was not built, or the file cannot be written.
    pub async fn publish_to_sqlite(
        &self,
        full_names: &[String],
        path: &Path,
    ) -> Result<Vec<(String, Counts)>> {
        let _lock = self.lake.lock_published().await?;
        let part = path.with_added_extension("part");
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| unwritable(folder, error))?;
        }
        if part.exists() {
            std::fs::remove_file(&part).map_err(|error| unwritable(&part, error))?;
        }
        let options = SqliteConnectOptions::new()
            .filename(&part)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Off);
        let mut conn = options.disable_statement_logging().connect().await?;
        let mut published = Vec::with_capacity(full_names.len());
        sqlx::raw_sql("BEGIN").execute(&mut conn).await?;
        for copied in self.copied(full_names)? {
            let rows = self.fill(&mut conn, &copied).await?;
            published.push((copied.model.full_name(), written(rows)));
        }
        sqlx::raw_sql("COMMIT").execute(&mut conn).await?;
        conn.close().await?;
        std::fs::rename(&part, path).map_err(|error| unwritable(path, error))?;
        Ok(published)
    }

    async fn fill(&self, conn: &mut SqliteConnection, copied: &Copied<'_>) -> Result<u64> {
        let rows = self.query(&copied.sql(), None).await?;
        let fields = rows.fields();
        let table = quote(&copied.model.name);
        let mut columns: Vec<String> = fields
            .iter()
            .map(|field| format!("{} {}", quote(field.name()), sqlite_type(field.data_type())))
            .collect();
        if !copied.key.is_empty() {
            let key: Vec<String> = copied.key.iter().map(|name| quote(name)).collect();
            columns.push(format!("PRIMARY KEY ({})", key.join(", ")));
        }
        let create = format!("CREATE TABLE {table} ({})", columns.join(", "));
        sqlx::raw_sql(AssertSqlSafe(create))
            .execute(&mut *conn)
            .await?;
        let places: Vec<String> = (1..=fields.len()).map(|n| format!("${n}")).collect();
        // the type of the column makes a number of the text again
        let insert = format!("INSERT INTO {table} VALUES ({})", places.join(", "));
        let booleans: Vec<bool> = fields
            .iter()
            .map(|field| *field.data_type() == DataType::Boolean)
            .collect();
        let mut written = 0;
        let mut batches = rows.stream().await?;
        while let Some(batch) = batches.try_next().await.map_err(running)? {
            for row in all_cells(&batch)? {
                let mut query = sqlx::query(AssertSqlSafe(insert.as_str()));
                for (cell, boolean) in row.into_iter().zip(&booleans) {
                    query = match (cell, boolean) {
                        (Some(text), true) => query.bind(text == "true"),
                        (cell, _) => query.bind(cell),
                    };
                }
                query.execute(&mut *conn).await?;
            }
            written += batch.num_rows() as u64;
        }
        for column in &copied.indexed {
            let index = quote(&format!("{}_{column}_idx", copied.model.name));
            let sql = format!("CREATE INDEX {index} ON {table} ({})", quote(column));
            sqlx::raw_sql(AssertSqlSafe(sql))
                .execute(&mut *conn)
                .await?;
        }
        Ok(written)
    }
}

fn all_cells(batch: &RecordBatch) -> Result<Vec<Vec<Option<String>>>> {
    let cells = Cells::new(batch)?;
    Ok((0..batch.num_rows()).map(|row| cells.row(row)).collect())
}

fn sqlite_type(kind: &DataType) -> &'static str {
    match kind {
        DataType::Boolean => "BOOLEAN",
        kind if kind.is_integer() => "INTEGER",
        kind if kind.is_floating() => "REAL",
        _ => "TEXT",
    }
}
