//! Staging, operational and quarantine tables of one DAG, on SQLite or PostgreSQL.
//!
//! Belongs here: every statement on a DAG's records database, and the archive of delivered files. Does not belong
//! here: how a file is read, what a record means, run metadata.

mod archive;
mod bookkeeping;
mod declared;
mod handle;
mod progress;
mod rejects;
mod staging;
mod staging_insert;
mod staging_table;

pub use archive::{Archive, Kept};
pub use declared::schema_from_sql;
pub use handle::Records;
pub use staging::{Delivery, Staging, Window};
pub use staging_table::check_staging_name;
