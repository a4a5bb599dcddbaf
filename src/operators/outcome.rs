//! What a try gives back.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::base::{AuditAnchor, Counts, Error};

/// How a try ended well.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Done.
    Done(Outcome),
    /// Not yet: look again at this time, holding no slot until then.
    Defer(DateTime<Utc>),
    /// There was nothing to do, and what depends on this need not run either.
    Skip(String),
}

/// The result of work that was done.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// What became of the records read, in the main target; the engine fails the task when the sum does not hold.
    pub counts: Counts,
    /// Rows per table.
    pub tables: BTreeMap<String, Counts>,
    /// Small values for later templates, as `{{ outputs.<task>.<key> }}`.
    pub outputs: Map<String, Value>,
    /// State of the DAG's row audit after the work, for operators that write operational tables.
    pub audit: Option<AuditAnchor>,
}

/// How a try ended badly.
#[derive(Debug)]
pub enum TaskError {
    /// Another try can help: a lost connection, a full disk, a server that is down.
    Retryable(Error),
    /// Another try would fail alike: bad parameters, a missing column.
    Permanent(Error),
    /// The work was stopped from outside, through the context's `cancel`.
    Cancelled,
}

impl TaskError {
    /// The error, unless the try was stopped.
    pub fn error(&self) -> Option<&Error> {
        match self {
            Self::Retryable(error) | Self::Permanent(error) => Some(error),
            Self::Cancelled => None,
        }
    }
}

impl From<Error> for TaskError {
    fn from(error: Error) -> Self {
        if error.is_transient() {
            Self::Retryable(error)
        } else {
            Self::Permanent(error)
        }
    }
}
