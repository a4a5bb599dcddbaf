//! The `source` of an ingest: where records are and how they are written there.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::locations::{check_address, is_url};
use super::{Delimiter, Encoding, Header, Locations, names};

/// Where records are and how they are written there; exactly one of `csv`, `json` and `ndjson`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// CSV with a header line: a path from the home folder, a pattern (`raw/*.csv`), an `http(s)` address, or a list of these.
    /// Files that match a pattern are taken in order of their names. Gzip is recognised by itself.
    csv: Option<Locations>,
    /// A JSON array of objects; likewise.
    json: Option<Locations>,
    /// A JSON object on each line; likewise.
    ndjson: Option<Locations>,
    /// What separates the fields of CSV: one character, `tab`, or `auto` to take it from the first line.
    #[serde(default)]
    delimiter: Delimiter,
    /// What encloses fields of CSV that hold the delimiter or line breaks; empty: nothing does.
    #[serde(default = "default_quote")]
    quote: String,
    /// How bytes stand for letters.
    #[serde(default)]
    encoding: Encoding,
    /// The columns to take, in this order; default: all. Of JSON a key that is absent is null.
    columns: Option<Vec<String>>,
    /// Expected SHA-256 of the file, as 64 hexadecimal digits; for a single file.
    pub sha256: Option<String>,
    /// Headers sent with the request for an address.
    #[serde(default)]
    pub headers: BTreeMap<String, Header>,
}

/// Which language records are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Fields between delimiters, a record a line, names in the first.
    Csv,
    /// An array of objects.
    Json,
    /// An object a line.
    Ndjson,
}

/// All that a reader must know besides the file. Serialized it says which records the bytes of a file are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Layout {
    /// The language.
    pub format: Format,
    /// Between the fields of CSV.
    pub delimiter: Delimiter,
    /// Around fields of CSV that need it.
    pub quote: Option<u8>,
    /// From bytes to letters.
    pub encoding: Encoding,
    /// The columns to take; `None`: all.
    pub columns: Option<Vec<String>>,
    /// A longer record is refused.
    #[serde(skip)]
    pub max_record_bytes: usize,
}

impl Layout {
    /// The layout of `format` with every option at its default and records of at most `max_record_bytes`.
    pub fn of(format: Format, max_record_bytes: usize) -> Self {
        Self {
            format,
            delimiter: Delimiter::default(),
            quote: Some(b'"'),
            encoding: Encoding::default(),
            columns: None,
            max_record_bytes,
        }
    }
}

impl Source {
    /// The locations and the layout, with records of at most `max_record_bytes`.
    ///
    /// # Errors
    /// A pointer to the key that is wrong (empty: several) and what was expected.
    pub fn resolve(
        &self,
        max_record_bytes: usize,
    ) -> Result<(&Locations, Layout), (&'static str, String)> {
        let (format, locations) = match (&self.csv, &self.json, &self.ndjson) {
            (Some(at), None, None) => (Format::Csv, at),
            (None, Some(at), None) => (Format::Json, at),
            (None, None, Some(at)) => (Format::Ndjson, at),
            _ => {
                return Err((
                    "",
                    "expected exactly one of `csv`, `json` and `ndjson`".to_owned(),
                ));
            }
        };
        if locations.as_slice().is_empty() {
            return Err(("", "expected at least one path".to_owned()));
        }
        if let Some(columns) = &self.columns {
            names::check_chosen(columns).map_err(|text| ("/columns", text))?;
        }
        let layout = Layout {
            format,
            delimiter: self.delimiter,
            quote: self.quote_byte()?,
            encoding: self.encoding,
            columns: self.columns.clone(),
            max_record_bytes,
        };
        Ok((locations, layout))
    }

    /// What is wrong with its addresses: a pointer to each, and the fault.
    pub fn wrong_addresses(&self) -> Vec<(String, String)> {
        let formats = [
            ("csv", &self.csv),
            ("json", &self.json),
            ("ndjson", &self.ndjson),
        ];
        let mut wrong = Vec::new();
        for (key, locations) in formats {
            let Some(locations) = locations else { continue };
            for (at, location) in locations.as_slice().iter().enumerate() {
                let pointer = match locations {
                    Locations::One(_) => format!("/{key}"),
                    Locations::Many(_) => format!("/{key}/{at}"),
                };
                if is_url(location)
                    && let Err(message) = check_address(location)
                {
                    wrong.push((pointer, message));
                }
            }
        }
        wrong
    }

    fn quote_byte(&self) -> Result<Option<u8>, (&'static str, String)> {
        match self.quote.as_bytes() {
            [] => Ok(None),
            [byte] if byte.is_ascii_punctuation() => Ok(Some(*byte)),
            _ => Err((
                "/quote",
                "expected one punctuation character, or nothing".to_owned(),
            )),
        }
    }
}

fn default_quote() -> String {
    "\"".to_owned()
}
