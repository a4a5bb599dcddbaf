//! Texts with `{…}`: literal parts and holes.
//!
//! | hole | stands for |
//! |---|---|
//! | `{column}` | a column before this one |
//! | `{table.column}` | a column of the row this one belongs to, at any height |
//! | `{pick.column}`, `{table.pick.column}` | a column of a picked line or a referenced row |
//! | `{row}`, `{row:6}` | number of the row among its parent's rows, or in the table, from 1; padded with zeros |
//! | `{day}` | the day of the run, as `20260131` |
//! | `{digits:9}`, `{letters:6}` | that many random digits (not 0 first) or small letters |
//! | `{{`, `}}` | a brace |

/// A part of a text as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RawPart {
    /// Text as it is.
    Literal(String),
    /// `{name:width}`
    Hole {
        /// What stands before the colon.
        name: String,
        /// What stands after it.
        width: Option<usize>,
    },
}

/// Splits `text` into its parts; an error says what is wrong with it.
pub fn parse_text(text: &str) -> Result<Vec<RawPart>, String> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        literal.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(brace) {
            literal.push_str(brace);
            rest = after;
            continue;
        }
        let end = rest.find('}').filter(|_| brace == "{");
        let Some(end) = end else {
            return Err(format!(
                "a lone `{brace}` in a text, expected `{{name}}` or a doubled brace"
            ));
        };
        if !literal.is_empty() {
            parts.push(RawPart::Literal(std::mem::take(&mut literal)));
        }
        parts.push(hole(&rest[..end])?);
        rest = &rest[end + 1..];
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        parts.push(RawPart::Literal(literal));
    }
    Ok(parts)
}

fn hole(inside: &str) -> Result<RawPart, String> {
    let (name, width) = match inside.split_once(':') {
        None => (inside, None),
        Some((name, width)) => match width.parse::<usize>() {
            Ok(width @ 1..=100) => (name, Some(width)),
            _ => {
                return Err(format!(
                    "`{{{inside}}}` has no width from 1 to 100 after the colon"
                ));
            }
        },
    };
    if name.is_empty() {
        return Err("an empty `{}` in a text".to_owned());
    }
    Ok(RawPart::Hole {
        name: name.to_owned(),
        width,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_texts_and_holes() {
        let hole = |name: &str, width| RawPart::Hole {
            name: name.to_owned(),
            width,
        };
        let literal = |text: &str| RawPart::Literal(text.to_owned());
        assert_eq!(
            parse_text("P{day}-{row:6}{{x}}"),
            Ok(vec![
                literal("P"),
                hole("day", None),
                literal("-"),
                hole("row", Some(6)),
                literal("{x}")
            ])
        );
        assert_eq!(parse_text(""), Ok(Vec::new()));
        for wrong in ["{", "}", "{}", "{a", "{a:}", "{a:0}", "{a:x}"] {
            assert!(parse_text(wrong).is_err(), "{wrong}");
        }
    }
}
