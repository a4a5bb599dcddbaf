//! What is in a file, for a person who has just got it: never a value that could point at somebody.

mod column;
mod distinct;
mod file;
mod kind;
mod probe;

pub use column::{ColumnProfile, Frequent, MIN_COUNT};
pub use file::{Profile, profile};
pub use kind::Kind;
