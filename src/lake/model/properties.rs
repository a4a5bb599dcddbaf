//! `models.yaml`: what tables and columns mean, and the tests that must hold.

use serde_json::Value;

use super::hint::did_you_mean;
use super::{Column, TestSpec};
use crate::base::yaml::{self, Node};
use crate::base::{CellType, Place, Problem};

/// A whole file, as far as it can be read.
#[derive(Debug, Default)]
pub struct Properties {
    pub models: Vec<TableSpec>,
    pub sources: Vec<TableSpec>,
}

/// A model, or a table that no model makes.
#[derive(Debug)]
pub struct TableSpec {
    /// `layer.name`, or the name alone where it is the only one.
    pub name: String,
    /// Where it is named.
    pub place: Place,
    pub description: String,
    /// Of models as of sources; types are for those of sources.
    pub columns: Vec<Column>,
    /// With the column that each stands under, if it does.
    tests: Vec<(Option<String>, Value, Place)>,
}

/// What a column of a source can be, and what it is then.
const TYPES: [(&str, CellType); 6] = [
    ("text", CellType::Text),
    ("integer", CellType::Integer),
    ("number", CellType::Float),
    ("boolean", CellType::Boolean),
    ("date", CellType::Date),
    ("timestamp", CellType::Timestamp),
];

impl Properties {
    /// The file at `path`; what is wrong with it goes to `problems`, and the rest is read.
    pub fn read(path: &str, text: &str, problems: &mut Vec<Problem>) -> Self {
        let mut reading = Reading { path, problems };
        let node = match yaml::parse(text) {
            Ok(node) => node,
            Err((place, message)) => {
                reading.problem(place, message, None);
                return Self::default();
            }
        };
        for repeated in node.repeated_keys() {
            let (key, line) = (repeated.key, repeated.first.line);
            let message =
                format!("key `{key}` is given a second time, the first is on line {line}");
            reading.problem(repeated.place, message, None);
        }
        let mut file = Self::default();
        for (key, tables) in reading.entries(&node, &["models", "sources"]) {
            let tables = reading.items(tables).iter();
            let tables = tables.filter_map(|table| reading.table(table)).collect();
            match key {
                "models" => file.models = tables,
                _ => file.sources = tables,
            }
        }
        file
    }
}

impl TableSpec {
    /// Its tests, those of its columns first; what is wrong with the others goes to `problems`.
    pub fn tests(&self, path: &str, problems: &mut Vec<Problem>) -> Vec<TestSpec> {
        let mut read: Vec<TestSpec> = Vec::new();
        for (column, test, place) in &self.tests {
            match TestSpec::read(test, column.as_deref(), *place) {
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

/// A file that is being read, with what is wrong with it so far.
struct Reading<'a> {
    path: &'a str,
    problems: &'a mut Vec<Problem>,
}

impl Reading<'_> {
    fn problem(&mut self, place: Place, message: impl Into<String>, hint: Option<String>) {
        self.problems.push(place.problem(self.path, message, hint));
    }

    /// The entries of a map whose keys are among `known`.
    fn entries<'n>(&mut self, node: &'n Node, known: &[&str]) -> Vec<(&'n str, &'n Node)> {
        let Some(entries) = node.entries() else {
            self.problem(node.place(""), "expected a map", None);
            return Vec::new();
        };
        let mut found = Vec::new();
        for (key, place, value) in entries {
            if known.contains(&key.as_str()) {
                found.push((key.as_str(), value));
            } else {
                let hint = did_you_mean(key, known.iter().copied())
                    .unwrap_or_else(|| format!("known keys: {}", known.join(", ")));
                self.problem(*place, format!("unknown key `{key}`"), Some(hint));
            }
        }
        found
    }

    fn items<'n>(&mut self, node: &'n Node) -> &'n [Node] {
        node.items().unwrap_or_else(|| {
            self.problem(node.place(""), "expected a list", None);
            &[]
        })
    }

    fn text(&mut self, node: &Node) -> String {
        match node.to_json() {
            Value::String(text) => text,
            Value::Null => String::new(),
            Value::Array(_) | Value::Object(_) => {
                self.problem(node.place(""), "expected text", None);
                String::new()
            }
            other => other.to_string(),
        }
    }

    fn table(&mut self, node: &Node) -> Option<TableSpec> {
        let mut table = TableSpec {
            name: String::new(),
            place: Place::default(),
            description: String::new(),
            columns: Vec::new(),
            tests: Vec::new(),
        };
        let mut own = Vec::new();
        for (key, value) in self.entries(node, &["name", "description", "columns", "tests"]) {
            match key {
                "name" => (table.name, table.place) = (self.text(value), value.place("")),
                "description" => table.description = self.text(value),
                "columns" => {
                    for column in self.items(value) {
                        table.columns.extend(self.column(column, &mut table.tests));
                    }
                }
                _ => own = self.tests(value, None),
            }
        }
        table.tests.extend(own);
        self.named(node, &table.name).then_some(table)
    }

    fn column(
        &mut self,
        node: &Node,
        tests: &mut Vec<(Option<String>, Value, Place)>,
    ) -> Option<Column> {
        let mut column = Column {
            name: String::new(),
            description: String::new(),
            cell_type: CellType::Text,
        };
        let mut own = None;
        for (key, value) in self.entries(node, &["name", "description", "type", "tests"]) {
            match key {
                "name" => column.name = self.text(value),
                "description" => column.description = self.text(value),
                "type" => column.cell_type = self.cell_type(value),
                _ => own = Some(value),
            }
        }
        if let Some(own) = own {
            tests.extend(self.tests(own, Some(&column.name)));
        }
        self.named(node, &column.name).then_some(column)
    }

    /// Whether what stands at `node` has a name.
    fn named(&mut self, node: &Node, name: &str) -> bool {
        if name.is_empty() && node.entries().is_some() {
            self.problem(node.place(""), "`name` is missing", None);
        }
        !name.is_empty()
    }

    fn tests(&mut self, node: &Node, column: Option<&str>) -> Vec<(Option<String>, Value, Place)> {
        let tests = self.items(node).iter();
        tests
            .map(|test| {
                let column = column.map(str::to_owned);
                (column, test.to_json(), test.place(""))
            })
            .collect()
    }

    fn cell_type(&mut self, node: &Node) -> CellType {
        let text = self.text(node);
        let known = TYPES.iter().find(|(name, _)| *name == text);
        known.map_or_else(
            || {
                let names = TYPES.map(|(name, _)| name);
                let message = format!("`{text}` is not a type, expected {}", names.join(", "));
                self.problem(node.place(""), message, did_you_mean(&text, names));
                CellType::Text
            },
            |(_, cell_type)| *cell_type,
        )
    }
}
