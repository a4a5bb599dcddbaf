//! A list as people and programs read it.

use std::fmt;

use serde_json::{Map, Value};

/// Rows under named columns: aligned as text, or as a JSON array of objects.
#[derive(Debug, Clone, Default)]
pub struct Table {
    columns: Vec<&'static str>,
    rows: Vec<Vec<Value>>,
}

impl Table {
    /// An empty table with these columns.
    pub fn new(columns: impl IntoIterator<Item = &'static str>) -> Self {
        Self {
            columns: columns.into_iter().collect(),
            rows: Vec::new(),
        }
    }

    /// Appends a row with a value for each column; null is absent.
    pub fn row(&mut self, values: impl IntoIterator<Item = Value>) {
        let row: Vec<Value> = values.into_iter().collect();
        debug_assert_eq!(row.len(), self.columns.len());
        self.rows.push(row);
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// One array of objects, an object a line.
    pub fn to_json(&self) -> String {
        let objects: Vec<String> = self.rows.iter().map(|row| self.object(row)).collect();
        match objects.is_empty() {
            true => "[]\n".to_owned(),
            false => format!("[\n{}\n]\n", objects.join(",\n")),
        }
    }

    fn object(&self, row: &[Value]) -> String {
        let names = self.columns.iter().map(|name| (*name).to_owned());
        let object: Map<String, Value> = names.zip(row.iter().cloned()).collect();
        Value::Object(object).to_string()
    }

    fn widths(&self, cells: &[Vec<String>]) -> Vec<usize> {
        let width = |index: usize, name: &str| {
            let longest = cells.iter().map(|row| row[index].chars().count()).max();
            longest.unwrap_or(0).max(name.len())
        };
        self.columns
            .iter()
            .enumerate()
            .map(|(index, name)| width(index, name))
            .collect()
    }

    fn is_number(&self, column: usize) -> bool {
        let mut values = self.rows.iter().map(|row| &row[column]);
        values.clone().any(Value::is_number) && values.all(|v| v.is_number() || v.is_null())
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cells: Vec<Vec<String>> = self
            .rows
            .iter()
            .map(|row| row.iter().map(text).collect())
            .collect();
        let widths = self.widths(&cells);
        let numbers: Vec<bool> = (0..widths.len()).map(|c| self.is_number(c)).collect();
        let header = self.columns.iter().map(|name| (*name).to_owned()).collect();
        for row in std::iter::once(&header).chain(&cells) {
            let mut line = String::new();
            for (index, cell) in row.iter().enumerate() {
                let gap = " ".repeat(widths[index].saturating_sub(cell.chars().count()));
                let (before, after) = match numbers[index] {
                    true => (gap.as_str(), ""),
                    false => ("", gap.as_str()),
                };
                let space = if index == 0 { "" } else { "  " };
                line.push_str(&format!("{space}{before}{cell}{after}"));
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// A value as a cell: `-` for nothing, lists joined by commas, line breaks and control characters made visible.
fn text(value: &Value) -> String {
    let text = match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    };
    match text.chars().any(char::is_control) {
        true => text.escape_debug().to_string(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sample() -> Table {
        let mut table = Table::new(["task", "rows", "tags"]);
        table.row([json!("load"), json!(12), json!(["a", "b"])]);
        table.row([json!("año\nnuevo"), json!(null), json!([])]);
        table
    }

    #[test]
    fn text_is_aligned_and_numbers_stand_to_the_right() {
        insta::assert_snapshot!(sample().to_string(), @r"
        task        rows  tags
        load          12  a,b
        año\nnuevo     -
        ");
    }

    #[test]
    fn json_is_one_array_of_objects() {
        insta::assert_snapshot!(sample().to_json(), @r#"
        [
        {"task":"load","rows":12,"tags":["a","b"]},
        {"task":"año\nnuevo","rows":null,"tags":[]}
        ]
        "#);
        assert_eq!(Table::new(["a"]).to_json(), "[]\n");
    }
}
