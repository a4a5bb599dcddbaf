//! What models may read besides each other.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::arrow::datatypes::SchemaRef;

use crate::base::Schema;

/// Tables that no model makes.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The operational tables, as declared.
    pub op: Schema,
    /// Full names (`op.visits_staging`, `bronze.visits`) of tables whose columns are those of the files they come from: known once a
    /// file was read, unless `models.yaml` says them under `sources`.
    pub open: BTreeSet<String>,
    /// Columns of Delta tables that tasks write and that are known before, by full name.
    pub stored: BTreeMap<String, SchemaRef>,
}
