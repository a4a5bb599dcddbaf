//! What every request over HTTP shares: the client, and how failures are said.

use std::error::Error as StdError;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, StatusCode};

use super::files::public_part;
use crate::base::{Error, Result};

/// How long to wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// How long to wait for the next bytes of an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// A client; make one for each task.
///
/// # Errors
/// When the machine's certificates cannot be read.
pub fn http_client() -> Result<Client> {
    // whoever comes first installs it; all install the same
    drop(rustls::crypto::ring::default_provider().install_default());
    Client::builder()
        .user_agent(concat!("galen/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .build()
        .map_err(|error| Error::new("cannot make an HTTP client").because(error))
}

/// The error of a request to `url` that got no answer. The query of the address, which may be secret, is left out.
pub fn no_answer(url: &str, error: reqwest::Error) -> Error {
    let name = public_part(url);
    let failed = if error.is_builder() {
        Error::new(format!("`{name}` is not an address that can be asked"))
    } else if error.is_timeout() {
        Error::new(format!("`{name}` did not answer in time")).transient()
    } else if error.is_connect() {
        Error::new(format!("cannot connect to `{name}`"))
            .hint("is the server running, and does this machine reach it?")
            .transient()
    } else {
        Error::new(format!("the connection to `{name}` broke off")).transient()
    };
    failed.because(cause(error.without_url()))
}

/// What the network says, from the outermost cause to the innermost; the client itself only says that it failed, and where it asked.
fn cause(error: reqwest::Error) -> String {
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        if !cause.is::<reqwest::Error>() {
            causes.push(cause.to_string());
        }
        next = cause.source();
    }
    causes.dedup();
    match causes.is_empty() {
        true => error.to_string(),
        false => causes.join(": "),
    }
}

/// The error of an answer that was not expected; transient when the server may answer otherwise later.
pub fn unexpected_status(url: &str, status: StatusCode, expected: &str) -> Error {
    let name = public_part(url);
    let failed = Error::new(format!("`{name}` answered {status}, expected {expected}"));
    match status.as_u16() {
        401 | 403 => failed.hint("look at `headers`: the server wants other credentials"),
        404 | 410 => failed.hint("look at the address"),
        408 | 425 | 429 | 500.. => failed
            .hint("the server may answer otherwise later: `retries` tries again")
            .transient(),
        _ => failed,
    }
}

/// How long the server asks to wait, if it does.
pub fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = DateTime::parse_from_rfc2822(text).ok()?;
    Some((until.to_utc() - now).to_std().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_is_told_in_seconds_or_as_a_time() {
        let now = "2026-01-01T00:00:00Z".parse().expect("a time");
        let wait = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().expect("a value"));
            retry_after(&headers, now)
        };
        assert_eq!(wait("120"), Some(Duration::from_secs(120)));
        assert_eq!(
            wait("Thu, 01 Jan 2026 00:01:00 GMT"),
            Some(Duration::from_secs(60))
        );
        assert_eq!(wait("Wed, 31 Dec 2025 00:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(wait("soon"), None);
    }
}
