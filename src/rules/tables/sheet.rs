//! A rule table as text: its header held against the columns it may have, its records with their lines.

use std::sync::Arc;

use super::place::{Place, Problems, unknown};
use crate::base::{Error, Result};

/// A record of a rule table.
#[derive(Debug)]
pub(super) struct Record {
    pub place: Place,
    header: Arc<[String]>,
    fields: csv::StringRecord,
}

/// Reads `text` as a rule table with the columns `required`, in any order, and perhaps some of `optional`.
pub(super) fn read(
    file: &str,
    text: &str,
    required: &[&str],
    optional: &[&str],
    problems: &mut Problems,
) -> Vec<Record> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let file: Arc<str> = file.into();
    let at = |line| Place {
        file: file.clone(),
        line,
    };
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header: Arc<[String]> = match reader.headers() {
        Ok(header) => header.iter().map(|name| name.trim().to_owned()).collect(),
        Err(error) => {
            let error = Error::new("expected CSV with a header").because(error);
            problems.add(&at(1), &error);
            return Vec::new();
        }
    };
    if !check_header(&at(1), &header, required, optional, problems) {
        return Vec::new();
    }
    let mut records = Vec::new();
    for record in reader.records() {
        match record {
            Ok(fields) => {
                let place = at(fields.position().map_or(0, line));
                records.push(Record {
                    place,
                    header: header.clone(),
                    fields,
                });
            }
            Err(error) => {
                let place = at(error.position().map_or(0, line));
                let error = match error.kind() {
                    csv::ErrorKind::UnequalLengths {
                        expected_len, len, ..
                    } => Error::new(format!(
                        "{len} fields, expected {expected_len} as in the header"
                    ))
                    .hint("a field with a comma in it stands in double quotes"),
                    _ => Error::new("expected a line of CSV").because(error),
                };
                problems.add(&place, &error);
            }
        }
    }
    records
}

fn line(position: &csv::Position) -> u32 {
    u32::try_from(position.line()).unwrap_or(u32::MAX)
}

fn check_header(
    place: &Place,
    header: &[String],
    required: &[&str],
    optional: &[&str],
    problems: &mut Problems,
) -> bool {
    let before = problems.0.len();
    for (number, name) in header.iter().enumerate() {
        if header[..number].contains(name) {
            let error = Error::new(format!("column `{name}` is in the header twice"));
            problems.add(place, &error);
        } else if !required.contains(&name.as_str()) && !optional.contains(&name.as_str()) {
            let known = required.iter().chain(optional).copied();
            let error = unknown(format!("unknown column `{name}`"), name, known);
            problems.add(place, &error);
        }
    }
    for name in required {
        if !header.iter().any(|known| known == name) {
            let error = Error::new(format!("column `{name}` is missing from the header"))
                .hint(format!("expected `{}`", required.join(",")));
            problems.add(place, &error);
        }
    }
    problems.0.len() == before
}

impl Record {
    /// The field of column `name` as written; empty when the table has no such column.
    pub fn raw(&self, name: &str) -> &str {
        let index = self.header.iter().position(|known| known == name);
        index
            .and_then(|index| self.fields.get(index))
            .unwrap_or_default()
    }

    /// The field of column `name` without blanks around it.
    pub fn get(&self, name: &str) -> &str {
        self.raw(name).trim()
    }

    /// The field of column `name`, which must not be empty.
    pub fn text(&self, name: &str) -> Result<String> {
        match self.get(name) {
            "" => Err(Error::new(format!("`{name}` is empty, expected a name"))),
            text => Ok(text.to_owned()),
        }
    }

    /// Whether the record is in force: `Y` or `N` in column `is_active`.
    pub fn is_active(&self) -> Result<bool> {
        self.flag("is_active", &["Y"], &["N"])
    }

    /// A field that is one of two words, whatever their case.
    pub fn flag(&self, name: &str, yes: &[&str], no: &[&str]) -> Result<bool> {
        let text = self.get(name);
        let is = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
        match (is(yes), is(no)) {
            (true, _) => Ok(true),
            (_, true) => Ok(false),
            _ => Err(Error::new(format!(
                "`{name}` is `{text}`, expected `{}` or `{}`",
                yes[0], no[0]
            ))),
        }
    }

    /// The place in the order: a whole number in column `seq_no`; `None` where it is empty or `null`.
    pub fn order(&self) -> Result<Option<i64>> {
        let text = self.get("seq_no");
        match text {
            "" | "null" => Ok(None),
            text => text
                .parse()
                .map(Some)
                .map_err(|_| Error::new(format!("`seq_no` is `{text}`, expected a whole number"))),
        }
    }

    /// As [`Record::order`], where there must be one.
    pub fn required_order(&self) -> Result<i64> {
        self.order()?
            .ok_or_else(|| Error::new("`seq_no` is empty, expected a whole number"))
    }

    /// Names separated by commas, at least one and none twice.
    pub fn names(&self, name: &str) -> Result<Vec<String>> {
        let mut names: Vec<String> = Vec::new();
        for part in self.get(name).split(',').map(str::trim) {
            if part.is_empty() {
                let error = Error::new(format!("`{name}` has an empty name in its list"));
                return Err(error.hint("expected names separated by commas, as `a, b`"));
            }
            if names.iter().any(|known| known == part) {
                return Err(Error::new(format!("`{name}` names `{part}` twice")));
            }
            names.push(part.to_owned());
        }
        Ok(names)
    }
}
