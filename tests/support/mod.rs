//! What many tests need: databases of their own, and the shared input.

#![allow(
    dead_code,
    unused_imports,
    reason = "not every helper has its user yet"
)]

mod database;
mod postgres;
mod shared;
mod task;

pub use database::{TestDatabase, databases};
pub use postgres::Cluster;
pub use shared::shared_data;
pub use task::Try;
