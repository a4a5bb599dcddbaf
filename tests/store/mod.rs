//! Tests: the store's contract, on both databases.

mod backfills;
mod chain;
mod door;
mod leases;
mod reads;
mod scenario;
mod schema;
mod speed;
mod statements;
mod sums;
