//! What is to be read of a table, and the rows that come of it, column by column.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, ValueRef};

use crate::base::{Cell, CellType};
use crate::db::quote;

/// Some columns of the rows of a table that meet conditions.
#[derive(Debug, Clone)]
pub struct Scan {
    /// The table.
    pub table: String,
    /// The columns with their types; none of them when only the number of rows is asked for.
    pub columns: Vec<(String, CellType)>,
    /// All of them must hold.
    pub conditions: Vec<Condition>,
}

/// A condition on one column; a row where the column is null does not meet a comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// The column.
    pub column: String,
    /// How it is compared.
    pub compare: Compare,
}

/// A comparison with a value of the column's type.
#[derive(Debug, Clone, PartialEq)]
pub enum Compare {
    /// `=`
    Equal(Cell),
    /// `<`
    Less(Cell),
    /// `<=`
    AtMost(Cell),
    /// `>`
    Greater(Cell),
    /// `>=`
    AtLeast(Cell),
    /// `IS NULL`
    Null,
    /// `IS NOT NULL`
    NotNull,
}

/// Some of the rows of a scan.
#[derive(Debug)]
pub struct Chunk {
    /// Number of rows.
    pub rows: usize,
    /// As the scan names them.
    pub columns: Vec<ScanColumn>,
}

/// The cells of a column.
#[derive(Debug)]
pub enum ScanColumn {
    /// Texts.
    Text(Texts),
    /// Whole numbers.
    Integer(Vec<Option<i64>>),
    /// Numbers.
    Float(Vec<Option<f64>>),
    /// Truth values.
    Boolean(Vec<Option<bool>>),
    /// Calendar dates.
    Date(Vec<Option<NaiveDate>>),
    /// Instants.
    Timestamp(Vec<Option<DateTime<Utc>>>),
}

/// Texts end to end.
#[derive(Debug, Default)]
pub struct Texts {
    /// All of them.
    pub text: String,
    /// Where each ends.
    pub ends: Vec<usize>,
    /// Whether each is there; a null is as long as the empty text.
    pub valid: Vec<bool>,
}

impl ScanColumn {
    pub(super) fn new(cell_type: CellType, rows: usize) -> Self {
        match cell_type {
            CellType::Text => Self::Text(Texts::default()),
            CellType::Integer => Self::Integer(Vec::with_capacity(rows)),
            CellType::Float => Self::Float(Vec::with_capacity(rows)),
            CellType::Boolean => Self::Boolean(Vec::with_capacity(rows)),
            CellType::Date => Self::Date(Vec::with_capacity(rows)),
            CellType::Timestamp => Self::Timestamp(Vec::with_capacity(rows)),
        }
    }
}

impl Texts {
    fn push(&mut self, text: Option<&str>) {
        self.text.push_str(text.unwrap_or_default());
        self.ends.push(self.text.len());
        self.valid.push(text.is_some());
    }
}

/// Appends the row's cell at `index` to `column`.
macro_rules! take {
    ($name:ident, $row:ty) => {
        pub(super) fn $name(column: &mut ScanColumn, row: &$row, index: usize) -> sqlx::Result<()> {
            match column {
                ScanColumn::Text(texts) => {
                    let null = row.try_get_raw(index)?.is_null();
                    match null {
                        true => texts.push(None),
                        false => texts.push(Some(row.try_get_unchecked::<&str, _>(index)?)),
                    }
                }
                ScanColumn::Integer(cells) => cells.push(row.try_get_unchecked(index)?),
                ScanColumn::Float(cells) => cells.push(row.try_get_unchecked(index)?),
                ScanColumn::Boolean(cells) => cells.push(row.try_get_unchecked(index)?),
                ScanColumn::Date(cells) => cells.push(row.try_get_unchecked(index)?),
                ScanColumn::Timestamp(cells) => cells.push(row.try_get_unchecked(index)?),
            }
            Ok(())
        }
    };
}
take!(take_sqlite, SqliteRow);
take!(take_postgres, PgRow);

impl Condition {
    /// The condition in SQL; `None` when the database would not compare as the engine does.
    pub(super) fn sql(&self, postgres: bool) -> Option<String> {
        let column = quote(&self.column);
        let (operator, cell) = match &self.compare {
            Compare::Null => return Some(format!("{column} IS NULL")),
            Compare::NotNull => return Some(format!("{column} IS NOT NULL")),
            Compare::Equal(cell) => ("=", cell),
            Compare::Less(cell) => ("<", cell),
            Compare::AtMost(cell) => ("<=", cell),
            Compare::Greater(cell) => (">", cell),
            Compare::AtLeast(cell) => (">=", cell),
        };
        let literal = match cell {
            Cell::Null => return None,
            Cell::Text(text) if text.contains('\0') => return None,
            Cell::Text(text) => format!("'{}'", text.replace('\'', "''")),
            Cell::Date(date) => format!("'{date}'"),
            // SQLite keeps instants as texts that can be written in more than one way
            Cell::Timestamp(_) if !postgres => return None,
            Cell::Timestamp(_) => format!("'{cell}'"),
            Cell::Float(number) if !number.is_finite() => return None,
            // with an exponent, so that it is read as a number of double precision
            Cell::Float(number) => format!("{number:e}"),
            Cell::Integer(_) | Cell::Boolean(_) => cell.to_string(),
        };
        // text is ordered by its bytes, as SQLite and the engine do
        let collate = match cell {
            Cell::Text(_) if postgres => " COLLATE \"C\"",
            _ => "",
        };
        Some(format!("{column}{collate} {operator} {literal}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_the_same_on_both_databases() {
        let condition = |compare| Condition {
            column: "a".to_owned(),
            compare,
        };
        let text = condition(Compare::AtLeast(Cell::Text("o'b".into())));
        assert_eq!(text.sql(false).as_deref(), Some("\"a\" >= 'o''b'"));
        assert_eq!(
            text.sql(true).as_deref(),
            Some("\"a\" COLLATE \"C\" >= 'o''b'")
        );
        assert_eq!(condition(Compare::Equal(Cell::Null)).sql(true), None);
        let time = condition(Compare::Less(Cell::Timestamp(DateTime::UNIX_EPOCH)));
        assert_eq!(time.sql(false), None);
        assert!(time.sql(true).is_some());
    }
}
