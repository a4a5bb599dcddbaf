//! Staging, operational and quarantine tables of one DAG, on SQLite or PostgreSQL.
//!
//! Belongs here: every statement about a DAG's own tables; what a row was, is and came from.
//! Does not belong here: what a value means (`rules`), when anything runs (`engine`).

mod bookkeeping;
mod declared;
mod handle;

pub use declared::schema_from_sql;
pub use handle::Records;
