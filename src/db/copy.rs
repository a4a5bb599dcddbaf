//! PostgreSQL's text format of COPY.

use std::fmt::{Display, Write};

use futures::TryStreamExt;
use sqlx::PgConnection;

use crate::base::{Error, Result};

/// Rows as COPY reads them, field by field.
#[derive(Debug, Default)]
pub struct CopyText {
    text: String,
    inside: bool,
}

impl CopyText {
    /// Empty, with room for so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self {
            text: String::with_capacity(bytes),
            inside: false,
        }
    }

    /// The next field of the row: a text, or null.
    pub fn text(&mut self, field: Option<&str>) {
        let Some(field) = field else {
            return self.plain("\\N");
        };
        self.separate();
        let mut rest = field;
        while let Some(at) = rest
            .bytes()
            .position(|byte| matches!(byte, b'\\' | b'\t' | b'\n' | b'\r'))
        {
            self.text.push_str(&rest[..at]);
            self.text.push_str(match rest.as_bytes()[at] {
                b'\\' => "\\\\",
                b'\t' => "\\t",
                b'\n' => "\\n",
                _ => "\\r",
            });
            rest = &rest[at + 1..];
        }
        self.text.push_str(rest);
    }

    /// The next field of the row: a value whose text holds no backslash, tab or line end.
    pub fn plain(&mut self, field: impl Display) {
        self.separate();
        // writing to a string cannot fail
        let _ = write!(self.text, "{field}");
    }

    /// Ends the row.
    pub fn end_row(&mut self) {
        self.text.push('\n');
        self.inside = false;
    }

    /// Sends the rows: `sql` is `COPY … FROM STDIN`.
    ///
    /// # Errors
    /// The database's, mapped.
    pub async fn send(self, conn: &mut PgConnection, sql: &str) -> Result<u64> {
        let mut copy = conn.copy_in_raw(sql).await?;
        copy.send(self.text.into_bytes()).await?;
        Ok(copy.finish().await?)
    }

    fn separate(&mut self) {
        if self.inside {
            self.text.push('\t');
        }
        self.inside = true;
    }
}

/// Gives the fields of each row of `sql`, which is `COPY … TO STDOUT`, to `take`. Whoever stops this half-way must close the connection.
///
/// # Errors
/// The database's, mapped; those of `take`.
pub async fn copy_out(
    conn: &mut PgConnection,
    sql: &str,
    mut take: impl FnMut(Vec<Option<String>>) -> Result<()>,
) -> Result<()> {
    let mut rows = conn.copy_out_raw(sql).await?;
    while let Some(row) = rows.try_next().await? {
        let row = std::str::from_utf8(&row)
            .map_err(|error| Error::new("the server sent text that is not UTF-8").because(error))?;
        take(fields(row))?;
    }
    Ok(())
}

/// The fields of one row, with its line end.
fn fields(row: &str) -> Vec<Option<String>> {
    let row = row.strip_suffix('\n').unwrap_or(row);
    row.split('\t').map(field).collect()
}

fn field(text: &str) -> Option<String> {
    if text == "\\N" {
        return None;
    }
    let mut field = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        field.push_str(before);
        let mut chars = after.chars();
        field.extend(chars.next().map(|escaped| match escaped {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            other => other,
        }));
        rest = chars.as_str();
    }
    field.push_str(rest);
    Some(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out() {
        let texts = [
            "",
            "a\tb",
            "\\N",
            "back\\",
            "x\ny\r",
            "\u{8}\u{b}\u{c}",
            "ñ",
        ];
        let mut copy = CopyText::default();
        copy.text(None);
        texts.iter().for_each(|text| copy.text(Some(text)));
        copy.end_row();
        let out = fields(&copy.text);
        assert_eq!(out[0], None);
        let out: Vec<&str> = out.iter().flatten().map(String::as_str).collect();
        assert_eq!(out, texts);
        // as PostgreSQL itself writes it
        assert_eq!(field("\\b\\v\\f").as_deref(), Some("\u{8}\u{b}\u{c}"));
    }

    #[test]
    fn what_has_a_meaning_in_the_format_is_escaped() {
        let mut copy = CopyText::default();
        copy.text(Some("a\tb\\c\nd\r"));
        copy.text(None);
        copy.text(Some(""));
        copy.plain(1.5);
        copy.end_row();
        copy.plain(true);
        copy.end_row();
        assert_eq!(copy.text, "a\\tb\\\\c\\nd\\r\t\\N\t\t1.5\ntrue\n");
    }
}
