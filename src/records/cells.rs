//! Cells on their way into and out of SQL.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row};

use crate::base::{Cell, CellType, Result};
use crate::db::{Conn, Rows};

/// The key of a row as one text: its parts joined by `/`, with `\` and `/` inside a part written `\\` and `\/`. The key of one column is
/// that column's text.
pub fn record_id(key: &[Cell]) -> Arc<str> {
    match key {
        [Cell::Text(text)] => Arc::clone(text),
        [one] => one.to_string().into(),
        parts => {
            let parts = parts
                .iter()
                .map(|part| part.to_string().replace('\\', "\\\\").replace('/', "\\/"));
            parts.collect::<Vec<_>>().join("/").into()
        }
    }
}

/// Adds a column of cells, which are null or of type `cell_type`, to the rows of a statement.
pub(super) fn column<'a>(
    rows: Rows<'a>,
    name: &'a str,
    cell_type: CellType,
    cells: impl Iterator<Item = &'a Cell>,
) -> Rows<'a> {
    match cell_type {
        CellType::Text => rows.nullable_text(
            name,
            cells.map(|cell| match cell {
                Cell::Text(text) => Some(Arc::clone(text)),
                _ => None,
            }),
        ),
        CellType::Integer => rows.int(
            name,
            cells.map(|cell| match cell {
                Cell::Integer(number) => Some(*number),
                _ => None,
            }),
        ),
        CellType::Float => rows.float(
            name,
            cells.map(|cell| match cell {
                Cell::Float(number) => Some(*number),
                _ => None,
            }),
        ),
        CellType::Boolean => rows.bool(
            name,
            cells.map(|cell| match cell {
                Cell::Boolean(value) => Some(*value),
                _ => None,
            }),
        ),
        CellType::Date => rows.date(
            name,
            cells.map(|cell| match cell {
                Cell::Date(date) => Some(*date),
                _ => None,
            }),
        ),
        CellType::Timestamp => rows.time(
            name,
            cells.map(|cell| match cell {
                Cell::Timestamp(time) => Some(*time),
                _ => None,
            }),
        ),
    }
}

/// Keys as a JSON array, for a statement that takes many of them as one parameter: of values when keys have one column, else of arrays.
pub(super) fn keys_json<'a>(keys: impl Iterator<Item = &'a [Cell]>) -> String {
    let value = |cell: &Cell| match cell {
        // as sqlx writes an instant into SQLite; PostgreSQL reads it as well
        Cell::Timestamp(time) => Value::from(time.to_rfc3339_opts(SecondsFormat::AutoSi, false)),
        cell => cell.to_json(),
    };
    let keys = keys.map(|key| match key {
        [one] => value(one),
        parts => parts.iter().map(value).collect(),
    });
    Value::Array(keys.collect()).to_string()
}

/// Type in PostgreSQL.
pub(super) const fn postgres_type(cell_type: CellType) -> &'static str {
    match cell_type {
        CellType::Text => "text",
        CellType::Integer => "bigint",
        CellType::Float => "float8",
        CellType::Boolean => "boolean",
        CellType::Date => "date",
        CellType::Timestamp => "timestamptz",
    }
}

/// The row's columns as cells of the given types.
macro_rules! decode {
    ($row:expr, $types:expr) => {{
        let mut cells = Vec::with_capacity($types.len());
        for (index, cell_type) in $types.iter().enumerate() {
            cells.push(match cell_type {
                CellType::Text => {
                    or_null($row.try_get_unchecked::<Option<String>, _>(index)?, |t| {
                        Cell::Text(t.into())
                    })
                }
                CellType::Integer => or_null(
                    $row.try_get_unchecked::<Option<i64>, _>(index)?,
                    Cell::Integer,
                ),
                CellType::Float => or_null(
                    $row.try_get_unchecked::<Option<f64>, _>(index)?,
                    Cell::Float,
                ),
                CellType::Boolean => or_null(
                    $row.try_get_unchecked::<Option<bool>, _>(index)?,
                    Cell::Boolean,
                ),
                CellType::Date => or_null(
                    $row.try_get_unchecked::<Option<NaiveDate>, _>(index)?,
                    Cell::Date,
                ),
                CellType::Timestamp => or_null(
                    $row.try_get_unchecked::<Option<DateTime<Utc>>, _>(index)?,
                    Cell::Timestamp,
                ),
            });
        }
        Ok(cells)
    }};
}

fn or_null<T>(value: Option<T>, cell: impl Fn(T) -> Cell) -> Cell {
    value.map_or(Cell::Null, cell)
}

pub(super) fn decode_sqlite(row: &SqliteRow, types: &[CellType]) -> sqlx::Result<Vec<Cell>> {
    decode!(row, types)
}

pub(super) fn decode_postgres(row: &PgRow, types: &[CellType]) -> sqlx::Result<Vec<Cell>> {
    decode!(row, types)
}

/// Runs a query with one text parameter whose columns have the given types.
pub(super) async fn fetch(
    conn: Conn<'_>,
    sql: &str,
    parameter: &str,
    types: &[CellType],
) -> Result<Vec<Vec<Cell>>> {
    let sql = AssertSqlSafe(sql);
    let rows: sqlx::Result<Vec<_>> = match conn {
        Conn::Sqlite(c) => {
            let rows = sqlx::query(sql).bind(parameter).fetch_all(c).await?;
            rows.iter().map(|row| decode_sqlite(row, types)).collect()
        }
        Conn::Postgres(c) => {
            let rows = sqlx::query(sql).bind(parameter).fetch_all(c).await?;
            rows.iter().map(|row| decode_postgres(row, types)).collect()
        }
    };
    Ok(rows?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_parts_is_one_text() {
        let text = |t: &str| Cell::Text(t.into());
        assert_eq!(&*record_id(&[text("a/b")]), "a/b");
        assert_eq!(&*record_id(&[text("a/b"), Cell::Integer(2)]), "a\\/b/2");
        let keys = [[text("a"), Cell::Null]];
        assert_eq!(keys_json(keys.iter().map(|k| &k[..])), r#"[["a",null]]"#);
        let keys = [[text("a")]];
        assert_eq!(keys_json(keys.iter().map(|k| &k[..])), r#"["a"]"#);
    }
}
