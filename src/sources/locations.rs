//! Where files are: paths, patterns and addresses.

use schemars::JsonSchema;
use serde::Deserialize;

/// One path, pattern or address, or a list of them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "expected a path, a pattern or an address, or a list of them"
)]
pub enum Locations {
    /// One.
    One(String),
    /// Several, taken in this order.
    Many(Vec<String>),
}

impl Locations {
    /// All of them, in order.
    pub fn as_slice(&self) -> &[String] {
        match self {
            Self::One(location) => std::slice::from_ref(location),
            Self::Many(locations) => locations,
        }
    }
}

/// Whether `location` is an HTTP address and not a path.
pub(super) fn is_url(location: &str) -> bool {
    location.starts_with("http://") || location.starts_with("https://")
}
