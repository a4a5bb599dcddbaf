//! What happened: the recovery log, the audit log and the live feed are one table of these.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Counts, DagId, Digest, RunId, TaskId, sha256};

/// What an event is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// The installation: schedulers, leases, backfills.
    System,
    /// A DAG.
    Dag(DagId),
    /// A run.
    Run(DagId, RunId),
    /// A task instance.
    Task(DagId, RunId, TaskId),
}

/// The state of a DAG's row audit when a task ended: position and digest of the last audited batch.
///
/// Holding it in the event chain makes a later change of `audit_log` visible even to somebody who recomputed
/// the digests beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditAnchor {
    /// Number of the last audited batch of the DAG, from 1.
    pub batch: u64,
    /// Digest of the chain up to and with that batch.
    pub digest: Digest,
}

/// One thing that happened. Serialized with its name in `event` and its data beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// A process became the one that drives runs.
    LeaseTaken {
        /// The process, as `host:pid:nonce`.
        owner: String,
    },
    /// That process stopped driving, in good order.
    LeaseReleased {
        /// The process.
        owner: String,
    },
    /// A version of a DAG was seen for the first time or became current again.
    DagRegistered {
        /// Hash of the version's canonical form.
        version: Digest,
    },
    /// No new runs are scheduled until it is unpaused.
    DagPaused,
    /// New runs are scheduled again.
    DagUnpaused,
    /// A backfill was recorded.
    BackfillCreated {
        /// The backfill.
        backfill_id: String,
        /// Number of runs it will make.
        runs: u64,
    },
    /// A backfill ended: all its runs have.
    BackfillEnded {
        /// The backfill.
        backfill_id: String,
    },
    /// A backfill makes no more runs until it is resumed.
    BackfillPaused {
        /// The backfill.
        backfill_id: String,
    },
    /// A paused backfill goes on.
    BackfillResumed {
        /// The backfill.
        backfill_id: String,
    },
    /// It was decided what a backfill does with one of its dates.
    BackfillDate {
        /// The backfill.
        backfill_id: String,
        /// Start of the date's interval.
        interval_start: DateTime<Utc>,
        /// The run made or reopened for it, or the one already there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run_id: Option<RunId>,
        /// What was done, as `created` or `reopened`, or why nothing was.
        outcome: String,
    },
    /// A run was recorded, queued, with an instance of every task.
    RunCreated {
        /// Version of the DAG it keeps.
        version: Digest,
        /// Number of task instances.
        tasks: u64,
    },
    /// A run left the queue.
    RunStarted,
    /// A run ended well.
    RunSucceeded,
    /// A run ended badly.
    RunFailed {
        /// The tasks that decided it, or the time limit.
        reason: String,
    },
    /// A run was stopped by a person.
    RunCancelled,
    /// A run that had ended is queued again.
    RunReopened {
        /// Number of task instances cleared.
        tasks: u64,
    },
    /// All a task waits for is there.
    TaskScheduled,
    /// It was given a slot.
    TaskQueued,
    /// A try began.
    TaskStarted {
        /// Number of the try, from 1, counted over the whole life of the instance.
        r#try: u32,
        /// The process that runs it.
        owner: String,
    },
    /// A try ended well.
    TaskSucceeded {
        /// What became of the records.
        counts: Counts,
        /// Rows written per table.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        tables: BTreeMap<String, Counts>,
        /// Small values for later templates.
        #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
        outputs: serde_json::Map<String, Value>,
        /// State of the row audit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        audit: Option<AuditAnchor>,
    },
    /// The last try ended badly.
    TaskFailed {
        /// Why, without any value from a row.
        error: String,
        /// The way out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
    },
    /// A try ended badly; another follows.
    TaskRetryPlanned {
        /// Why.
        error: String,
        /// When.
        at: DateTime<Utc>,
    },
    /// A try waits for something outside and gave its slot back.
    TaskDeferred {
        /// When it looks again.
        until: DateTime<Utc>,
    },
    /// Need not run.
    TaskSkipped {
        /// Why.
        reason: String,
    },
    /// Cannot run.
    TaskUpstreamFailed,
    /// A try was cut off by the death or the stop of its process; it does not count as a retry.
    TaskInterrupted {
        /// How it was found out.
        reason: String,
    },
    /// Stopped by a person.
    TaskCancelled,
    /// Made ready to run again.
    TaskCleared,
    /// No longer part of its DAG.
    TaskRemoved,
}

