//! The kinds of task: one file each, a documented parameter struct and its `run`.
//!
//! An operator knows its [`TaskContext`] and nothing of the engine; the engine knows [`Operator`] and nothing of
//! the kinds. Does not belong here: when or whether a task runs, and its state.

mod blocking;
mod care;
mod carrier;
mod child;
mod clean;
mod context;
mod fetch;
mod generate;
mod group;
mod http;
mod ingest;
mod kept;
mod kind;
mod made_from;
mod merge;
mod models;
mod noop;
mod order;
mod outcome;
mod period;
mod pipeline;
mod process;
mod publish;
mod rule_tables;
mod shell;
mod sql;
mod tables;
mod wait_for;

pub use context::{TaskContext, TaskLog};
pub use kind::{Kind, Operator, Operators, Parsed};
pub use made_from::{made_from, makings};
pub use models::{FULL_REFRESH, sound_models};
pub use outcome::{Outcome, TaskError, Verdict};
