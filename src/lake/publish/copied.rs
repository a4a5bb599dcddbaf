//! What a published table has besides its rows.

use std::collections::BTreeSet;

use datafusion::arrow::datatypes::DataType;

use crate::base::{Error, Result};
use crate::db::quote;
use crate::lake::model::{Materialized, Model, Rule};
use crate::lake::warehouse::quoted;

/// A model on its way out.
pub(super) struct Copied<'a> {
    pub model: &'a Model,
    /// The columns that name a row.
    pub key: Vec<String>,
    /// Columns by which it is likely to be joined or filtered.
    pub indexed: BTreeSet<String>,
}

impl<'a> Copied<'a> {
    pub fn new(model: &'a Model) -> Self {
        let header = &model.header;
        let mut key = header.unique_key.clone();
        if header.materialized == Materialized::Scd2 {
            key.push("version".to_owned());
        }
        let parents = model.tests.iter().filter_map(|test| match &test.rule {
            Rule::Relationships { column, .. } => Some(column),
            _ => None,
        });
        let laid_out = header.partition_by.iter().chain(&header.zorder_by);
        let indexed = parents.chain(laid_out).cloned();
        Self {
            indexed: indexed
                .filter(|column| key.first() != Some(column))
                .collect(),
            key,
            model,
        }
    }

    /// The query for all rows, in the order of the key.
    pub fn sql(&self) -> String {
        let order: Vec<String> = self.key.iter().map(|name| quote(name)).collect();
        let order = match order.is_empty() {
            true => String::new(),
            false => format!(" ORDER BY {}", order.join(", ")),
        };
        format!("SELECT * FROM {}{order}", quoted(&self.model.full_name()))
    }

    /// What a reader should know of a column.
    pub fn described(&self) -> impl Iterator<Item = (&str, &str)> {
        let columns = self.model.columns.iter();
        columns
            .map(|column| (column.name.as_str(), column.description.as_str()))
            .filter(|(_, text)| !text.is_empty())
    }
}

/// The type of a column in PostgreSQL.
///
/// # Errors
/// When a table there cannot hold such values as they are.
pub(super) fn postgres_type(column: &str, kind: &DataType) -> Result<String> {
    Ok(match kind {
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => "text".to_owned(),
        DataType::Int8 | DataType::Int16 => "smallint".to_owned(),
        DataType::Int32 => "integer".to_owned(),
        DataType::Int64 => "bigint".to_owned(),
        DataType::Float32 => "real".to_owned(),
        DataType::Float64 => "double precision".to_owned(),
        DataType::Boolean => "boolean".to_owned(),
        DataType::Date32 => "date".to_owned(),
        DataType::Timestamp(..) => "timestamptz".to_owned(),
        DataType::Decimal128(precision, scale) => format!("numeric({precision}, {scale})"),
        DataType::Dictionary(_, values) => postgres_type(column, values)?,
        other => {
            return Err(Error::new(format!(
                "column `{column}` has type `{other}`, which cannot be published"
            ))
            .hint("cast it to TEXT in the model, or publish to Parquet"));
        }
    })
}
