//! Galen's own tables in a records database.

use crate::base::Result;
use crate::db::Conn;

/// `{id}`, `{time}` and `{bytes}` are the few types whose names differ.
const TABLES: &str = "
CREATE TABLE IF NOT EXISTS _files (
    into_table TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    layout TEXT NOT NULL,
    window_start TEXT NOT NULL,
    window_end TEXT NOT NULL,
    file TEXT NOT NULL,
    records BIGINT NOT NULL,
    done BOOLEAN NOT NULL,
    inserted BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    unchanged BIGINT NOT NULL,
    duplicate BIGINT NOT NULL,
    quarantined BIGINT NOT NULL,
    run_id TEXT NOT NULL,
    task_id TEXT NOT NULL,
    at {time} NOT NULL,
    PRIMARY KEY (into_table, sha256, layout, window_start, window_end)
);
CREATE TABLE IF NOT EXISTS _downloads (
    address TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    etag TEXT,
    last_modified TEXT,
    sha256 TEXT NOT NULL,
    at {time} NOT NULL
);
CREATE TABLE IF NOT EXISTS quarantine (
    id {id} PRIMARY KEY,
    source_table TEXT NOT NULL,
    file TEXT NOT NULL,
    file_hash TEXT NOT NULL,
    line BIGINT NOT NULL,
    row_id BIGINT,
    reasons TEXT NOT NULL,
    detail TEXT NOT NULL,
    raw {bytes},
    run_id TEXT NOT NULL,
    task_id TEXT NOT NULL,
    at {time} NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'replayed'))
);
CREATE TABLE IF NOT EXISTS _batches (
    batch {id} PRIMARY KEY,
    batch_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    task_id TEXT NOT NULL,
    try_number BIGINT NOT NULL,
    source_table TEXT NOT NULL,
    rules TEXT NOT NULL,
    at {time} NOT NULL,
    counts TEXT NOT NULL,
    tables TEXT NOT NULL,
    last_audit BIGINT NOT NULL,
    digest TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS _batches_by_task ON _batches (run_id, task_id);
CREATE TABLE IF NOT EXISTS _rules (
    digest TEXT NOT NULL PRIMARY KEY,
    file TEXT NOT NULL,
    steps TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS audit_log (
    id {id} PRIMARY KEY,
    table_name TEXT NOT NULL,
    operation TEXT NOT NULL CHECK (operation IN ('insert', 'update', 'delete')),
    record_id TEXT NOT NULL,
    changed_by TEXT NOT NULL,
    changed_at {time} NOT NULL,
    old_values TEXT,
    new_values TEXT,
    _batch BIGINT NOT NULL,
    _previous BIGINT
);
CREATE TABLE IF NOT EXISTS _declared (
    digest TEXT NOT NULL PRIMARY KEY
);
CREATE INDEX IF NOT EXISTS quarantine_by_row ON quarantine (source_table, row_id) WHERE row_id IS NOT NULL;
";

/// Creates what is absent of them.
pub(super) async fn create(conn: Conn<'_>) -> Result<()> {
    let sql = in_dialect(TABLES, conn.is_postgres());
    conn.run_script(&sql).await
}

/// `sql` with its type names: `{id}`, the type of a counted key, `{time}` and `{bytes}`.
pub(super) fn in_dialect(sql: &str, postgres: bool) -> String {
    let (id, time, bytes) = match postgres {
        // SQLite keeps a table in the order of its key only when the type is spelt so
        false => ("INTEGER", "TEXT", "BLOB"),
        true => ("BIGINT", "TIMESTAMPTZ", "BYTEA"),
    };
    sql.replace("{id}", id)
        .replace("{time}", time)
        .replace("{bytes}", bytes)
}
