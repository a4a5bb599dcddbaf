//! Finds the rows of a table that have given keys.

use std::collections::HashMap;
use std::sync::Arc;

use super::cells::{fetch, keys_json, postgres_type, record_id};
use crate::base::{Cell, CellType, Result, Table, TableColumn};
use crate::db::{Conn, quote};

/// A row as it is in its table.
pub(super) struct Existing {
    /// The columns asked for.
    pub cells: Vec<Cell>,
    /// Its version, empty without one.
    pub version: String,
    /// The batch that last wrote it; `None` when no batch has.
    pub batch: Option<i64>,
}

/// The rows of `table` whose columns `key` equal one of `keys`, which are as [`keys_json`] gives them, by [`record_id`], with the columns
/// `columns`.
pub(super) async fn existing(
    conn: Conn<'_>,
    table: &Table,
    key: &[&TableColumn],
    columns: &[&TableColumn],
    keys: &str,
) -> Result<HashMap<Arc<str>, Existing>> {
    let names = key
        .iter()
        .chain(columns)
        .map(|c| format!("t.{}", quote(&c.name)));
    let names: Vec<String> = names.collect();
    let list = format!("{}, t._version, t._batch_id", names.join(", "));
    let mut types: Vec<CellType> = key.iter().chain(columns).map(|c| c.cell_type).collect();
    types.extend([CellType::Text, CellType::Integer]);
    let sql = select(conn.is_postgres(), &table.name, key, &list);
    let rows = fetch(conn, &sql, keys, &types).await?;
    Ok(rows
        .into_iter()
        .map(|mut cells| {
            let batch = match cells.pop() {
                Some(Cell::Integer(batch)) => Some(batch),
                _ => None,
            };
            let version = cells.pop().map(|c| c.to_string()).unwrap_or_default();
            let rest = cells.split_off(key.len());
            let row = Existing {
                cells: rest,
                version,
                batch,
            };
            (record_id(&cells), row)
        })
        .collect())
}

/// The keys among `keys` that `table` has, by [`record_id`].
pub(super) async fn present<'a>(
    conn: Conn<'_>,
    table: &str,
    key: &[&TableColumn],
    keys: impl Iterator<Item = &'a [Cell]>,
) -> Result<Vec<Arc<str>>> {
    let names: Vec<String> = key
        .iter()
        .map(|c| format!("t.{}", quote(&c.name)))
        .collect();
    let types: Vec<CellType> = key.iter().map(|c| c.cell_type).collect();
    let sql = select(conn.is_postgres(), table, key, &names.join(", "));
    let rows = fetch(conn, &sql, &keys_json(keys), &types).await?;
    Ok(rows.iter().map(|cells| record_id(cells)).collect())
}

/// The keys are the outer side of the join in both: there are few of them, and the table has an index.
fn select(postgres: bool, table: &str, key: &[&TableColumn], list: &str) -> String {
    let part = |index: usize| match (postgres, key.len()) {
        (_, 1) => "k.value".to_owned(),
        _ => format!("k.value ->> {index}"),
    };
    let equal = key.iter().enumerate().map(|(index, column)| {
        let name = quote(&column.name);
        match postgres {
            true => format!(
                "t.{name} = ({})::{}",
                part(index),
                postgres_type(column.cell_type)
            ),
            false => format!("t.{name} = {}", part(index)),
        }
    });
    let equal = equal.collect::<Vec<_>>().join(" AND ");
    let table = quote(table);
    match (postgres, key.len()) {
        (false, _) => {
            format!("SELECT {list} FROM json_each($1) AS k CROSS JOIN {table} AS t WHERE {equal}")
        }
        (true, 1) => format!(
            "SELECT {list} FROM json_array_elements_text($1::json) AS k(value) JOIN {table} AS t ON {equal}"
        ),
        (true, _) => format!(
            "SELECT {list} FROM json_array_elements($1::json) AS k(value) JOIN {table} AS t ON {equal}"
        ),
    }
}
