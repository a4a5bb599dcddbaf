//! What many tests need: databases of their own, and the shared input.

#![allow(
    dead_code,
    unused_imports,
    reason = "not every helper has its user yet"
)]

mod database;
mod desk;
mod postgres;
mod random_dag;
mod shared;
mod task;
mod web;

pub use database::{TestDatabase, databases};
pub use desk::{Desk, counts, day, instant};
pub use postgres::Cluster;
pub use random_dag::{empty_dag, noop_task, random_dag};
pub use shared::shared_data;
pub use task::Try;
pub use web::{Answer, Asked, Web};
