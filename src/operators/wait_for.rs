//! `wait_for`: goes on when a condition holds.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use sqlx::AssertSqlSafe;

use super::blocking::blocking;
use super::period::Period;
use super::{Operator, Outcome, TaskContext, TaskError, Verdict};
use crate::base::{Error, Result, format_duration};
use crate::dag::{Dag, DagFiles, Flaw};
use crate::on_conn;
use crate::sources::{
    Header, check_address, find_files, header_map, http_client, no_answer, public_part,
    unexpected_status,
};

/// Waits until a file is there, an address answers, or a query finds something, and holds no slot between two looks. Give
/// exactly one of `file`, `http` and `sql`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WaitFor {
    /// A path from the home folder, or a pattern: holds when at least one file is there.
    file: Option<String>,
    /// An address: holds when it answers with the expected status.
    http: Option<Probe>,
    /// A SELECT on the DAG's records: holds when it gives at least one row.
    sql: Option<String>,
    /// Time between two looks.
    #[serde(default = "default_poke_interval")]
    poke_interval: Period,
    /// How long to wait in all.
    #[serde(default = "default_timeout")]
    timeout: Period,
    /// Whether the task is skipped when the time is up, and not failed.
    #[serde(default)]
    soft_fail: bool,
}

/// An address that is asked.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Probe {
    /// The `http` or `https` address.
    url: String,
    /// Headers: a value, or `{env: NAME}` for a secret from Galen's own environment.
    #[serde(default)]
    headers: BTreeMap<String, Header>,
    /// The status that is waited for.
    #[serde(default = "default_status")]
    status: u16,
}

const fn default_status() -> u16 {
    200
}

const fn default_poke_interval() -> Period {
    Period(Duration::from_secs(30))
}

const fn default_timeout() -> Period {
    Period(Duration::from_secs(3_600))
}

/// The one condition.
enum Condition<'a> {
    File(&'a str),
    Http(&'a Probe),
    Sql(&'a str),
}

#[async_trait]
impl Operator for WaitFor {
    fn check(&self, _dag: &Dag, _files: &DagFiles) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        if let Err(error) = self.condition() {
            flaws.push(Flaw::at("", error.to_string()));
        }
        if let Some(Err(message)) = self.http.as_ref().map(|probe| check_address(&probe.url)) {
            flaws.push(Flaw::at("/http/url", message));
        }
        if self.poke_interval.0.is_zero() {
            flaws.push(Flaw::at("/poke_interval", "expected more than 0s"));
        }
        flaws
    }

    async fn run(&self, context: &TaskContext) -> Result<Verdict, TaskError> {
        let condition = self.condition()?;
        let holds = tokio::select! {
            biased;
            () = context.cancel.cancelled() => return Err(TaskError::Cancelled),
            holds = condition.holds(context) => holds?,
        };
        if holds {
            return Ok(Verdict::Done(Outcome::default()));
        }
        let now = context.clock.now();
        let end = self.timeout.after(context.started_at);
        if now < end {
            let next = self.poke_interval.after(now).min(end);
            context.log.info("not yet", json!({"next_look": next}));
            return Ok(Verdict::Defer(next));
        }
        let waited = format!(
            "waited {} for {} in vain",
            format_duration(self.timeout.0),
            condition.name()
        );
        match self.soft_fail {
            true => Ok(Verdict::Skip(waited)),
            false => Err(TaskError::Permanent(Error::new(waited).hint(
                "`timeout` says how long to wait, `soft_fail: true` skips the task then",
            ))),
        }
    }
}

impl WaitFor {
    fn condition(&self) -> Result<Condition<'_>> {
        match (&self.file, &self.http, &self.sql) {
            (Some(file), None, None) => Ok(Condition::File(file)),
            (None, Some(probe), None) => Ok(Condition::Http(probe)),
            (None, None, Some(sql)) => Ok(Condition::Sql(sql)),
            _ => Err(Error::new(
                "expected exactly one of `file`, `http` and `sql`",
            )),
        }
    }
}

impl Condition<'_> {
    fn name(&self) -> String {
        match self {
            Self::File(file) => format!("file `{file}`"),
            Self::Http(probe) => {
                format!("status {} of `{}`", probe.status, public_part(&probe.url))
            }
            Self::Sql(_) => "a row of the query".to_owned(),
        }
    }

    async fn holds(&self, context: &TaskContext) -> Result<bool> {
        match self {
            Self::File(file) => {
                let (home, file) = (context.home.clone(), [(*file).to_owned()]);
                blocking(move || Ok(!find_files(&home, &file, true)?.is_empty())).await
            }
            Self::Http(probe) => probe.answers(context).await,
            Self::Sql(sql) => has_row(context, sql).await,
        }
    }
}

impl Probe {
    /// A server that cannot be reached is one that does not answer yet.
    async fn answers(&self, context: &TaskContext) -> Result<bool> {
        let request = http_client()?
            .get(&self.url)
            .headers(header_map(&self.headers)?);
        let found = match request.send().await {
            Ok(response) if response.status().as_u16() == self.status => return Ok(true),
            Ok(response) => {
                let expected = self.status.to_string();
                unexpected_status(&self.url, response.status(), &expected)
            }
            Err(error) => no_answer(&self.url, error),
        };
        let found = json!({"found": found.to_string()});
        context.log.info("another answer than waited for", found);
        Ok(false)
    }
}

async fn has_row(context: &TaskContext, sql: &str) -> Result<bool> {
    // inside EXISTS nothing but a query is possible
    let sql = format!("SELECT EXISTS ({})", sql.trim().trim_end_matches(';'));
    let mut read = context.records.read().await?;
    Ok(on_conn!(read.conn()?, c => {
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut *c).await
    })?)
}
