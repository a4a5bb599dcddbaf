//! Column names, as every reader makes them.

use std::collections::HashMap;
use std::sync::Arc;

use crate::base::{Error, Result, nearest};

/// Column names from a header: trimmed, an empty one named `column_<n>`. Names are compared without case, as SQL does.
///
/// # Errors
/// A text for the first name that appears twice.
pub(super) fn from_header<'a>(
    header: impl IntoIterator<Item = &'a str>,
) -> Result<Arc<[String]>, String> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut names = Vec::new();
    for (index, name) in header.into_iter().enumerate() {
        let name = match name.trim() {
            "" => format!("column_{}", index + 1),
            name => name.to_owned(),
        };
        if let Some(first) = seen.insert(name.to_lowercase(), index) {
            return Err(format!(
                "column `{name}` is in the header twice, as columns {} and {}",
                first + 1,
                index + 1
            ));
        }
        names.push(name);
    }
    Ok(names.into())
}

/// The place of each of `wanted` among `columns`, without case.
///
/// # Errors
/// When one is missing; the hint names the nearest.
pub(super) fn places(columns: &[String], wanted: &[String], file: &str) -> Result<Vec<usize>> {
    let places: HashMap<String, usize> = columns
        .iter()
        .enumerate()
        .map(|(index, name)| (name.to_lowercase(), index))
        .collect();
    wanted
        .iter()
        .map(|name| {
            places
                .get(&name.to_lowercase())
                .copied()
                .ok_or_else(|| missing(columns, name, file))
        })
        .collect()
}

fn missing(columns: &[String], name: &str, file: &str) -> Error {
    let error = Error::new(format!(
        "`{file}` has no column `{name}` among its {}",
        columns.len()
    ));
    match nearest(name, columns.iter().map(String::as_str)) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint("look at the first line of the file with `galen profile`"),
    }
}

/// Whether `wanted` can be the columns to take.
///
/// # Errors
/// What was expected instead.
pub(super) fn check_chosen(wanted: &[String]) -> Result<(), String> {
    match from_header(wanted.iter().map(String::as_str)) {
        Ok(names) if names.is_empty() => Err("expected at least one column".to_owned()),
        Ok(names) if *names != *wanted => {
            Err("expected names that are neither empty nor surrounded by blanks".to_owned())
        }
        Ok(_) => Ok(()),
        Err(text) => Err(text),
    }
}

/// The error for a file without even a first record.
pub(super) fn empty(file: &str, expected: &str) -> Error {
    Error::new(format!("`{file}` is empty, expected {expected}"))
        .hint("deliver the file again, or leave it out of the pattern")
}
