//! Which rows of the stored table a merge has to look at.

use std::collections::BTreeMap;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::common::Column;
use datafusion::logical_expr::Expr;
use datafusion::prelude::lit;
use datafusion::scalar::ScalarValue;

use super::Building;
use super::merge::{TARGET, same_key};
use crate::base::Result;
use crate::db::quote;
use crate::lake::compute::ASIDE;
use crate::lake::error::running;
use crate::lake::types::kept_schema;

/// The rows of the table whose keys are among those of the staged rows.
pub(super) struct Partners {
    /// So many there are.
    pub count: u64,
    /// By column the least and the greatest of their values, where none is null.
    ranges: BTreeMap<String, (ScalarValue, ScalarValue)>,
}

impl Partners {
    /// What holds for each of them and few others, so that files and parts of files need not be read. `None` when nothing can be said.
    pub fn near(&self, relation: Option<&str>) -> Option<Expr> {
        let ranges = self.ranges.iter().map(|(name, (least, greatest))| {
            let column = || Expr::Column(Column::new(relation, name));
            let least = column().gt_eq(lit(least.clone()));
            least.and(column().lt_eq(lit(greatest.clone())))
        });
        ranges.reduce(Expr::and)
    }
}

impl Building<'_> {
    /// Looks for them among the rows of the table: at their keys, and at the columns by which rows of an age or a kind lie together.
    pub(super) async fn partners(&self) -> Result<Partners> {
        let header = &self.model.header;
        let stored = self
            .compute
            .query(&format!("SELECT * FROM {ASIDE}.{TARGET}"))
            .await?;
        let schema = kept_schema(stored.schema().as_arrow())?;
        let names = header.unique_key.iter().chain(&header.since);
        let names = names.chain(&header.partition_by);
        let columns: BTreeMap<&String, &DataType> = names
            .filter_map(|name| Some((name, ordered(&schema, name)?)))
            .collect();
        let asked: String = columns
            .keys()
            .map(|name| format!(", count(t.{0}), min(t.{0}), max(t.{0})", quote(name)))
            .collect();
        let sql = format!(
            "SELECT count(*){asked} FROM {ASIDE}.staged s JOIN {ASIDE}.{TARGET} t ON {}",
            same_key(&header.unique_key, "s", "t")
        );
        let batches = self.compute.rows(&sql).await?;
        let mut partners = Partners {
            count: 0,
            ranges: BTreeMap::new(),
        };
        let Some(row) = batches.iter().find(|batch| batch.num_rows() > 0) else {
            return Ok(partners);
        };
        partners.count = count(row, 0)?;
        for (number, (name, kind)) in columns.into_iter().enumerate() {
            let place = 1 + 3 * number;
            if count(row, place)? == partners.count {
                let range = (value(row, place + 1, kind)?, value(row, place + 2, kind)?);
                partners.ranges.insert(name.clone(), range);
            }
        }
        Ok(partners)
    }
}

/// The type of a column whose values have an order that files tell of exactly, which they do not of decimals.
fn ordered<'a>(schema: &'a Schema, name: &str) -> Option<&'a DataType> {
    let (_, field) = schema.column_with_name(name)?;
    match field.data_type() {
        DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::Date32
        | DataType::Timestamp(..)
        | DataType::Utf8 => Some(field.data_type()),
        _ => None,
    }
}

fn value(row: &RecordBatch, column: usize, kind: &DataType) -> Result<ScalarValue> {
    let value = ScalarValue::try_from_array(row.column(column), 0).map_err(running)?;
    value.cast_to(kind).map_err(running)
}

fn count(row: &RecordBatch, column: usize) -> Result<u64> {
    match value(row, column, &DataType::UInt64)? {
        ScalarValue::UInt64(Some(count)) => Ok(count),
        _ => Ok(0),
    }
}
