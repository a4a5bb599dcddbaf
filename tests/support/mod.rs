//! What many tests need: databases of their own, and the shared input.

mod database;
mod death;
mod desk;
mod folder;
mod postgres;
mod process;
mod python;
mod random_dag;
mod s3;
mod shared;
mod tables;
mod task;
mod web;

pub use database::{TestDatabase, databases};
pub use death::die_after;
pub use desk::{Desk, counts, day, instant};
pub use folder::{copy, csv_rows};
pub use postgres::Cluster;
pub use process::Process;
pub use python::python_with;
pub use random_dag::random_dag;
pub use s3::{S3, SECRET};
pub use shared::shared_data;
pub use tables::{delta_rows, parquet_rows};
pub use task::{Try, cut_off};
pub use web::{Answer, Asked, Web};
