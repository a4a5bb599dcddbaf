//! Pure values that every room may use: identifiers, time, states, events, counts.
//!
//! Belongs here: a value with no I/O behind it that two or more rooms must agree on; and how a small file is replaced, which is the same in all.
//! Does not belong here: anything else that opens a file, a socket or a database.

mod batch;
mod cell;
mod clock;
mod counts;
mod digest;
mod duration;
mod error;
mod event;
mod id;
mod interval;
mod nearest;
mod place;
mod problem;
mod schema;
mod secret;
mod state;
mod whole_file;
pub mod yaml;

pub use batch::{BadRecord, TextBatch};
pub use cell::{Cell, CellType};
pub use clock::{Clock, ManualClock, SystemClock};
pub use counts::Counts;
pub use digest::{Digest, sha256};
pub use duration::{format_duration, parse_duration};
pub use error::{Error, Result};
pub use event::{AuditAnchor, Event, EventKind, Subject, chain_hash};
pub use id::{BackfillId, DagId, RunId, TaskId};
pub use interval::Interval;
pub use nearest::nearest;
pub use place::Place;
pub use problem::Problem;
pub use schema::{ForeignKey, Schema, Table, TableColumn};
pub use secret::Secret;
pub use state::{RunKind, RunState, TaskState, TransitionError, TriggerRule};
pub use whole_file::write_whole;
