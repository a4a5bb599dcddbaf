//! Staging, operational and quarantine tables of one DAG, on SQLite or PostgreSQL.
//!
//! Belongs here: every statement on a DAG's records database, and the archive of delivered files. Does not belong
//! here: how a file is read, what a record means, run metadata.

mod archive;
mod audit;
mod batch;
mod bookkeeping;
mod cells;
mod declared;
mod handle;
mod lookup;
mod merge;
mod progress;
mod rejects;
mod set_aside;
mod staged;
mod staging;
mod staging_insert;
mod staging_table;

pub use archive::{Archive, Kept};
pub use audit::AuditRow;
pub use batch::{Batch, MISSING_PARENT, Writer, Written};
pub use cells::record_id;
pub use declared::schema_from_sql;
pub use handle::Records;
pub use merge::TableRows;
pub use staged::{Progress, Staged, StagedColumns};
pub use staging::{Delivery, Staging, Window};
pub use staging_table::check_staging_name;
