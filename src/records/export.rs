//! A table as CSV in key order, the same bytes from both databases.

use std::io::Write;

use futures::TryStreamExt;
use sqlx::AssertSqlSafe;

use super::Records;
use super::cells::{decode_postgres, decode_sqlite};
use super::kinds::{Kinds, kinds};
use crate::base::{Cell, CellType, Error, Result, nearest};
use crate::db::{Conn, quote};

impl Records {
    /// Writes `table` as CSV: a header, then the rows in key order. Null is an empty field and the empty text `""`; dates and instants are ISO 8601,
    /// in UTC, numbers the shortest that read back equal. Without `all` the columns `created_at`, `updated_at` and `_…` stay out.
    /// Gives the number of rows.
    ///
    /// # Errors
    /// When there is no such table; when `out` cannot be written.
    pub async fn export(
        &self,
        table: &str,
        all: bool,
        out: &mut (dyn Write + Send),
    ) -> Result<u64> {
        let mut read = self.read().await?;
        let kinds = kinds(read.conn()?, self.declared().await?.as_ref(), table).await?;
        let kinds = match kinds {
            Some(kinds) => kinds,
            None => return Err(self.unknown_table(table).await?),
        };
        let columns: Vec<&(String, CellType)> = kinds
            .columns
            .iter()
            .filter(|(name, _)| all || !is_bookkeeping(name))
            .collect();
        let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
        let types: Vec<CellType> = columns.iter().map(|(_, cell_type)| *cell_type).collect();
        let sql = select(&kinds, table, &names, read.conn()?.is_postgres());
        line(out, names.iter().map(|name| Cell::Text((*name).into())))?;
        let mut written = 0;
        match read.conn()? {
            Conn::Sqlite(c) => {
                let mut rows = sqlx::query(AssertSqlSafe(sql)).fetch(c);
                while let Some(row) = rows.try_next().await? {
                    line(out, decode_sqlite(&row, &types)?.into_iter())?;
                    written += 1;
                }
            }
            Conn::Postgres(c) => {
                let mut rows = sqlx::query(AssertSqlSafe(sql)).fetch(c);
                while let Some(row) = rows.try_next().await? {
                    line(out, decode_postgres(&row, &types)?.into_iter())?;
                    written += 1;
                }
            }
        }
        out.flush().map_err(unwritable)?;
        Ok(written)
    }

    pub(super) async fn unknown_table(&self, table: &str) -> Result<Error> {
        let tables = self.tables().await?;
        let dag = self.dag_id();
        let error = Error::new(format!("dag `{dag}` has no table `{table}`"));
        Ok(
            match nearest(table, tables.iter().map(|t| t.table.as_str())) {
                Some(known) => error.hint(format!("did you mean `{known}`?")),
                None => error.hint(format!("`galen tables {dag}` lists them")),
            },
        )
    }
}

fn is_bookkeeping(name: &str) -> bool {
    name.starts_with('_') || matches!(name, "created_at" | "updated_at")
}

/// Text is ordered by its bytes in both: SQLite's own order, and PostgreSQL's collation `C`.
fn select(kinds: &Kinds, table: &str, names: &[&str], postgres: bool) -> String {
    let list: Vec<String> = names.iter().map(|name| quote(name)).collect();
    let order: Vec<String> = kinds
        .key
        .iter()
        .map(|name| {
            let is_text = kinds
                .columns
                .iter()
                .any(|(n, t)| n == name && *t == CellType::Text);
            let collation = if postgres && is_text {
                " COLLATE \"C\""
            } else {
                ""
            };
            format!("{}{collation}", quote(name))
        })
        .collect();
    let order = match order.is_empty() {
        true => String::new(),
        false => format!(" ORDER BY {}", order.join(", ")),
    };
    format!("SELECT {} FROM {}{order}", list.join(", "), quote(table))
}

fn line(out: &mut (dyn Write + Send), cells: impl Iterator<Item = Cell>) -> Result<()> {
    let mut text = String::new();
    for (number, cell) in cells.enumerate() {
        if number > 0 {
            text.push(',');
        }
        match cell {
            Cell::Text(value) if value.is_empty() || value.contains([',', '"', '\n', '\r']) => {
                text.push('"');
                text.push_str(&value.replace('"', "\"\""));
                text.push('"');
            }
            cell => text.push_str(&cell.to_string()),
        }
    }
    text.push('\n');
    out.write_all(text.as_bytes()).map_err(unwritable)
}

fn unwritable(error: std::io::Error) -> Error {
    Error::new("the export cannot be written").because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_and_the_empty_text_differ() {
        let mut out = Vec::new();
        let cells = [
            Cell::Null,
            Cell::Text("".into()),
            Cell::Text("a,\"b\"".into()),
            Cell::Float(0.1),
        ];
        line(&mut out, cells.into_iter()).expect("written");
        assert_eq!(
            String::from_utf8(out).expect("text"),
            ",\"\",\"a,\"\"b\"\"\",0.1\n"
        );
    }
}
