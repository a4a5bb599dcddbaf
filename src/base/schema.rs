//! The operational tables of a DAG, as declared.

use std::collections::BTreeMap;

use super::{CellType, Error, Result, nearest};

/// Tables by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Schema {
    tables: BTreeMap<String, Table>,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its columns, in declaration order.
    pub columns: Vec<TableColumn>,
    /// Names of the primary key's columns, in key order; empty without one.
    pub key: Vec<String>,
    /// References to other tables.
    pub foreign_keys: Vec<ForeignKey>,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    pub cell_type: CellType,
    /// Whether it takes null.
    pub nullable: bool,
    /// Whether it has a value when none is given.
    pub has_default: bool,
}

/// A reference to another table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKey {
    /// The columns that refer.
    pub columns: Vec<String>,
    /// The table referred to.
    pub table: String,
    /// The columns of that table, in the same order.
    pub parent_columns: Vec<String>,
}

impl Schema {
    /// Adds or replaces a table.
    pub fn insert(&mut self, table: Table) {
        self.tables.insert(table.name.clone(), table);
    }

    /// The table `name`.
    ///
    /// # Errors
    /// When there is none; the hint names the nearest.
    pub fn table(&self, name: &str) -> Result<&Table> {
        self.tables.get(name).ok_or_else(|| {
            let error = Error::new(format!("table `{name}` is not declared"));
            match nearest(name, self.tables.keys().map(String::as_str)) {
                Some(known) => error.hint(format!("did you mean `{known}`?")),
                None => error.hint("declare it in the SQL file that the DAG's `tables` names"),
            }
        })
    }

    /// All tables, by name.
    pub fn tables(&self) -> impl Iterator<Item = &Table> {
        self.tables.values()
    }
}

impl Table {
    /// The column `name`.
    ///
    /// # Errors
    /// When there is none; the hint names the nearest.
    pub fn column(&self, name: &str) -> Result<&TableColumn> {
        self.columns.iter().find(|c| c.name == name).ok_or_else(|| {
            let error = Error::new(format!("table `{}` has no column `{name}`", self.name));
            match nearest(name, self.columns.iter().map(|c| c.name.as_str())) {
                Some(known) => error.hint(format!("did you mean `{known}`?")),
                None => error,
            }
        })
    }

    /// Whether the table has column `name`.
    pub fn has(&self, name: &str) -> bool {
        self.columns.iter().any(|column| column.name == name)
    }
}
