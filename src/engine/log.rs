//! The log of one try: a file of JSON lines under `state/logs/`.

use std::fs::{File, OpenOptions, create_dir_all};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value};

use crate::base::{Clock, DagId, RunId, TaskId};
use crate::operators::TaskLog;

/// Where the log of a try is: `state/logs/<dag>/<run>/<task>.<try>.jsonl` under `home`.
pub fn path(home: &Path, dag: &DagId, run: &RunId, task: &TaskId, try_number: u32) -> PathBuf {
    home.join("state/logs")
        .join(dag.as_str())
        .join(run.as_str())
        .join(format!("{task}.{try_number}.jsonl"))
}

/// A log that makes its file with the first line, so that a task without anything to say costs nothing.
///
/// A log that cannot be written never stops the work it tells of; the first failure is reported once through `tracing`.
pub fn open(path: PathBuf, clock: Arc<dyn Clock>) -> TaskLog {
    let file = Mutex::new(Sink::Unopened(path));
    TaskLog::new(move |level, message, fields| {
        let mut line = Map::new();
        let at = clock
            .now()
            .to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
        line.insert("at".to_owned(), Value::String(at));
        line.insert("level".to_owned(), Value::String(level.to_owned()));
        line.insert("message".to_owned(), Value::String(message.to_owned()));
        line.extend(fields);
        let mut text = Value::Object(line).to_string();
        text.push('\n');
        file.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .write(text.as_bytes());
    })
}

enum Sink {
    Unopened(PathBuf),
    Open(File),
    Broken,
}

impl Sink {
    fn write(&mut self, line: &[u8]) {
        if let Self::Unopened(path) = self {
            *self = match append_to(path) {
                Ok(file) => Self::Open(file),
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "cannot write the log of a try");
                    Self::Broken
                }
            };
        }
        if let Self::Open(file) = self
            && let Err(error) = file.write_all(line)
        {
            tracing::warn!(%error, "cannot write the log of a try");
            *self = Self::Broken;
        }
    }
}

fn append_to(path: &Path) -> std::io::Result<File> {
    let open = || OpenOptions::new().create(true).append(true).open(path);
    open().or_else(|_| {
        if let Some(folder) = path.parent() {
            create_dir_all(folder)?;
        }
        open()
    })
}
