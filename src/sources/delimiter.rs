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

    /// Another delimiter that `first_line` has more often than this one, which was chosen for it.
    pub(super) fn other(self, first_line: &[u8]) -> Option<u8> {
        let Self::Byte(chosen) = self else {
            return None;
        };
        let other = sniff(first_line);
        (count(other, first_line) > count(chosen, first_line)).then_some(other)
    }
}

const CANDIDATES: [u8; 4] = [b',', b';', b'\t', b'|'];

/// The most frequent candidate outside quotes; a comma when there is none.
fn sniff(first_line: &[u8]) -> u8 {
    // of equals the first wins, as `max_by_key` keeps the last
    let candidates = CANDIDATES.into_iter().rev();
    candidates
        .max_by_key(|byte| count(*byte, first_line))
        .unwrap_or(b',')
}

/// How often `wanted` is in `line` outside quotes.
fn count(wanted: u8, line: &[u8]) -> usize {
    let mut quoted = false;
    let outside = line.iter().filter(|byte| {
        quoted ^= **byte == b'"';
        **byte == wanted && !quoted
    });
    outside.count()
}

/// The way out when fields are separated by `byte` and not as the source says.
pub(super) fn hint(byte: u8) -> String {
    let name = match byte {
        b'\t' => "tab".to_owned(),
        byte => char::from(byte).to_string(),
    };
    format!(
        "its fields seem to be separated by `{name}`: set `delimiter: \"{name}\"` of the source, or `auto`"
    )
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

    #[test]
    fn doubts_what_is_rarer_than_another() {
        let comma = Delimiter::default();
        assert_eq!(comma.other(b"a;b;c"), Some(b';'));
        assert_eq!(comma.other(b"a;b, first;c"), Some(b';'));
        assert_eq!(comma.other(b"a,b;c"), None);
        assert_eq!(comma.other(b"\"a;b\""), None);
        assert_eq!(comma.other(b"alone"), None);
        assert_eq!(Delimiter::Byte(b'^').other(b"a^b"), None);
        assert_eq!(Delimiter::Byte(b';').other(b"a\tb"), Some(b'\t'));
        assert_eq!(Delimiter::Auto.other(b"a;b"), None);
    }
}
