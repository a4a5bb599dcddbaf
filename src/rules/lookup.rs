//! A CSV file as a lookup table.

use std::collections::HashMap;

use crate::base::{Error, Result, nearest};

/// Values by key, from a CSV file with a header.
#[derive(Debug)]
pub struct Lookup {
    width: usize,
    rows: HashMap<String, usize>,
    /// Row-major; an empty field is null.
    values: Vec<Option<String>>,
}

impl Lookup {
    /// Reads `text`, keyed by column `key`, keeping the columns `values` in this order.
    ///
    /// # Errors
    /// When the text is not CSV, a column is missing, or a key comes twice.
    pub fn parse(text: &str, key: &str, values: &[&str]) -> Result<Self> {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let broken = |error: csv::Error| Error::new("expected CSV with a header").because(error);
        let header = reader.headers().map_err(broken)?.clone();
        let find = |name: &str| {
            header.iter().position(|h| h == name).ok_or_else(|| {
                let error = Error::new(format!("column `{name}` is not in the header"));
                match nearest(name, header.iter()) {
                    Some(known) => error.hint(format!("did you mean `{known}`?")),
                    None => error,
                }
            })
        };
        let key_index = find(key)?;
        let indexes = values.iter().map(|v| find(v)).collect::<Result<Vec<_>>>()?;
        let mut lookup = Self {
            width: values.len(),
            rows: HashMap::new(),
            values: Vec::new(),
        };
        for record in reader.records() {
            let record = record.map_err(broken)?;
            let row = lookup.rows.len();
            let key = record.get(key_index).unwrap_or_default();
            if lookup.rows.insert(key.to_owned(), row).is_some() {
                let line = record.position().map_or(0, csv::Position::line);
                return Err(
                    Error::new(format!("line {line} repeats a key of an earlier line"))
                        .hint("one line for each key"),
                );
            }
            lookup.values.extend(indexes.iter().map(|index| {
                let value = record.get(*index).unwrap_or_default();
                (!value.is_empty()).then(|| value.to_owned())
            }));
        }
        Ok(lookup)
    }

    /// Value number `value` for `key`.
    pub fn get(&self, key: &str, value: usize) -> Option<&str> {
        let row = self.rows.get(key)?;
        self.values[row * self.width + value].as_deref()
    }

    /// Every key that has a first value, with it.
    pub fn into_pairs(mut self) -> HashMap<String, String> {
        let (rows, width) = (std::mem::take(&mut self.rows), self.width);
        rows.into_iter()
            .filter_map(|(key, row)| Some((key, self.values.get_mut(row * width)?.take()?)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_values_and_refuses_double_keys() {
        let text = "label,code,description\npneumonia,J18.9,Pneumonia\nnormal,,\n";
        let lookup = Lookup::parse(text, "label", &["description", "code"]).expect("csv");
        assert_eq!(lookup.get("pneumonia", 1), Some("J18.9"));
        assert_eq!(lookup.get("normal", 1), None);
        assert_eq!(lookup.get("other", 0), None);
        let error = Lookup::parse("a,b\nx,1\nx,2\n", "a", &["b"]).expect_err("twice");
        assert_eq!(error.to_string(), "line 3 repeats a key of an earlier line");
        let error = Lookup::parse(text, "lable", &[]).expect_err("name");
        assert_eq!(error.hint_text(), Some("did you mean `label`?"));
    }
}
