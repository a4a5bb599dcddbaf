//! How a file's bytes stand for letters.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The encoding of a text file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Encoding {
    /// UTF-8, of which ASCII is a part.
    #[default]
    #[serde(rename = "utf-8", alias = "utf8")]
    Utf8,
    /// ISO 8859-1: each byte is the letter of that number.
    #[serde(rename = "latin1", alias = "iso-8859-1")]
    Latin1,
    /// The code page of western Windows: Latin-1 with the euro sign and curly quotes.
    #[serde(rename = "windows-1252", alias = "cp1252")]
    Windows1252,
}

impl Encoding {
    /// The text that `bytes` stand for; `None` when they stand for none, which only UTF-8 knows.
    pub fn decode(self, bytes: &[u8]) -> Option<Cow<'_, str>> {
        match self {
            Self::Utf8 => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
            Self::Latin1 => Some(encoding_rs::mem::decode_latin1(bytes)),
            Self::Windows1252 => Some(
                encoding_rs::WINDOWS_1252
                    .decode_without_bom_handling(bytes)
                    .0,
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Encoding;

    #[test]
    fn the_same_byte_stands_for_different_letters() {
        assert_eq!(Encoding::Utf8.decode(b"caf\xE9"), None);
        assert_eq!(Encoding::Latin1.decode(b"caf\xE9").as_deref(), Some("café"));
        assert_eq!(Encoding::Latin1.decode(b"\x80").as_deref(), Some("\u{80}"));
        assert_eq!(Encoding::Windows1252.decode(b"\x80").as_deref(), Some("€"));
    }
}
