//! Many rows as the parameters of a few SQLite statements.

use std::sync::Arc;

use sqlx::Arguments as _;
use sqlx::sqlite::SqliteArguments;

use super::{Rows, quote};
use crate::base::{Error, Result};

/// Parameters of a statement: more make it hardly faster, and each is kept by every prepared statement.
const MAX_PARAMETERS: usize = 2_048;

/// A statement with its parameters.
pub(super) type Statement = (Arc<str>, SqliteArguments);

/// One statement's text, run on chunk after chunk of rows. Statements have room for a fixed number of rows, the last one for a power
/// of two, so that prepared statements are found again; places that are left over are not bound and not read.
#[derive(Debug)]
pub(super) struct Chunks {
    most: usize,
    next: usize,
    /// The text for chunks of `most` rows, once it was needed.
    full: Option<Arc<str>>,
}

impl Chunks {
    pub fn new(rows: &Rows<'_>) -> Self {
        let width = rows.columns.len().max(1);
        let left = MAX_PARAMETERS.saturating_sub(1 + rows.constants.len());
        Self {
            most: (left / width).max(1),
            next: 0,
            full: None,
        }
    }

    /// The next chunk of `rows`, which must be those of [`Chunks::new`], with the statement `sql`; `None` at the end.
    pub fn next(&mut self, rows: &Rows<'_>, sql: &str) -> Result<Option<Statement>> {
        let size = self.size(rows);
        if size == 0 {
            return Ok(None);
        }
        let arguments = self.arguments(rows, size)?;
        let text = self.text(rows, sql, size);
        self.next += size;
        Ok(Some((text, arguments)))
    }

    /// Rows of the next chunk; zero at the end.
    fn size(&self, rows: &Rows<'_>) -> usize {
        self.most.min(rows.len() - self.next)
    }

    fn text(&mut self, rows: &Rows<'_>, sql: &str, size: usize) -> Arc<str> {
        let room = self.most.min(size.next_power_of_two());
        let make = || Arc::from(sql.replace("{rows}", &values(rows, room)));
        match room == self.most {
            true => Arc::clone(self.full.get_or_insert_with(make)),
            false => make(),
        }
    }

    fn arguments(&self, rows: &Rows<'_>, size: usize) -> Result<SqliteArguments> {
        let mut arguments = SqliteArguments::default();
        let constants = rows.constants.len();
        arguments.reserve(1 + constants + size * rows.columns.len(), 0);
        let add = |arguments: &mut SqliteArguments| {
            arguments.add(size as i64)?;
            for (_, constant) in &rows.constants {
                constant.add_to_sqlite(0, arguments)?;
            }
            for row in self.next..self.next + size {
                for (_, cells) in &rows.columns {
                    cells.add_to_sqlite(row, arguments)?;
                }
            }
            Ok(())
        };
        let added: Result<(), sqlx::error::BoxDynError> = add(&mut arguments);
        added.map_err(|_| Error::new("a value cannot be bound"))?;
        Ok(arguments)
    }
}

/// A query that gives as many of `room` rows as its first parameter says. Anonymous `?`, because SQLite looks named parameters up one by one.
fn values(rows: &Rows<'_>, room: usize) -> String {
    // the constants come first, as they are bound
    let constants = rows.constants.iter();
    let constants = constants.map(|(name, _)| format!("? AS {}", quote(name)));
    let columns = (1..).zip(&rows.columns);
    let columns = columns.map(|(n, (name, _))| format!("column{n} AS {}", quote(name)));
    let names: Vec<String> = constants.chain(columns).collect();
    let row = format!("({})", vec!["?"; rows.columns.len()].join(","));
    let list = vec![row.as_str(); room].join(",");
    format!(
        "WITH _given(number) AS (SELECT ?) SELECT {} FROM (VALUES {list}) LIMIT (SELECT number FROM _given)",
        names.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For each chunk the rows it has, and those it has room for.
    fn sizes(columns: usize, count: i64) -> Vec<(usize, usize)> {
        let names: Vec<String> = (0..columns).map(|n| n.to_string()).collect();
        let rows = names
            .iter()
            .fold(Rows::new(), |rows, name| rows.int(name, 0..count));
        let mut chunks = Chunks::new(&rows);
        std::iter::from_fn(|| {
            let size = chunks.size(&rows);
            let (text, _) = chunks.next(&rows, "{rows}").expect("bound")?;
            Some((size, (text.matches('?').count() - 1) / columns))
        })
        .collect()
    }

    #[test]
    fn chunk_sizes_come_from_a_short_list() {
        assert_eq!(sizes(4, 1_078), [(511, 511), (511, 511), (56, 64)]);
        assert_eq!(sizes(4, 0), []);
    }

    #[test]
    fn wide_rows_stay_below_the_limit() {
        assert_eq!(sizes(1_000, 3), [(2, 2), (1, 1)]);
        assert_eq!(sizes(5_000, 2), [(1, 1), (1, 1)]);
    }
}
