//! What goes in at the door, and how it is turned away.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::base::{
    BackfillId, DagId, Digest, EventKind, Interval, RunId, RunKind, Subject, TaskId,
    TransitionError,
};

/// One thing to change. Each becomes one event.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Something happened to what exists already.
    Event(Subject, EventKind),
    /// A run is to exist, queued, with its task instances.
    CreateRun(NewRun),
    /// A version of a DAG is to be its current one.
    RegisterDag(NewVersion),
    /// A backfill is to exist, running.
    CreateBackfill(NewBackfill),
}

impl Change {
    /// The run it is about, if it is about one that exists.
    pub fn run(&self) -> Option<&RunId> {
        match self {
            Self::Event(Subject::Run(_, run) | Subject::Task(_, run, _), _) => Some(run),
            _ => None,
        }
    }
}

/// A run to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRun {
    /// Its name; a run of that name must not exist.
    pub run_id: RunId,
    /// Its DAG.
    pub dag_id: DagId,
    /// The version it keeps; must be registered.
    pub version: Digest,
    /// Why it exists.
    pub kind: RunKind,
    /// Its data interval.
    pub interval: Interval,
    /// Its parameters, defaults filled in.
    pub params: Map<String, Value>,
    /// The backfill it belongs to.
    pub backfill_id: Option<BackfillId>,
    /// Instances to make, in the DAG's order; a partial run has fewer than its DAG.
    pub tasks: Vec<TaskId>,
}

/// A version of a DAG, opaque here.
#[derive(Debug, Clone, PartialEq)]
pub struct NewVersion {
    /// The DAG.
    pub dag_id: DagId,
    /// Hash of the canonical form.
    pub version: Digest,
    /// The definition as canonical JSON.
    pub definition: String,
    /// The files of its folder by path.
    pub files: BTreeMap<String, Arc<str>>,
}

/// A backfill to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct NewBackfill {
    /// Its name.
    pub backfill_id: BackfillId,
    /// Its DAG.
    pub dag_id: DagId,
    /// From the start of its first interval to the end of its last; must not meet that of another one that is not done.
    pub span: Interval,
    /// How it goes about it, opaque here.
    pub options: Map<String, Value>,
    /// Starts of its intervals.
    pub dates: Vec<DateTime<Utc>>,
}

/// Why one change of a group was not made; the others were.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It cannot follow the state it met: somebody else was faster, or it makes no sense.
    #[error(transparent)]
    Transition(#[from] TransitionError),
    /// A run of that name exists.
    #[error("run `{0}` exists already")]
    RunExists(RunId),
    /// A backfill of that name exists.
    #[error("backfill `{0}` exists already")]
    BackfillExists(BackfillId),
    /// A backfill of the DAG that is not done covers some of the dates.
    #[error("backfill `{0}` covers some of these dates and is not done")]
    BackfillOverlaps(BackfillId),
    /// The version is already the DAG's current one.
    #[error("version `{0}` is current already")]
    VersionCurrent(Digest),
    /// It is not an event that can be reported, or not about this.
    #[error("event `{0}` is not about this")]
    Misplaced(&'static str),
    /// What it is about does not exist, as `run x`.
    #[error("{kind} `{id}` does not exist")]
    NotFound {
        /// Kind of thing.
        kind: &'static str,
        /// Its name.
        id: String,
    },
}

impl Refusal {
    pub(super) fn not_found(kind: &'static str, id: impl ToString) -> Self {
        Self::NotFound {
            kind,
            id: id.to_string(),
        }
    }
}
