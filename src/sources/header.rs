//! Headers of a request, some of which are secret.

use std::collections::BTreeMap;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::base::{Error, Result};

/// The value of a header: a text, or `{env: NAME}` for a secret from Galen's own environment.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a text or `{env: NAME}`")]
pub enum Header {
    /// This text.
    Plain(String),
    /// What an environment variable holds; it never reaches a log or an error.
    Secret {
        /// Name of the variable.
        env: String,
    },
}

/// The headers as they are sent.
///
/// # Errors
/// When a name or value cannot be that of a header, or a variable is not set. Values are never quoted.
pub fn header_map(headers: &BTreeMap<String, Header>) -> Result<HeaderMap> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let header = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| Error::new(format!("`{name}` cannot be the name of a header")))?;
        let text = match value {
            Header::Plain(text) => text.clone(),
            Header::Secret { env } => std::env::var(env).map_err(|_| {
                Error::new(format!(
                    "environment variable `{env}`, which header `{name}` needs, is not set"
                ))
                .hint("set it for the user who runs galen")
            })?,
        };
        let mut value = HeaderValue::from_str(&text).map_err(|_| {
            Error::new(format!(
                "the value of header `{name}` has letters that no header may have"
            ))
        })?;
        value.set_sensitive(true);
        map.insert(header, value);
    }
    Ok(map)
}
