//! PostgreSQL's text format of COPY.

use std::fmt::{Display, Write};

use chrono::{DateTime, SecondsFormat, Utc};
use sqlx::PgConnection;

use crate::base::Result;

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

    /// The next field of the row: an instant.
    pub fn time(&mut self, at: DateTime<Utc>) {
        self.plain(at.to_rfc3339_opts(SecondsFormat::Micros, true));
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

#[cfg(test)]
mod tests {
    use super::*;

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
