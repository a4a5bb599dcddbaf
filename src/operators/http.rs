//! `http`: one request.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{RequestBuilder, Response, StatusCode};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::period::Period;
use super::{Operator, Outcome, TaskContext, TaskError, Verdict};
use crate::base::{Error, Result};
use crate::dag::{Dag, DagFiles, Flaw};
use crate::sources::{
    Header, check_address, header_map, http_client, no_answer, public_part, retry_after,
    unexpected_status,
};

/// Bytes of an answer that are read for `outputs`.
const MAX_ANSWER: usize = 1 << 20;

/// Sends a request. An answer 429 or 5xx fails the try so that `retries` tries again; when it says how long to wait
/// (`Retry-After`), the task gives its slot back and asks again then. Sending it again must do no harm: a try that was cut off is repeated.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// The `http` or `https` address. Its query is never logged.
    url: String,
    /// What is asked for.
    #[serde(default)]
    method: Method,
    /// Headers: a value, or `{env: NAME}` for a secret from Galen's own environment.
    #[serde(default)]
    headers: BTreeMap<String, Header>,
    /// What is sent: a text as it is, anything else as JSON.
    body: Option<Value>,
    /// The answers that are fine; default: all from 200 to 299.
    #[serde(default)]
    expected_status: Vec<u16>,
    /// Fields of a JSON answer that become outputs, each as a JSON pointer: `{job: /data/id}`. The output `status` is always there.
    #[serde(default)]
    outputs: BTreeMap<String, String>,
    /// How long to heed `Retry-After`, from the start of the try.
    #[serde(default = "default_max_wait")]
    max_wait: Period,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
enum Method {
    #[default]
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
}

const fn default_max_wait() -> Period {
    Period(Duration::from_secs(600))
}

#[async_trait]
impl Operator for Http {
    fn check(&self, _dag: &Dag, _files: &DagFiles) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        if let Err(message) = check_address(&self.url) {
            flaws.push(Flaw::at("/url", message));
        }
        for (name, pointer) in &self.outputs {
            if !pointer.is_empty() && !pointer.starts_with('/') {
                let message =
                    format!("`{pointer}` is not a JSON pointer, expected for example `/data/id`");
                flaws.push(Flaw::at(format!("/outputs/{name}"), message));
            }
        }
        flaws
    }

    async fn run(&self, context: &TaskContext) -> Result<Verdict, TaskError> {
        let request = self.request()?;
        let response = tokio::select! {
            biased;
            () = context.cancel.cancelled() => return Err(TaskError::Cancelled),
            response = request.send() => response.map_err(|error| no_answer(&self.url, error))?,
        };
        let status = response.status();
        let fields = json!({"url": public_part(&self.url), "status": status.as_u16()});
        context.log.info("the server answered", fields);
        if !self.expects(status) {
            return self.refused(&response, context);
        }
        let outputs = tokio::select! {
            biased;
            () = context.cancel.cancelled() => return Err(TaskError::Cancelled),
            outputs = self.read_outputs(response) => outputs?,
        };
        Ok(Verdict::Done(Outcome {
            outputs,
            ..Outcome::default()
        }))
    }
}

impl Http {
    fn request(&self) -> Result<RequestBuilder> {
        let method = match self.method {
            Method::Get => reqwest::Method::GET,
            Method::Head => reqwest::Method::HEAD,
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            Method::Patch => reqwest::Method::PATCH,
            Method::Delete => reqwest::Method::DELETE,
        };
        let mut headers = header_map(&self.headers)?;
        let body = match &self.body {
            None => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(value) => {
                let json = HeaderValue::from_static("application/json");
                headers.entry(CONTENT_TYPE).or_insert(json);
                Some(value.to_string())
            }
        };
        let request = http_client()?.request(method, &self.url).headers(headers);
        Ok(match body {
            Some(body) => request.body(body),
            None => request,
        })
    }

    fn expects(&self, status: StatusCode) -> bool {
        match self.expected_status.is_empty() {
            true => status.is_success(),
            false => self.expected_status.contains(&status.as_u16()),
        }
    }

    fn refused(&self, response: &Response, context: &TaskContext) -> Result<Verdict, TaskError> {
        let status = response.status();
        let busy = status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
        let now = context.clock.now();
        if let (true, Some(wait)) = (busy, retry_after(response.headers(), now)) {
            let until = Period(wait).after(now);
            if until <= self.max_wait.after(context.started_at) {
                let fields = json!({"until": until});
                context.log.info("the server asks to wait", fields);
                return Ok(Verdict::Defer(until));
            }
        }
        let expected = match self.expected_status.as_slice() {
            [] => "200 to 299".to_owned(),
            expected => expected
                .iter()
                .map(u16::to_string)
                .collect::<Vec<_>>()
                .join(" or "),
        };
        Err(unexpected_status(&self.url, status, &expected).into())
    }

    async fn read_outputs(&self, response: Response) -> Result<Map<String, Value>> {
        let mut outputs = Map::new();
        outputs.insert("status".to_owned(), response.status().as_u16().into());
        if self.outputs.is_empty() {
            return Ok(outputs);
        }
        let name = public_part(&self.url);
        let body = self.read_body(response).await?;
        let body: Value = serde_json::from_slice(&body).map_err(|_| {
            Error::new(format!(
                "`{name}` did not answer with JSON, which `outputs` are read from"
            ))
        })?;
        for (output, pointer) in &self.outputs {
            let value = body.pointer(pointer).ok_or_else(|| {
                Error::new(format!("the answer of `{name}` has nothing at `{pointer}`"))
                    .hint(format!("look at output `{output}`"))
            })?;
            outputs.insert(output.clone(), value.clone());
        }
        Ok(outputs)
    }

    async fn read_body(&self, mut response: Response) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        while let Some(bytes) = response
            .chunk()
            .await
            .map_err(|error| no_answer(&self.url, error))?
        {
            body.extend_from_slice(&bytes);
            if body.len() > MAX_ANSWER {
                return Err(Error::new(format!(
                    "the answer of `{}` is longer than {MAX_ANSWER} bytes, too long to read `outputs` from",
                    public_part(&self.url)
                ))
                .hint("stage large answers with `ingest`"));
            }
        }
        Ok(body)
    }
}
