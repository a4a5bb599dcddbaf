//! A column that was added to a declaration, as `ALTER TABLE` takes it.

// what parses the SQL of models, so that it need not be compiled twice
use datafusion::sql::sqlparser::ast::{ColumnDef, ColumnOption, CreateTable, Statement};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

use crate::db::quote;

/// What adds a column to a table with rows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AddedColumn {
    /// Adds it.
    pub column: String,
    /// Adds what it refers to; to be run when the tables it refers to are there.
    pub references: Vec<String>,
}

impl AddedColumn {
    /// How `column` of `table` is added to rows that are there, by its own words in the declaration `sql`. SQLite takes what a column
    /// refers to only with the column, and tables that are not there yet.
    ///
    /// `None` where rows that are there would need a value, or more than its own words speaks of it.
    pub fn find(sql: &str, table: &str, column: &str, postgres: bool) -> Option<Self> {
        let statements = Parser::parse_sql(&GenericDialect {}, sql).ok()?;
        let declared = statements.iter().find_map(|statement| match statement {
            Statement::CreateTable(declared) if is_called(declared, table) => Some(declared),
            _ => None,
        })?;
        let apart = |constraint: &dyn ToString| mentions(&constraint.to_string(), column);
        if declared.constraints.iter().any(|c| apart(c)) {
            return None;
        }
        let mut definition = declared
            .columns
            .iter()
            .find(|c| c.name.value == column)?
            .clone();
        if !definition.options.iter().all(|o| can_be_added(&o.option)) {
            return None;
        }
        let references = match postgres {
            true => take_references(&mut definition, table),
            false => Vec::new(),
        };
        Some(Self {
            column: format!("ALTER TABLE {} ADD COLUMN {definition}", quote(table)),
            references,
        })
    }
}

fn is_called(declared: &CreateTable, table: &str) -> bool {
    let name = declared.name.0.last().and_then(|part| part.as_ident());
    name.is_some_and(|name| name.value == table)
}

fn can_be_added(option: &ColumnOption) -> bool {
    matches!(
        option,
        ColumnOption::Null | ColumnOption::Check(_) | ColumnOption::ForeignKey(_)
    )
}

/// Whether `text` speaks of something called `name`.
fn mentions(text: &str, name: &str) -> bool {
    let mut words = text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    words.any(|word| word.eq_ignore_ascii_case(name))
}

/// What `definition` refers to, as statements of their own.
fn take_references(definition: &mut ColumnDef, table: &str) -> Vec<String> {
    let mut taken = Vec::new();
    for option in std::mem::take(&mut definition.options) {
        match option.option {
            ColumnOption::ForeignKey(mut key) => {
                key.columns = vec![definition.name.clone()];
                taken.push(format!("ALTER TABLE {} ADD {key}", quote(table)));
            }
            _ => definition.options.push(option),
        }
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    const SQL: &str = "
        CREATE TABLE IF NOT EXISTS beds (
            bed BIGINT PRIMARY KEY,
            ward TEXT REFERENCES wards (ward) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
            width DOUBLE PRECISION CHECK (width > 0),
            floor BIGINT NOT NULL,
            label TEXT UNIQUE,
            room BIGINT,
            place BIGINT,
            CHECK (room < 100)
        );
        CREATE INDEX IF NOT EXISTS beds_by_ward ON beds (ward);";

    #[test]
    fn a_column_is_added_with_its_own_words() {
        let added = |column, postgres| AddedColumn::find(SQL, "beds", column, postgres);
        let refers = "REFERENCES wards(ward) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED";
        assert_eq!(
            added("ward", true),
            Some(AddedColumn {
                column: "ALTER TABLE \"beds\" ADD COLUMN ward TEXT".to_owned(),
                references: vec![format!(
                    "ALTER TABLE \"beds\" ADD FOREIGN KEY (ward) {refers}"
                )],
            })
        );
        let ward = added("ward", false).expect("can be added");
        assert!(
            ward.column
                .starts_with("ALTER TABLE \"beds\" ADD COLUMN ward TEXT REFERENCES wards"),
            "{ward:?}"
        );
        assert!(
            ward.column.ends_with("DEFERRABLE INITIALLY DEFERRED"),
            "{ward:?}"
        );
        assert_eq!(ward.references, Vec::<String>::new());
        let width = added("width", true).expect("can be added");
        assert_eq!(
            width.column,
            "ALTER TABLE \"beds\" ADD COLUMN width DOUBLE PRECISION CHECK (width > 0)"
        );
        assert!(added("place", true).is_some());
    }

    #[test]
    fn what_rows_would_have_to_be_looked_at_for_is_not_added() {
        for column in ["bed", "floor", "label", "room", "nothing"] {
            assert_eq!(
                AddedColumn::find(SQL, "beds", column, false),
                None,
                "{column}"
            );
        }
        assert_eq!(AddedColumn::find(SQL, "wards", "ward", false), None);
    }
}
