//! What an operator may see and use.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::base::{Clock, DagId, Interval, RunId, TaskId};
use crate::config::Settings;
use crate::dag::{Dag, DagFiles};
use crate::records::{Records, Snapshots};

/// The small world of one try.
pub struct TaskContext {
    /// The DAG, in the version its run keeps.
    pub dag: Arc<Dag>,
    /// The files of that version; definition files are read from here, never from the disk.
    pub files: Arc<DagFiles>,
    /// The run.
    pub run_id: RunId,
    /// The task.
    pub task_id: TaskId,
    /// Number of this try, from 1.
    pub try_number: u32,
    /// When this try first started; a try that was deferred keeps it, so that it can tell how long it has waited.
    pub started_at: DateTime<Utc>,
    /// The run's data interval.
    pub interval: Interval,
    /// The run's parameters, defaults filled in.
    pub params: Map<String, Value>,
    /// Where relative paths of data files start.
    pub home: PathBuf,
    /// Settings of the installation.
    pub settings: Arc<Settings>,
    /// The DAG's records database.
    pub records: Records,
    /// Snapshots of it that tasks of the run share.
    pub snapshots: Arc<Snapshots>,
    /// Where "now" comes from.
    pub clock: Arc<dyn Clock>,
    /// Fires when the work must stop: a time limit, a person, the end of the process.
    pub cancel: CancellationToken,
    /// The log of this try.
    pub log: TaskLog,
}

impl TaskContext {
    /// The DAG's id.
    pub fn dag_id(&self) -> &DagId {
        &self.dag.dag_id
    }
}

/// Writes the log of one try, a JSON object a line. Never pass it a value from a data row.
#[derive(Clone)]
pub struct TaskLog {
    sink: Arc<Sink>,
}

/// Takes a line's level, message and fields.
type Sink = dyn Fn(&str, &str, Map<String, Value>) + Send + Sync;

impl TaskLog {
    /// A log whose lines (`level`, `message`, fields) go to `sink`.
    pub fn new(sink: impl Fn(&str, &str, Map<String, Value>) + Send + Sync + 'static) -> Self {
        Self {
            sink: Arc::new(sink),
        }
    }

    /// A log that forgets; for tests.
    pub fn none() -> Self {
        Self::new(|_, _, _| {})
    }

    /// Something worth knowing. `fields` is a JSON object, as `json!({"rows": 500})`.
    pub fn info(&self, message: &str, fields: Value) {
        self.line("info", message, fields);
    }

    /// Something that may be wrong.
    pub fn warn(&self, message: &str, fields: Value) {
        self.line("warn", message, fields);
    }

    /// Something that is wrong.
    pub fn error(&self, message: &str, fields: Value) {
        self.line("error", message, fields);
    }

    fn line(&self, level: &str, message: &str, fields: Value) {
        let fields = match fields {
            Value::Object(map) => map,
            _ => Map::new(),
        };
        (self.sink)(level, message, fields);
    }
}
