//! When a DAG is due: a cron expression and a time zone become data intervals.
//!
//! Belongs here: pure functions from a schedule and an instant to intervals.
//! Does not belong here: which runs exist, what "now" is, who sleeps until then.

mod cron;
mod definition;
mod fires;
mod timetable;
mod zone;

pub use cron::Cron;
pub use definition::Schedule;
pub use timetable::Timetable;
pub use zone::{midnight, to_utc};
