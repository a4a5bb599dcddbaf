//! Galen's own tables of a DAG that queries may read.

use crate::base::{CellType, Table, TableColumn};

/// What changed, a row for each change.
pub(super) const AUDIT_LOG: &str = "audit_log";
/// What could not go on.
pub(super) const QUARANTINE: &str = "quarantine";

/// `audit_log` and `quarantine`, with the columns that queries may read: all but the bytes of records that cannot be read.
pub fn own_tables() -> impl Iterator<Item = Table> {
    use CellType::{Integer, Text, Timestamp};
    let audit_log = [
        ("id", Integer),
        ("table_name", Text),
        ("operation", Text),
        ("record_id", Text),
        ("changed_by", Text),
        ("changed_at", Timestamp),
        ("old_values", Text),
        ("new_values", Text),
        ("_batch", Integer),
        ("_previous", Integer),
    ];
    let quarantine = [
        ("id", Integer),
        ("source_table", Text),
        ("file", Text),
        ("file_hash", Text),
        ("line", Integer),
        ("row_id", Integer),
        ("reasons", Text),
        ("detail", Text),
        ("run_id", Text),
        ("task_id", Text),
        ("at", Timestamp),
        ("state", Text),
    ];
    [(AUDIT_LOG, &audit_log[..]), (QUARANTINE, &quarantine[..])]
        .map(|(name, columns)| table(name, columns))
        .into_iter()
}

fn table(name: &str, columns: &[(&str, CellType)]) -> Table {
    let columns = columns.iter().map(|(name, cell_type)| TableColumn {
        name: (*name).to_owned(),
        cell_type: *cell_type,
        nullable: true,
        has_default: false,
    });
    Table {
        name: name.to_owned(),
        columns: columns.collect(),
        key: vec!["id".to_owned()],
        foreign_keys: Vec::new(),
    }
}
