//! A JSON object as a record: each value as text.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::encoding::Encoding;
use super::input::Input;
use crate::base::{BadRecord, Error, Result, TextBatch, sha256};

/// Columns that the objects of a file may have between them; more means that keys are data.
const MAX_COLUMNS: usize = 20_000;

/// Turns objects into rows of known columns.
pub(super) struct ObjectRows {
    columns: Arc<[String]>,
    places: HashMap<String, usize>,
    encoding: Encoding,
}

impl ObjectRows {
    /// Rows of `columns`; keys besides them are left out, and absent ones are null.
    pub(super) fn new(columns: Arc<[String]>, encoding: Encoding) -> Self {
        let places = columns
            .iter()
            .enumerate()
            .map(|(place, name)| (name.to_lowercase(), place))
            .collect();
        Self {
            columns,
            places,
            encoding,
        }
    }

    /// The columns.
    pub(super) fn columns(&self) -> &Arc<[String]> {
        &self.columns
    }

    /// Appends the object `raw` to `batch`, or its reject.
    ///
    /// Text is unescaped; numbers, booleans, arrays and objects keep their JSON text, digit for digit.
    pub(super) fn push(&self, raw: &[u8], line: u64, batch: &mut TextBatch) {
        match self.cells(raw) {
            Ok(cells) => batch.push(line, sha256(raw), cells),
            Err((reason, detail)) => batch.rejects.push(BadRecord {
                line,
                reason,
                detail,
                raw: raw.to_vec(),
            }),
        }
    }

    fn cells(&self, raw: &[u8]) -> Result<Vec<Option<String>>, (&'static str, String)> {
        let text = decode(raw, self.encoding)?;
        let object = parse(&text)?;
        let mut cells = vec![None; self.columns.len()];
        let mut filled = vec![false; self.columns.len()];
        for (key, value) in &object.0 {
            let Some(&place) = self.places.get(&key.to_lowercase()) else {
                continue;
            };
            if std::mem::replace(&mut filled[place], true) {
                return Err(("duplicate_key", "a key is in the object twice".to_owned()));
            }
            cells[place] = cell(value.get())?;
        }
        Ok(cells)
    }
}

/// The union of the keys of the objects that `next` yields, in order of appearance.
pub(super) fn union_of_keys(
    input: &Input,
    mut next: impl FnMut(&mut dyn FnMut(&[u8])) -> Result<bool>,
    encoding: Encoding,
) -> Result<Arc<[String]>> {
    let mut seen = HashSet::new();
    let mut names: Vec<String> = Vec::new();
    let mut collect = |raw: &[u8]| {
        // what cannot be read is rejected when it is read as a record
        let Ok(text) = decode(raw, encoding) else {
            return;
        };
        let Ok(object) = parse(&text) else { return };
        for (key, _) in object.0 {
            if seen.insert(key.to_lowercase()) && names.len() <= MAX_COLUMNS {
                names.push(key.into_owned());
            }
        }
    };
    while next(&mut collect)? {}
    if names.len() > MAX_COLUMNS {
        return Err(Error::new(format!(
            "the objects of `{}` have more than {MAX_COLUMNS} different keys",
            input.name()
        ))
        .hint("name the wanted keys under `columns` of the source"));
    }
    Ok(names.into())
}

/// An object's keys and values, in order.
struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some((key, value)) = map.next_entry::<Key<'de>, &'de RawValue>()? {
                    entries.push((key.0, value));
                }
                Ok(Object(entries))
            }
        }
        deserializer.deserialize_map(Keys)
    }
}

/// A key, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

fn decode(raw: &[u8], encoding: Encoding) -> Result<Cow<'_, str>, (&'static str, String)> {
    encoding
        .decode(raw)
        .ok_or_else(|| ("bad_encoding", "the bytes are not UTF-8".to_owned()))
}

fn parse(text: &str) -> Result<Object<'_>, (&'static str, String)> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let object = Object::deserialize(&mut deserializer).and_then(|object| {
        deserializer.end()?;
        Ok(object)
    });
    object.map_err(|error| {
        // the parser's own text may quote the record
        let what = match error.classify() {
            serde_json::error::Category::Data => "is not an object",
            serde_json::error::Category::Eof => "ends too early",
            _ => "is not JSON",
        };
        let reason = if error.is_data() {
            "not_an_object"
        } else {
            "bad_json"
        };
        (
            reason,
            format!("the record {what}, from byte {}", error.column()),
        )
    })
}

fn cell(json: &str) -> Result<Option<String>, (&'static str, String)> {
    match json.as_bytes() {
        b"null" => Ok(None),
        [b'"', ..] => {
            let text: String = serde_json::from_str(json)
                .map_err(|_| ("bad_json", "a text has a bad escape".to_owned()))?;
            match memchr::memchr(0, text.as_bytes()) {
                Some(_) => Err(("nul_byte", "a text holds NUL".to_owned())),
                None => Ok(Some(text)),
            }
        }
        _ => Ok(Some(json.to_owned())),
    }
}
