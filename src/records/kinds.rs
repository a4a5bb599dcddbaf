//! The tables of a records database by what they are for, and the types of their columns.

use sqlx::AssertSqlSafe;

use super::Records;
use super::fitting::{existing, existing_columns};
use super::staging_table::state_table;
use crate::base::{CellType, Result, Schema};
use crate::db::{Conn, quote};
use crate::on_conn;

/// Columns that Galen adds, by their type; all other columns of staging are text.
const INTEGERS: [&str; 6] = [
    "_row_id",
    "_line",
    "_batch",
    "_batch_id",
    "_previous",
    "row_id",
];
const TIMES: [&str; 3] = ["_loaded_at", "changed_at", "at"];

/// A table in a listing.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct TableInfo {
    /// Its name.
    pub table: String,
    /// `staging`, `op` or `quarantine`.
    pub layer: &'static str,
    /// Its rows now.
    pub rows: u64,
    /// Its key columns, joined by commas.
    pub key: String,
}

/// Columns, types and key of a table.
pub(super) struct Kinds {
    pub columns: Vec<(String, CellType)>,
    pub key: Vec<String>,
}

impl Records {
    /// The tables that hold data: staging, operational and quarantine, each with its number of rows.
    ///
    /// # Errors
    /// The database's.
    pub async fn tables(&self) -> Result<Vec<TableInfo>> {
        let schema = self.declared().await?;
        let mut read = self.read().await?;
        let mut tables: Vec<(String, &'static str, String)> = Vec::new();
        for name in staging_tables(read.conn()?).await? {
            tables.push((name, "staging", "_row_id".to_owned()));
        }
        for table in schema.tables() {
            // one that was declared since is made by who writes next
            if !existing_columns(read.conn()?, &table.name)
                .await?
                .is_empty()
            {
                tables.push((table.name.clone(), "op", table.key.join(",")));
            }
        }
        tables.push(("audit_log".to_owned(), "op", "id".to_owned()));
        tables.push(("quarantine".to_owned(), "quarantine", "id".to_owned()));
        let mut infos = Vec::new();
        for (table, layer, key) in tables {
            let sql = count_sql(&table, layer);
            let rows: i64 = on_conn!(read.conn()?, c => sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut *c).await)?;
            infos.push(TableInfo {
                table,
                layer,
                rows: rows as u64,
                key,
            });
        }
        Ok(infos)
    }
}

/// Counts the rows of `table` without reading what its rows are made of.
fn count_sql(table: &str, layer: &str) -> String {
    match (table, layer) {
        ("audit_log", _) => "SELECT COALESCE(MAX(last_audit), 0) FROM _batches".to_owned(),
        (_, "staging") => format!("SELECT COUNT(*) FROM {}", quote(&state_table(table))),
        _ => format!("SELECT COUNT(*) FROM {}", quote(table)),
    }
}

/// Staging tables are the views with the columns of one.
async fn staging_tables(conn: Conn<'_>) -> Result<Vec<String>> {
    const SQLITE: &str = "SELECT t.name FROM sqlite_schema t, pragma_table_info(t.name) c
        WHERE t.type = 'view' AND c.name = '_processed' ORDER BY t.name";
    const POSTGRES: &str = "SELECT t.relname::text FROM pg_class t JOIN pg_attribute c ON c.attrelid = t.oid
        WHERE t.relnamespace = current_schema()::regnamespace AND t.relkind = 'v' AND c.attname = '_processed' ORDER BY t.relname COLLATE \"C\"";
    let sql = if conn.is_postgres() { POSTGRES } else { SQLITE };
    Ok(on_conn!(conn, c => sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut *c).await)?)
}

/// What is known of `table`; `None` when there is no such table.
pub(super) async fn kinds(conn: Conn<'_>, schema: &Schema, table: &str) -> Result<Option<Kinds>> {
    let existing = existing(conn, table).await?;
    if existing.is_empty() {
        return Ok(None);
    }
    let declared = schema.table(table).ok();
    let columns = existing.into_iter().map(|column| {
        let is_declared = declared.is_some_and(|table| table.has(&column.name));
        let cell_type = match column.cell_type {
            Some(there) if is_declared => there,
            _ => own_type(table, &column.name),
        };
        (column.name, cell_type)
    });
    Ok(Some(Kinds {
        columns: columns.collect(),
        key: match (declared, table) {
            (Some(table), _) => table.key.clone(),
            (None, "audit_log" | "quarantine") => vec!["id".to_owned()],
            _ => vec!["_row_id".to_owned()],
        },
    }))
}

/// Type of a column that the DAG did not declare.
fn own_type(table: &str, name: &str) -> CellType {
    let is_galens = matches!(table, "audit_log" | "quarantine");
    match name {
        "id" | "line" if is_galens => CellType::Integer,
        "_processed" => CellType::Boolean,
        name if INTEGERS.contains(&name) && (is_galens || name.starts_with('_')) => {
            CellType::Integer
        }
        name if TIMES.contains(&name) && (is_galens || name.starts_with('_')) => {
            CellType::Timestamp
        }
        _ => CellType::Text,
    }
}
