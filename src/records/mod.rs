//! Staging, operational and quarantine tables of one DAG, on SQLite or PostgreSQL.
//!
//! Belongs here: every statement on a DAG's records database, and the archive of delivered files. Does not belong
//! here: how a file is read, what a record means, run metadata.

mod added;
mod archive;
mod audit;
mod batch;
mod batches;
mod bookkeeping;
mod cells;
mod declared;
mod downloads;
mod export;
mod fitting;
mod handle;
mod kinds;
mod lookup;
mod merge;
mod orphans;
mod own_tables;
mod part;
mod progress;
mod quarantine;
mod rejects;
mod row_json;
mod scan;
mod set_aside;
mod snapshot;
mod staged;
mod staged_key;
mod staging;
mod staging_insert;
mod staging_table;
mod table_write;
mod trace;
mod verify;

pub use archive::{Archive, Kept};
pub use audit::AuditRow;
pub use batch::{Batch, Writer, Written};
pub use batches::Batches;
pub use cells::record_id;
pub use declared::{check_repeats, schema_from_sql};
pub use downloads::Downloaded;
pub use handle::Records;
pub use kinds::TableInfo;
pub use merge::{Delivered, TableRows};
pub use orphans::MISSING_PARENT;
pub use own_tables::own_tables;
pub use part::Part;
pub use quarantine::{QuarantineFilter, Quarantined, Replayed};
pub use scan::{Chunk, Compare, Condition, Scan, ScanColumn, Texts};
pub use snapshot::{Scanning, Snapshot, Snapshots};
pub use staged::{Progress, Staged, StagedColumns};
pub use staging::{Delivery, Staging, Window, undated};
pub use staging_table::{check_staged_columns, check_staging_name};
pub use trace::{Trace, TracedBatch, TracedRecord, key_parts};
pub use verify::AuditReport;
