//! Makes a database have the declared tables, also those it has in an older form.

use sqlx::AssertSqlSafe;

use super::added::AddedColumn;
use super::declared::{cell_type, sql_type};
use crate::base::{CellType, Error, Result, Schema, Table, TableColumn, sha256};
use crate::db::{Conn, quote};
use crate::on_conn;

/// Columns that Galen adds to each declared table: the staging row and the batch that last wrote a row, and the version that decided.
const ADDED: [(&str, &str); 3] = [
    ("_row_id", "BIGINT"),
    ("_batch_id", "BIGINT"),
    ("_version", "TEXT"),
];

/// PostgreSQL changes a table only when nobody reads it, and a run may read its tables until it has written to others, which waits for this
/// transaction: so it is given up after a while and tried again.
const PATIENCE: &str = "SET LOCAL lock_timeout = '5s'";

/// Whether no declared tables were ever created here.
pub(super) async fn is_fresh(conn: Conn<'_>) -> Result<bool> {
    const SQL: &str = "SELECT count(*) FROM _declared";
    let declared: i64 = on_conn!(conn, c => sqlx::query_scalar(SQL).fetch_one(&mut *c).await)?;
    Ok(declared == 0)
}

/// Creates the tables `schema` of `sql`, and adds columns that may be null to those that are there, unless this very text was applied before.
///
/// # Errors
/// When the tables there cannot become those of the text; the transaction is of no use then.
pub(super) async fn apply(mut conn: Conn<'_>, sql: &str, schema: &Schema) -> Result<()> {
    const FIND: &str = "SELECT digest FROM _declared WHERE digest = $1";
    const NOTE: &str = "INSERT INTO _declared (digest) VALUES ($1)";
    let digest = sha256(sql).to_string();
    let known: Option<String> = on_conn!(conn.again(), c => {
        sqlx::query_scalar(FIND).bind(&digest).fetch_optional(&mut *c).await
    })?;
    if known.is_some() {
        return Ok(());
    }
    if conn.is_postgres() {
        conn.again().run_script(PATIENCE).await?;
    }
    let mut references = Vec::new();
    // before the text itself, which may speak of a new column in an index
    for table in schema.tables() {
        references.extend(grow(conn.again(), sql, table).await?);
    }
    conn.again().run_script(sql).await?;
    for reference in references {
        conn.again().run_script(&reference).await?;
    }
    for table in schema.tables() {
        let existing = existing(conn.again(), &table.name).await?;
        let is_there = |column: &&TableColumn| existing.iter().any(|c| c.name == column.name);
        if let Some(column) = table.columns.iter().find(|column| !is_there(column)) {
            return Err(other_name(&table.name, &column.name));
        }
        add_own(conn.again(), &table.name, &existing).await?;
    }
    on_conn!(conn, c => sqlx::query(NOTE).bind(&digest).execute(&mut *c).await.map(drop))?;
    Ok(())
}

/// Adds the columns that `table` of `sql` has and the table of its name, if there is one, has not. Gives the statements that add what they
/// refer to.
async fn grow(mut conn: Conn<'_>, sql: &str, table: &Table) -> Result<Vec<String>> {
    let existing = existing(conn.again(), &table.name).await?;
    let mut references = Vec::new();
    for column in fit(table, &existing)? {
        let added = AddedColumn::find(sql, &table.name, column, conn.is_postgres());
        let added = added.ok_or_else(|| cannot_add(&table.name, column))?;
        let adding = conn.again().run_script(&added.column);
        adding.await.map_err(|error| held(&table.name, error))?;
        references.extend(added.references);
    }
    Ok(references)
}

/// The columns of `table` that are not among `existing`, those of a table of its name; or what else differs. Empty without such a table.
fn fit<'t>(table: &'t Table, existing: &[Existing]) -> Result<Vec<&'t str>> {
    let mut missing = Vec::new();
    if existing.is_empty() {
        return Ok(missing);
    }
    for column in &table.columns {
        let Some(there) = existing.iter().find(|c| c.name == column.name) else {
            missing.push(column.name.as_str());
            continue;
        };
        let is_key = table.key.contains(&column.name);
        if there
            .cell_type
            .is_some_and(|there| there != column.cell_type)
        {
            return Err(other_type(&table.name, column, there.cell_type));
        }
        if there.not_null && column.nullable {
            return Err(other_rule(&table.name, &column.name, "NOT NULL"));
        }
        if is_key != there.in_key {
            return Err(other_rule(&table.name, &column.name, "in the PRIMARY KEY"));
        }
    }
    Ok(missing)
}

