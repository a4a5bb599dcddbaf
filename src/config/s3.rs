//! Section `[s3]`.

use serde::{Deserialize, Serialize};

use super::settings::{Flaw, expect};
use crate::base::Secret;

/// How an object store that speaks S3 is reached. What is not given here comes from the environment variables `AWS_…` that other tools
/// read too, or from the machine's own role.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct S3Settings {
    /// Address of the service, as `https://s3.example.org`; that of AWS when absent.
    pub endpoint: Option<String>,
    /// The region, as `eu-west-1`.
    pub region: Option<String>,
    /// The name of the key.
    pub access_key_id: Option<Secret>,
    /// The key.
    pub secret_access_key: Option<Secret>,
    /// What makes a key that is valid for a while complete.
    pub session_token: Option<Secret>,
}

impl S3Settings {
    pub(super) fn validate(&self) -> Result<(), Flaw> {
        let starts = |endpoint: &str| {
            ["https://", "http://"]
                .iter()
                .any(|start| endpoint.starts_with(start))
        };
        expect(
            self.endpoint.as_deref().is_none_or(starts),
            "endpoint",
            "expected `https://host` or `http://host:port`",
        )?;
        expect(
            self.access_key_id.is_some() == self.secret_access_key.is_some(),
            "secret_access_key",
            "expected together with `access_key_id`",
        )
    }
}