impl EventKind {
    /// The event's name, as stored.
    pub fn name(&self) -> &'static str {
        match self {
            Self::LeaseTaken { .. } => "lease_taken",
            Self::LeaseReleased { .. } => "lease_released",
            Self::DagRegistered { .. } => "dag_registered",
            Self::DagPaused => "dag_paused",
            Self::DagUnpaused => "dag_unpaused",
            Self::BackfillCreated { .. } => "backfill_created",
            Self::BackfillEnded { .. } => "backfill_ended",
            Self::BackfillPaused { .. } => "backfill_paused",
            Self::BackfillResumed { .. } => "backfill_resumed",
            Self::BackfillDate { .. } => "backfill_date",
            Self::RunCreated { .. } => "run_created",
            Self::RunStarted => "run_started",
            Self::RunSucceeded => "run_succeeded",
            Self::RunFailed { .. } => "run_failed",
            Self::RunCancelled => "run_cancelled",
            Self::RunReopened { .. } => "run_reopened",
            Self::TaskScheduled => "task_scheduled",
            Self::TaskQueued => "task_queued",
            Self::TaskStarted { .. } => "task_started",
            Self::TaskSucceeded { .. } => "task_succeeded",
            Self::TaskFailed { .. } => "task_failed",
            Self::TaskRetryPlanned { .. } => "task_retry_planned",
            Self::TaskDeferred { .. } => "task_deferred",
            Self::TaskSkipped { .. } => "task_skipped",
            Self::TaskUpstreamFailed => "task_upstream_failed",
            Self::TaskInterrupted { .. } => "task_interrupted",
            Self::TaskCancelled => "task_cancelled",
            Self::TaskCleared => "task_cleared",
            Self::TaskRemoved => "task_removed",
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An event as recorded: its place in the chain, who caused it, and the hash that binds it to the one before.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Place in the chain, from 1, without gaps.
    pub seq: u64,
    /// When.
    pub at: DateTime<Utc>,
    /// Who: a process (`host:pid:nonce`) or a person (`cli:<user>`).
    pub actor: String,
    /// About what.
    pub subject: Subject,
    /// What.
    pub kind: EventKind,
    /// Hash of the event before; zero for the first.
    pub previous: Digest,
    /// Hash of this one: see [`chain_hash`].
    pub hash: Digest,
}

impl Event {
    /// The text that is hashed: one line of JSON, a fixed list of strings and numbers, so that any
    /// language can rebuild it: `[seq, at, actor, dag_id, run_id, task_id, data]` with `at` in
    /// microseconds since 1970, absent ids as `""`, and `data` the event's JSON **as a string**.
    pub fn canonical(
        seq: u64,
        at: DateTime<Utc>,
        actor: &str,
        subject: &Subject,
        data: &str,
    ) -> String {
        let (dag, run, task) = match subject {
            Subject::System => ("", "", ""),
            Subject::Dag(dag) => (dag.as_str(), "", ""),
            Subject::Run(dag, run) => (dag.as_str(), run.as_str(), ""),
            Subject::Task(dag, run, task) => (dag.as_str(), run.as_str(), task.as_str()),
        };
        serde_json::json!([seq, at.timestamp_micros(), actor, dag, run, task, data]).to_string()
    }
}

/// SHA-256 of the previous hash's 64 hexadecimal digits, a line feed, and the canonical text.
pub fn chain_hash(previous: &Digest, canonical: &str) -> Digest {
    sha256(format!("{previous}\n{canonical}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_is_stored_under_its_name() {
        let event = EventKind::TaskStarted {
            r#try: 1,
            owner: "a:1".to_owned(),
        };
        let json = serde_json::to_value(&event).expect("json");
        assert_eq!(json["event"], event.name());
        assert_eq!(
            serde_json::from_value::<EventKind>(json).expect("back"),
            event
        );
    }
}
