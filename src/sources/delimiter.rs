//! What stands between the fields of a CSV file.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What separates fields: one ASCII character, `tab`, or `auto` to take it from the first line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub enum Delimiter {
    /// This byte.
    Byte(u8),
    /// The most frequent of comma, semicolon, tab and bar in the first line.
    Auto,
}

impl Default for Delimiter {
    fn default() -> Self {
        Self::Byte(b',')
    }
}

impl TryFrom<String> for Delimiter {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_bytes() {
            b"auto" => Ok(Self::Auto),
            b"tab" | b"\\t" => Ok(Self::Byte(b'\t')),
            [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r' | 0) => {
                Ok(Self::Byte(*byte))
            }
            _ => Err(format!(
                "`{text}` is not a delimiter, expected one ASCII character, `tab` or `auto`"
            )),
        }
    }
}

impl Delimiter {
    /// The byte, taken from `first_line` when it is not given.
    pub(super) fn resolve(self, first_line: &[u8]) -> u8 {
        match self {
            Self::Byte(byte) => byte,
            Self::Auto => sniff(first_line),
        }
    }
}

/// The most frequent candidate outside quotes; a comma when there is none.
fn sniff(first_line: &[u8]) -> u8 {
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0), (b'|', 0)];
    let mut quoted = false;
    for &byte in first_line {
        quoted ^= byte == b'"';
        if let Some((_, count)) = counts.iter_mut().find(|(one, _)| *one == byte && !quoted) {
            *count += 1;
        }
    }
    // of equals the first wins, as `max_by_key` keeps the last
    counts
        .into_iter()
        .rev()
        .max_by_key(|(_, count)| *count)
        .map_or(b',', |(byte, _)| byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        let parse = |text: &str| Delimiter::try_from(text.to_owned());
        assert_eq!(parse(";"), Ok(Delimiter::Byte(b';')));
        assert_eq!(parse("tab"), Ok(Delimiter::Byte(b'\t')));
        assert_eq!(parse("\t"), Ok(Delimiter::Byte(b'\t')));
        assert!(parse("||").is_err());
        assert!(parse("\"").is_err());
    }

    #[test]
    fn sniffs_outside_quotes() {
        assert_eq!(sniff(b"a;b;c"), b';');
        assert_eq!(sniff(b"\"a,b,c,d\"|e|f"), b'|');
        assert_eq!(sniff(b"alone"), b',');
    }
}
