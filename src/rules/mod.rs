//! From text to typed rows: the language of `targets/*.yaml` for operational tables, and rule tables ([`tables`]) for any table; both are
//! compiled once and applied to batches with polars.
//!
//! Belongs here: what a value means and whether it is acceptable, decided from the batch alone.
//! Does not belong here: databases, and what is already in a table.

mod compile;
mod compile_steps;
mod compile_targets;
mod convert;
mod expression;
mod list;
mod lookup;
mod plan;
mod rejections;
mod scope;
mod shape;
mod spec;
mod step;
pub mod tables;

pub use compile::FILLED;
pub use expression::{NAMESPACE, uuid5};
pub use plan::{Agreement, Plan, Target, TargetColumn};
pub use shape::{References, Shaped, StagedText, TargetRows};
