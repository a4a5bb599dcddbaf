//! The engine: decides what every run does next and has it done.
//!
//! Belongs here: plans, slots, retries, recovery, and the one door for commands ([`Handle`]).
//! Does not belong here: what a task kind does, how states are stored, how anything is shown.

mod active;
mod backfill;
mod backfilling;
#[cfg(test)]
mod bench;
mod clear;
mod commit;
mod compiled;
mod drive;
mod due;
mod ending;
#[expect(clippy::module_inception, reason = "the noun of the room")]
mod engine;
mod folder;
mod group;
mod handle;
mod hook;
mod lead;
mod log;
mod plan;
mod recovery;
mod retention;
mod retry;
mod rule;
mod slots;
mod stored;
mod trigger;
mod worker;

pub use backfill::{BackfillDay, BackfillPlan, BackfillRequest, Reprocess};
pub use clear::{Cleared, RetryRequest, RetryWhat};
pub use drive::News;
pub use engine::Goal;
pub use handle::Handle;
pub use log::path as log_path;
pub use trigger::{Asked, TriggerRequest, params_of};
