//! A bounded batch of text records: what every reader yields and staging takes.

use std::sync::Arc;

use super::Digest;

/// Records of one file, row after row in one text buffer, so that a batch costs a few allocations
/// however many cells it has.
#[derive(Debug, Clone, Default)]
pub struct TextBatch {
    columns: Arc<[String]>,
    text: String,
    /// End of each cell in `text`, row-major; `NULL_BIT` marks a null.
    ends: Vec<u64>,
    lines: Vec<u64>,
    hashes: Vec<Digest>,
    /// Records that could not be read, in file order.
    pub rejects: Vec<BadRecord>,
}

/// A record that could not be read; goes to quarantine with its raw bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRecord {
    /// Line of the file on which the record starts, from 1.
    pub line: u64,
    /// A stable word for the reason, as `ragged`, `bad_quote`, `bad_encoding`.
    pub reason: &'static str,
    /// What was found and expected, without any value from the record.
    pub detail: String,
    /// The record's bytes as they are in the file.
    pub raw: Vec<u8>,
}

const NULL_BIT: u64 = 1 << 63;

impl TextBatch {
    /// An empty batch with these column names.
    pub fn new(columns: Arc<[String]>) -> Self {
        Self {
            columns,
            ..Self::default()
        }
    }

    /// Column names, in file order.
    pub fn columns(&self) -> &Arc<[String]> {
        &self.columns
    }

    /// Appends one record that starts on `line`; `cells` has one item for each column and `None` is null.
    /// `hash` is the SHA-256 of the record as it came.
    pub fn push(
        &mut self,
        line: u64,
        hash: Digest,
        cells: impl IntoIterator<Item = Option<impl AsRef<str>>>,
    ) {
        for cell in cells {
            match cell {
                Some(text) => {
                    self.text.push_str(text.as_ref());
                    self.ends.push(self.text.len() as u64);
                }
                None => self.ends.push(self.text.len() as u64 | NULL_BIT),
            }
        }
        self.lines.push(line);
        self.hashes.push(hash);
        debug_assert_eq!(self.ends.len(), self.lines.len() * self.columns.len());
    }

    /// Number of good records.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there is neither a record nor a reject.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.rejects.is_empty()
    }

    /// Bytes of text held; what bounds a batch besides its number of records.
    pub fn text_bytes(&self) -> usize {
        self.text.len()
    }

    /// The cell of record `row` in column `column`, both from 0; `None` is null.
    ///
    /// # Panics
    /// When `row` or `column` is out of range, as indexing a slice does.
    pub fn cell(&self, row: usize, column: usize) -> Option<&str> {
        let index = row * self.columns.len() + column;
        let end = self.ends[index];
        if end & NULL_BIT != 0 {
            return None;
        }
        let start = match index {
            0 => 0,
            _ => (self.ends[index - 1] & !NULL_BIT) as usize,
        };
        Some(&self.text[start..end as usize])
    }

    /// The line on which record `row` starts.
    pub fn line(&self, row: usize) -> u64 {
        self.lines[row]
    }

    /// The SHA-256 of record `row` as it came.
    pub fn hash(&self, row: usize) -> Digest {
        self.hashes[row]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::sha256;

    #[test]
    fn cells_come_back_as_they_went_in() {
        let columns: Arc<[String]> = ["a".to_owned(), "b".to_owned()].into();
        let mut batch = TextBatch::new(columns);
        batch.push(2, sha256("x"), [None, Some("één")]);
        batch.push(3, sha256("y"), [Some(""), None]);
        assert_eq!(batch.len(), 2);
        assert_eq!(batch.cell(0, 0), None);
        assert_eq!(batch.cell(0, 1), Some("één"));
        assert_eq!(batch.cell(1, 0), Some(""));
        assert_eq!(batch.cell(1, 1), None);
        assert_eq!(batch.line(1), 3);
    }
}
