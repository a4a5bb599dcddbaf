//! Makes a database have the declared tables, also those it has in an older form.

use sqlx::AssertSqlSafe;

use super::declared::{cell_type, sql_type};
use crate::base::{CellType, Error, ForeignKey, Result, Schema, Table, TableColumn, sha256};
use crate::db::{Conn, quote};
use crate::on_conn;

/// Columns that Galen adds to each declared table: the staging row and the batch that last wrote a row, and the version that decided.
const ADDED: [(&str, &str); 3] = [
    ("_row_id", "BIGINT"),
    ("_batch_id", "BIGINT"),
    ("_version", "TEXT"),
];

/// Creates the tables `schema` of `sql`, and adds columns that may be null to those that are there, unless this very text was applied before.
///
/// What is returned keeps the database from having them; all is to be undone then.
pub(super) async fn apply(mut conn: Conn<'_>, sql: &str, schema: &Schema) -> Result<Option<Error>> {
    const FIND: &str = "SELECT digest FROM _declared WHERE digest = $1";
    const NOTE: &str = "INSERT INTO _declared (digest) VALUES ($1)";
    let digest = sha256(sql).to_string();
    let known: Option<String> = on_conn!(conn.again(), c => {
        sqlx::query_scalar(FIND).bind(&digest).fetch_optional(&mut *c).await
    })?;
    if known.is_some() {
        return Ok(None);
    }
    // before the text itself, which may speak of a new column in an index
    for table in schema.tables() {
        if let Some(misfit) = grow(conn.again(), table).await? {
            return Ok(Some(misfit));
        }
    }
    conn.again().run_script(sql).await?;
    for table in schema.tables() {
        add_own(conn.again(), table).await?;
    }
    on_conn!(conn, c => sqlx::query(NOTE).bind(&digest).execute(&mut *c).await.map(drop))?;
    Ok(None)
}

/// Adds what `table` declares to the table of this name, if there is one: `CREATE TABLE IF NOT EXISTS` leaves an older form as it is.
async fn grow(mut conn: Conn<'_>, table: &Table) -> Result<Option<Error>> {
    let name = &table.name;
    let existing = typed_columns(conn.again(), name).await?;
    if existing.is_empty() {
        return Ok(None);
    }
    for column in &table.columns {
        let declared = column.cell_type;
        match existing.iter().find(|(name, _)| *name == column.name) {
            None => match definition(table, column) {
                Some(definition) => {
                    let sql = format!("ALTER TABLE {} ADD COLUMN {definition}", quote(name));
                    conn.again().run_script(&sql).await?;
                }
                None => return Ok(Some(cannot_add(name, &column.name))),
            },
            Some((_, Some(there))) if *there != declared => {
                return Ok(Some(other_type(name, &column.name, declared, *there)));
            }
            Some(_) => {}
        }
    }
    Ok(None)
}

/// How `column` is added to rows that are there; `None` where they would need a value.
fn definition(table: &Table, column: &TableColumn) -> Option<String> {
    if !column.nullable || column.has_default {
        return None;
    }
    let refers = |key: &&ForeignKey| key.columns.contains(&column.name);
    let reference = match table.foreign_keys.iter().find(refers) {
        None => String::new(),
        Some(key) if key.columns.len() == 1 => {
            let parent = quote(&key.table);
            format!(" REFERENCES {parent} ({})", quote(&key.parent_columns[0]))
        }
        Some(_) => return None,
    };
    let sql_type = sql_type(column.cell_type);
    Some(format!("{} {sql_type}{reference}", quote(&column.name)))
}

fn cannot_add(table: &str, column: &str) -> Error {
    Error::new(format!(
        "column `{column}` of table `{table}` is declared and not in the database, and cannot be added to the rows there"
    ))
    .hint("a column is added by itself when it may be null, has no DEFAULT, is in no key and refers to another table alone; or declare a table with another name")
}

fn other_type(table: &str, column: &str, declared: CellType, there: CellType) -> Error {
    Error::new(format!(
        "column `{column}` of table `{table}` is declared as {} and is {} in the database",
        sql_type(declared),
        sql_type(there)
    ))
    .hint("declare the type it has; another type needs a column or a table with another name")
}

/// Adds Galen's columns to `table`.
async fn add_own(mut conn: Conn<'_>, table: &Table) -> Result<()> {
    let existing = existing_columns(conn.again(), &table.name).await?;
    for (column, sql_type) in ADDED {
        if !existing.iter().any(|existing| existing == column) {
            let sql = format!(
                "ALTER TABLE {} ADD COLUMN {column} {sql_type}",
                quote(&table.name)
            );
            conn.again().run_script(&sql).await?;
        }
    }
    Ok(())
}

/// Names of the columns of `table` in table order; none when there is no such table.
pub(super) async fn existing_columns(conn: Conn<'_>, table: &str) -> Result<Vec<String>> {
    let columns = typed_columns(conn, table).await?;
    Ok(columns.into_iter().map(|(name, _)| name).collect())
}

/// The same with their types; `None` for one that a declared column cannot have.
async fn typed_columns(conn: Conn<'_>, table: &str) -> Result<Vec<(String, Option<CellType>)>> {
    const SQLITE: &str = "SELECT name, type FROM pragma_table_info($1) ORDER BY cid";
    const POSTGRES: &str = "SELECT attname::text,
            CASE format_type(atttypid, NULL) WHEN 'timestamp with time zone' THEN 'timestamptz' ELSE format_type(atttypid, NULL) END
        FROM pg_attribute
        WHERE attrelid = to_regclass(quote_ident($1)) AND attnum > 0 AND NOT attisdropped ORDER BY attnum";
    let sql = if conn.is_postgres() { POSTGRES } else { SQLITE };
    let columns: Vec<(String, String)> = on_conn!(conn, c => sqlx::query_as(AssertSqlSafe(sql)).bind(table).fetch_all(&mut *c).await)?;
    let typed = |(name, declared): (String, String)| (name, cell_type(&declared));
    Ok(columns.into_iter().map(typed).collect())
}
