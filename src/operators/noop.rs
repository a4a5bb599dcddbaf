//! `noop`: does nothing, for joining and grouping tasks.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Operator, Outcome, TaskContext, TaskError, Verdict};

/// Does nothing and succeeds; takes no parameters.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Noop {}

#[async_trait]
impl Operator for Noop {
    async fn run(&self, _context: &TaskContext) -> Result<Verdict, TaskError> {
        Ok(Verdict::Done(Outcome::default()))
    }
}
