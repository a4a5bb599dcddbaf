//! `models.yaml`: what tables and columns mean, and the tests that must hold.

use serde::Deserialize;
use serde_json::Value;
use serde_saphyr::Spanned;

use super::{Placed, TestSpec};
use crate::base::Problem;

/// A whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Properties {
    pub models: Vec<TableSpec>,
    pub sources: Vec<TableSpec>,
}

/// A model, or a table that no model makes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableSpec {
    /// `layer.name`, or the name alone where it is the only one.
    pub name: Spanned<String>,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub columns: Vec<ColumnSpec>,
    #[serde(default)]
    pub tests: Vec<Spanned<Value>>,
}

/// A column.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnSpec {
    pub name: Spanned<String>,
    #[serde(default)]
    pub description: String,
    /// For columns of sources.
    pub r#type: Option<ColumnType>,
    #[serde(default)]
    pub tests: Vec<Spanned<Value>>,
}

/// Type of a source's column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    Text,
    Integer,
    Number,
    Boolean,
    Date,
    Timestamp,
}

impl Properties {
    /// The file at `path`.
    pub fn read(path: &str, text: &str) -> Result<Self, Problem> {
        serde_saphyr::from_str(text).map_err(|error| {
            let place = error
                .location()
                .map_or(Placed::default(), |at| Placed::new(at.line(), at.column()));
            place.problem(path, error.without_snippet().to_string(), None)
        })
    }
}

impl TableSpec {
    /// Its tests, those of its columns first; what is wrong with the others goes to `problems`.
    pub fn tests(&self, path: &str, problems: &mut Vec<Problem>) -> Vec<TestSpec> {
        let of_columns = self.columns.iter().flat_map(|column| {
            let tests = column.tests.iter();
            tests.map(|test| (Some(column.name.value.as_str()), test))
        });
        let mut read: Vec<TestSpec> = Vec::new();
        for (column, test) in of_columns.chain(self.tests.iter().map(|test| (None, test))) {
            let place = place_of(test);
            match TestSpec::read(&test.value, column, place) {
                Ok(test) if read.iter().any(|other| other.name == test.name) => {
                    let message = format!("test `{}` is given twice", test.name);
                    let hint = Some("give one of them a `name` of its own".to_owned());
                    problems.push(place.problem(path, message, hint));
                }
                Ok(test) => read.push(test),
                Err((message, hint)) => problems.push(place.problem(path, message, hint)),
            }
        }
        read
    }
}

/// Where a value is written.
pub fn place_of<T>(value: &Spanned<T>) -> Placed {
    Placed::new(value.referenced.line(), value.referenced.column())
}
