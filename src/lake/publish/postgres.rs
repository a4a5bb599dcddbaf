//! Models as tables of a PostgreSQL schema.

use std::str::FromStr;

use datafusion::arrow::array::RecordBatch;
use futures::TryStreamExt;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection};

use super::copied::{Copied, postgres_type};
use super::written;
use crate::base::{Counts, Error, Result, Secret};
use crate::db::{CopyText, quote};
use crate::lake::Warehouse;
use crate::lake::error::running;
use crate::lake::rows::Cells;

/// Bytes of a name that PostgreSQL keeps.
const LONGEST: usize = 63;

impl Warehouse {
    /// Copies these models into schema `<dag_id>_dw` of the database at `url`, with keys, indexes and comments, all in one transaction:
    /// readers see all of the old tables or all of the new ones. Gives what became of the rows of each.
    ///
    /// # Errors
    /// When a model was not built, or the database refuses.
    pub async fn publish_to_postgres(
        &self,
        full_names: &[String],
        url: &Secret,
    ) -> Result<Vec<(String, Counts)>> {
        let options = PgConnectOptions::from_str(url.expose()).map_err(|_| {
            Error::new("the URL of the database to publish to cannot be read")
                .hint("expected `postgres://user:password@host:port/database`")
        })?;
        let mut conn = options
            .application_name("galen")
            .disable_statement_logging()
            .connect()
            .await?;
        let schema = format!("{}_dw", self.dag_id);
        let quoted = quote(&schema);
        let lock = format!(
            "BEGIN; SELECT pg_advisory_xact_lock(hashtextextended('galen publish {}', 0)); CREATE SCHEMA IF NOT EXISTS {quoted}",
            schema.replace('\'', "''")
        );
        run(&mut conn, &lock).await?;
        let mut published = Vec::with_capacity(full_names.len());
        let copied = self.copied(full_names)?;
        for (number, copied) in copied.iter().enumerate() {
            let new = format!("galen_new_{number}");
            let rows = self
                .copy(&mut conn, copied, &format!("{quoted}.{}", quote(&new)))
                .await?;
            published.push((copied.model.full_name(), written(rows)));
        }
        for (number, copied) in copied.iter().enumerate() {
            swap(&mut conn, &quoted, copied, &format!("galen_new_{number}")).await?;
        }
        run(&mut conn, "COMMIT").await?;
        Ok(published)
    }

    /// Makes the table `new` with the model's rows, then its key, indexes and comments.
    async fn copy(&self, conn: &mut PgConnection, copied: &Copied<'_>, new: &str) -> Result<u64> {
        let rows = self.query(&copied.sql(), None).await?;
        let fields = rows.fields();
        let columns: Vec<String> = fields
            .iter()
            .map(|field| {
                Ok(format!(
                    "{} {}",
                    quote(field.name()),
                    postgres_type(field.name(), field.data_type())?
                ))
            })
            .collect::<Result<_>>()?;
        run(
            conn,
            &format!("CREATE TABLE {new} ({})", columns.join(", ")),
        )
        .await?;
        let copy = format!("COPY {new} FROM STDIN");
        let mut written = 0;
        let mut batches = rows.stream().await?;
        while let Some(batch) = batches.try_next().await.map_err(running)? {
            let text = copy_text(&batch)?;
            text.send(conn, &copy).await?;
            written += batch.num_rows() as u64;
        }
        if !copied.key.is_empty() {
            let key: Vec<String> = copied.key.iter().map(|name| quote(name)).collect();
            run(
                conn,
                &format!("ALTER TABLE {new} ADD PRIMARY KEY ({})", key.join(", ")),
            )
            .await?;
        }
        for column in &copied.indexed {
            run(conn, &format!("CREATE INDEX ON {new} ({})", quote(column))).await?;
        }
        if !copied.model.description.is_empty() {
            run(
                conn,
                &format!(
                    "COMMENT ON TABLE {new} IS {}",
                    literal(&copied.model.description)
                ),
            )
            .await?;
        }
        for (column, text) in copied.described() {
            run(
                conn,
                &format!(
                    "COMMENT ON COLUMN {new}.{} IS {}",
                    quote(column),
                    literal(text)
                ),
            )
            .await?;
        }
        run(conn, &format!("ANALYZE {new}")).await?;
        Ok(written)
    }
}

fn copy_text(batch: &RecordBatch) -> Result<CopyText> {
    let cells = Cells::new(batch)?;
    let mut text = CopyText::with_capacity(64 * batch.num_rows());
    for row in 0..batch.num_rows() {
        for cell in cells.row(row) {
            text.text(cell.as_deref());
        }
        text.end_row();
    }
    Ok(text)
}

/// Puts the table `new` in the place of the model's.
async fn swap(conn: &mut PgConnection, schema: &str, copied: &Copied<'_>, new: &str) -> Result<()> {
    let name = copied.model.name.as_str();
    let drop = format!("DROP TABLE IF EXISTS {schema}.{}", quote(name));
    sqlx::raw_sql(AssertSqlSafe(drop))
        .execute(&mut *conn)
        .await
        .map_err(|error| {
            let dependent = error
                .as_database_error()
                .and_then(|error| error.code())
                .is_some_and(|code| code == "2BP01");
            match dependent {
                true => Error::new(format!(
                    "published table `{name}` cannot be replaced: something else depends on it"
                ))
                .hint("drop the views that were made on it; make them as models instead"),
                false => Error::from(error),
            }
        })?;
    run(
        conn,
        &format!(
            "ALTER TABLE {schema}.{} RENAME TO {}",
            quote(new),
            quote(name)
        ),
    )
    .await?;
    if !copied.key.is_empty() {
        let short: String = name.chars().take(LONGEST - "_pkey".len()).collect();
        let key = quote(&format!("{short}_pkey"));
        run(
            conn,
            &format!(
                "ALTER INDEX {schema}.{} RENAME TO {key}",
                quote(&format!("{new}_pkey"))
            ),
        )
        .await?;
    }
    for column in &copied.indexed {
        let column: String = column.chars().take(LONGEST / 3).collect();
        let old: String = format!("{new}_{column}_idx");
        let short: String = name.chars().take(LONGEST / 2).collect();
        let to = format!("{short}_{column}_idx");
        run(
            conn,
            &format!(
                "ALTER INDEX IF EXISTS {schema}.{} RENAME TO {}",
                quote(&old),
                quote(&to)
            ),
        )
        .await?;
    }
    Ok(())
}

async fn run(conn: &mut PgConnection, sql: &str) -> Result<()> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await?;
    Ok(())
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
