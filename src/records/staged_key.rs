//! The key of a staged record as one text: how staging keeps it, and how people see it.

use std::sync::Arc;

use super::cells::record_id;
use crate::base::{Cell, sha256};

/// Stands between parts.
const BETWEEN: &str = "\u{1f}";
/// Stands for a part that is null.
const NULL: &str = "\u{1e}";
/// An index takes no text of any length.
const MAX_BYTES: usize = 1_000;

/// The key with these parts, as staging keeps it; `None` when all of them are null.
pub(super) fn staged_key<'a>(
    parts: impl Iterator<Item = Option<&'a str>> + Clone,
) -> Option<String> {
    if parts.clone().all(|part| part.is_none()) {
        return None;
    }
    let parts: Vec<&str> = parts.map(|part| part.unwrap_or(NULL)).collect();
    let key = parts.join(BETWEEN);
    Some(match key.len() > MAX_BYTES {
        true => sha256(&key).to_string(),
        false => key,
    })
}

/// A key as staging keeps it, written for people as other keys are.
pub(super) fn shown_key(key: &str) -> Arc<str> {
    let cell = |part| match part {
        NULL => Cell::Null,
        part => Cell::Text(part.into()),
    };
    let parts: Vec<Cell> = key.split(BETWEEN).map(cell).collect();
    record_id(&parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_kept_and_shown() {
        let key = |parts: &[Option<&str>]| staged_key(parts.iter().copied());
        assert_eq!(key(&[None, None]), None);
        let one = key(&[Some("A/1")]).expect("a key");
        assert_eq!((one.as_str(), &*shown_key(&one)), ("A/1", "A/1"));
        let two = key(&[Some("A/1"), None]).expect("a key");
        assert_ne!(Some(two.as_str()), key(&[Some("A/1"), Some("")]).as_deref());
        assert_eq!(&*shown_key(&two), "A\\/1/");
        let long = "x".repeat(MAX_BYTES + 1);
        assert_eq!(key(&[Some(&long)]).map(|key| key.len()), Some(64));
    }
}
