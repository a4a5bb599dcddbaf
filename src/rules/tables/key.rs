//! Values of several columns as one key of fixed size, and columns as text to compare.

use std::hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher};

use polars::prelude::*;

use crate::base::{CellType, Error, Result};
use crate::rules::convert;
use crate::rules::expression::as_text;

/// A key: 128 bits of hash, so that two of ten million different ones are equal with a chance of less than 1 in 10^24.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key(u64, u64);

impl Key {
    /// Two hashes of the same values, independent of each other.
    pub const fn halves(self) -> [u64; 2] {
        [self.0, self.1]
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0);
    }
}

/// Builds the hasher of maps and sets of keys.
pub(super) type ByKey = BuildHasherDefault<Hashed>;

/// Passes a key's first half on: it is a hash already.
#[derive(Debug, Default)]
pub(super) struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, half: u64) {
        self.0 = half;
    }
}

/// The key of `parts`; `None` when one is null. All of them are taken, also after a null.
pub(super) fn key<'a>(parts: impl Iterator<Item = Option<&'a str>>) -> Option<Key> {
    let (mut one, mut other) = (DefaultHasher::new(), DefaultHasher::new());
    let mut whole = true;
    1u8.hash(&mut other);
    for part in parts {
        whole &= part.is_some();
        part.hash(&mut one);
        part.hash(&mut other);
    }
    whole.then(|| Key(one.finish(), other.finish()))
}

/// A digest of all of `parts`, null or not.
pub(super) fn content<'a>(parts: impl Iterator<Item = Option<&'a str>>) -> u64 {
    let mut hasher = DefaultHasher::new();
    for part in parts {
        part.hash(&mut hasher);
    }
    hasher.finish()
}

/// A column as text, each value written as [`crate::base::Cell`] writes it.
///
/// # Errors
/// When the column's type has no text form.
pub(super) fn text_of(column: &Column) -> Result<StringChunked> {
    let as_cells = match column.dtype() {
        DataType::Float32 | DataType::Float64 => CellType::Float,
        // polars would write dates by a general format, each anew
        DataType::Date => CellType::Date,
        DataType::Datetime(..) => CellType::Timestamp,
        DataType::Null => {
            return Ok(StringChunked::full_null(PlSmallStr::EMPTY, column.len()));
        }
        _ => return as_text(column),
    };
    let converted = convert::cells(column, as_cells)?;
    let texts = converted
        .cells
        .iter()
        .map(|cell| (!cell.is_null()).then(|| cell.to_string()));
    Ok(StringChunked::from_iter_options(PlSmallStr::EMPTY, texts))
}

/// The columns `names` of `frame` as text.
///
/// # Errors
/// When one is missing or has no text form.
pub(super) fn texts_of(frame: &DataFrame, names: &[String]) -> Result<Vec<StringChunked>> {
    names
        .iter()
        .map(|name| text_of(column(frame, name)?))
        .collect()
}

/// The column `name` of `frame`.
///
/// # Errors
/// When it is missing.
pub(super) fn column<'a>(frame: &'a DataFrame, name: &str) -> Result<&'a Column> {
    frame
        .column(name)
        .map_err(|_| Error::new(format!("column `{name}` is missing")))
}

/// The texts of columns, row by row.
pub(super) struct Rows<'a>(Vec<StringIter<'a>>);

type StringIter<'a> = Box<dyn Iterator<Item = Option<&'a str>> + 'a>;

impl<'a> Rows<'a> {
    /// The rows of `columns`.
    pub fn new(columns: &'a [StringChunked]) -> Self {
        Self(
            columns
                .iter()
                .map(|column| Box::new(column.iter()) as StringIter<'a>)
                .collect(),
        )
    }

    /// The key of the next row; every call is one row.
    pub fn next_key(&mut self) -> Option<Key> {
        key(self.next_row())
    }

    /// The texts of the next row.
    pub fn next_row(&mut self) -> impl Iterator<Item = Option<&'a str>> {
        self.0.iter_mut().map(|column| column.next().flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_kept_apart_and_null_has_no_key() {
        let of = |parts: &[Option<&'static str>]| key(parts.iter().copied());
        assert_ne!(of(&[Some("ab"), Some("c")]), of(&[Some("a"), Some("bc")]));
        assert_eq!(of(&[Some("a"), None]), None);
        assert_ne!(content([None].into_iter()), content([Some("")].into_iter()));
    }

    #[test]
    fn a_number_is_written_in_one_way() {
        let floats = Column::new("n".into(), [Some(2.0), None]);
        let integers = Column::new("n".into(), [Some(2i64), None]);
        let text = |column: &Column| -> Vec<Option<String>> {
            let text = text_of(column).expect("text");
            text.iter().map(|t| t.map(str::to_owned)).collect()
        };
        assert_eq!(text(&floats), text(&integers));
    }
}
