//! What one pass of the engine decides, written in one transaction.

use chrono::{DateTime, Utc};

use super::hook::HookCall;
use super::slots::Lane;
use super::worker::Completion;
use crate::base::{EventKind, RunId, Subject};
use crate::store::Change;

/// The changes of one pass and what to do once they are written.
pub struct Group {
    /// When the pass began; the time of all its events.
    pub at: DateTime<Utc>,
    /// For the store, in order.
    pub changes: Vec<Change>,
    /// Tries to make.
    pub launches: Vec<Launch>,
    /// Runs that ended with these changes.
    pub ended: Vec<RunId>,
    /// Those of them that are queued again at once.
    pub reopened: Vec<RunId>,
    /// Calls to make because something ended.
    pub hooks: Vec<HookCall>,
    /// The ended tries behind these changes, for the case that they cannot be written.
    pub absorbed: Vec<Completion>,
}

/// A try to make once its start is written.
pub struct Launch {
    /// The run.
    pub run: RunId,
    /// Index of the task.
    pub task: usize,
    /// Where its slots came from.
    pub lane: Lane,
    /// How many.
    pub slots: u32,
}

impl Group {
    /// Nothing decided yet.
    pub fn new(at: DateTime<Utc>) -> Self {
        Self {
            at,
            changes: Vec::new(),
            launches: Vec::new(),
            ended: Vec::new(),
            reopened: Vec::new(),
            hooks: Vec::new(),
            absorbed: Vec::new(),
        }
    }

    /// Adds an event.
    pub fn change(&mut self, subject: Subject, kind: EventKind) {
        self.changes.push(Change::Event(subject, kind));
    }
}
