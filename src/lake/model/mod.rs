//! Models as they are written: one SELECT with a header, their descriptions and tests, the order among them.
//!
//! Belongs here: what can be known from the files under `models/`. Does not belong here: running anything.

mod before;
mod check;
mod explain;
mod header;
mod hint;
mod misused;
mod models;
mod properties;
mod read;
mod select;
mod sources;
mod sql;
mod test_spec;

pub use check::Planned;
pub use header::{Header, Materialized};
pub use models::{Column, Model, Models};
pub use read::described;
pub use select::select;
pub use sources::Sources;
pub use test_spec::{Rule, Severity, TestSpec};

pub(super) use explain::explain;
pub(super) use sql::{TableName, parse_query, render_since};

/// Schemas of tables that models make, from raw to finished.
pub const LAYERS: [&str; 5] = ["bronze", "silver", "core", "gold", "marts"];

/// Schema of the operational tables.
pub const OP: &str = "op";
