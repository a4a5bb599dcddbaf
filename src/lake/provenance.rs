//! Tables that no model makes: records as they came, records as rules left them, and what was rejected on the way.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::types::instant;

/// Suffix of the table beside another that has what was rejected.
pub const QUARANTINE: &str = "_quarantine";

/// The columns in whose order records were delivered.
pub const ORDER: [&str; 4] = ["_loaded_at", "_file", "_line", "_hash"];

/// Column of a table of unreadable records that says which delivery rejected them.
pub(super) const DELIVERY: &str = "_delivery";

/// The columns that say of a record where it came from: file, SHA-256 of the file, line, SHA-256 of the record, run, time.
pub fn provenance() -> Vec<Field> {
    let fields = [
        ("_file", DataType::Utf8),
        ("_file_hash", DataType::Utf8),
        ("_line", DataType::Int64),
        ("_hash", DataType::Utf8),
        ("_run_id", DataType::Utf8),
        ("_loaded_at", instant()),
    ];
    fields
        .into_iter()
        .map(|(name, data_type)| Field::new(name, data_type, true))
        .collect()
}

/// The table of records as they came: `columns`, all of them text, and where each came from.
pub fn landed<'a>(columns: impl IntoIterator<Item = &'a str>) -> SchemaRef {
    let texts = columns
        .into_iter()
        .map(|name| Field::new(name, DataType::Utf8, true));
    Arc::new(Schema::new(
        texts.chain(provenance()).collect::<Vec<Field>>(),
    ))
}

/// The table of records that could not be read.
pub fn unread() -> SchemaRef {
    let own = [
        ("reason", DataType::Utf8),
        ("detail", DataType::Utf8),
        ("raw", DataType::Binary),
        (DELIVERY, DataType::Utf8),
    ];
    let own = own.map(|(name, data_type)| Field::new(name, data_type, true));
    let fields: Vec<Field> = provenance().into_iter().chain(own).collect();
    Arc::new(Schema::new(fields))
}

/// The table of records that broke rules: the columns `carried` that they came with, every reason and the rule of each as JSON arrays,
/// and the values of the record as a JSON object.
pub fn rejected(carried: impl IntoIterator<Item = Field>) -> SchemaRef {
    let own = ["reasons", "rules", "record"].map(|name| Field::new(name, DataType::Utf8, true));
    let fields: Vec<Field> = carried.into_iter().chain(own).collect();
    Arc::new(Schema::new(fields))
}
