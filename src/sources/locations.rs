//! Where files are: paths, patterns and addresses.

use schemars::JsonSchema;
use serde::Deserialize;

use super::files::public_part;

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

    /// All of them, in order, as they may be shown: addresses without what may be secret.
    pub fn shown(&self) -> Vec<String> {
        let locations = self.as_slice().iter();
        let shown = locations.map(|location| match is_url(location) {
            true => public_part(location),
            false => location.clone(),
        });
        shown.collect()
    }
}

/// Whether `url` is an address that can be asked.
///
/// # Errors
/// What is wrong with it, without its secrets.
pub fn check_address(url: &str) -> Result<(), String> {
    if !is_url(url) {
        return Err("expected an `http` or `https` address".to_owned());
    }
    match reqwest::Url::parse(url) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("`{}` is not an address: {error}", public_part(url))),
    }
}

/// Whether `location` is an HTTP address and not a path.
pub(super) fn is_url(location: &str) -> bool {
    location.starts_with("http://") || location.starts_with("https://")
}