fn held(table: &str, error: Error) -> Error {
    match error.is_transient() {
        true => error
            .at(format!("table `{table}`, which was edited"))
            .hint("a run still reads it; a retry changes it when that run has ended"),
        false => error,
    }
}

fn cannot_add(table: &str, column: &str) -> Error {
    Error::new(format!(
        "column `{column}` of table `{table}` is declared and not in the database, and cannot be added to the rows there"
    ))
    .hint("a column is added by itself when it may be null and its own words say no more than a type, CHECK and REFERENCES; or declare a table with another name")
}

fn other_type(table: &str, column: &TableColumn, there: Option<CellType>) -> Error {
    Error::new(format!(
        "column `{}` of table `{table}` is declared as {} and is {} in the database",
        column.name,
        sql_type(column.cell_type),
        there.map_or("something else", sql_type)
    ))
    .hint("declare the type it has; another type needs a column or a table with another name")
}

fn other_rule(table: &str, column: &str, rule: &str) -> Error {
    Error::new(format!(
        "column `{column}` of table `{table}` is not {rule} both in its declaration and in the database"
    ))
    .hint("declare it as it was; other rules for rows that are there need a table with another name")
}

fn other_name(table: &str, column: &str) -> Error {
    Error::new(format!(
        "column `{column}` of table `{table}` is not in the database after its table was created"
    ))
    .hint("PostgreSQL writes names without quotes in small letters: so should the declaration")
}

/// Adds Galen's columns to `table`, which has the columns `existing`.
async fn add_own(mut conn: Conn<'_>, table: &str, existing: &[Existing]) -> Result<()> {
    for (column, sql_type) in ADDED {
        if !existing.iter().any(|existing| existing.name == column) {
            let sql = format!(
                "ALTER TABLE {} ADD COLUMN {column} {sql_type}",
                quote(table)
            );
            conn.again().run_script(&sql).await?;
        }
    }
    Ok(())
}

/// A column as a database has it.
pub(super) struct Existing {
    pub name: String,
    /// `None` for one that a declared column cannot have.
    pub cell_type: Option<CellType>,
    not_null: bool,
    in_key: bool,
}

/// Names of the columns of `table` in table order; none when there is no such table.
pub(super) async fn existing_columns(conn: Conn<'_>, table: &str) -> Result<Vec<String>> {
    let columns = existing(conn, table).await?;
    Ok(columns.into_iter().map(|column| column.name).collect())
}

/// The same with what is known of each.
pub(super) async fn existing(conn: Conn<'_>, table: &str) -> Result<Vec<Existing>> {
    const SQLITE: &str =
        "SELECT name, type, \"notnull\", pk > 0 FROM pragma_table_info($1) ORDER BY cid";
    const POSTGRES: &str = "SELECT attname::text,
            CASE format_type(atttypid, NULL) WHEN 'timestamp with time zone' THEN 'timestamptz' ELSE format_type(atttypid, NULL) END,
            attnotnull,
            EXISTS (SELECT 1 FROM pg_index WHERE indrelid = attrelid AND indisprimary AND attnum = ANY (indkey))
        FROM pg_attribute
        WHERE attrelid = to_regclass(quote_ident($1)) AND attnum > 0 AND NOT attisdropped ORDER BY attnum";
    let sql = if conn.is_postgres() { POSTGRES } else { SQLITE };
    let columns: Vec<(String, String, bool, bool)> = on_conn!(conn, c => sqlx::query_as(AssertSqlSafe(sql)).bind(table).fetch_all(&mut *c).await)?;
    let existing = |(name, declared, not_null, in_key): (String, String, bool, bool)| Existing {
        name,
        cell_type: cell_type(&declared),
        not_null,
        in_key,
    };
    Ok(columns.into_iter().map(existing).collect())
}
