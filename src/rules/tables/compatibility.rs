//! Whether to be right, or to be as the pipeline was from which the tables' columns come.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How rules mean what they say. The differences are listed, each with its effect, in the rule reference.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Compatibility {
    /// As a reader of the tables expects.
    #[default]
    Corrected,
    /// As the original pipeline computed, mistakes included, to match its old numbers; dates are read right all the same.
    Source,
}
