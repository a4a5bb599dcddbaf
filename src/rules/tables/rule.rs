//! A rule as others see it: what it judges, how it is called and what a failure means.

use super::place::Place;
use super::quality::Class;
use super::severity::{Severity, Threshold};

/// A rule that a value, a record or a table can fail.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Where it is written.
    pub place: Place,
    /// The columns it judges; empty for a query.
    pub columns: Vec<String>,
    /// The kind, as written in the table: `NOT_NULL`, `date_format:yyyy-MM-dd`.
    pub kind: String,
    /// What a record that fails is told; empty for a cleansing rule, of which a failure names the column and the reason.
    pub description: String,
    /// What it is about.
    pub class: Class,
    /// What a failure does to the record.
    pub severity: Severity,
    /// How many failures it bears.
    pub threshold: Threshold,
}
