//! Galen's own tables in a records database.

use super::fitting::existing_columns;
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
CREATE TABLE IF NOT EXISTS _chunks (
    chunk {id} PRIMARY KEY,
    file TEXT NOT NULL,
    file_hash TEXT NOT NULL,
    run_id TEXT NOT NULL,
    loaded_at {time} NOT NULL
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
CREATE TABLE IF NOT EXISTS _changes (
    id {id} PRIMARY KEY,
    batch BIGINT NOT NULL,
    table_name TEXT NOT NULL,
    changes TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS _changes_by_batch ON _changes (batch, table_name);
CREATE TABLE IF NOT EXISTS _declared (
    digest TEXT NOT NULL PRIMARY KEY
);
CREATE INDEX IF NOT EXISTS quarantine_by_row ON quarantine (source_table, row_id) WHERE row_id IS NOT NULL;
";

/// On SQLite, `audit_log`: a row for each change in `_changes`, whose rows are looked at in their order.
pub(super) const AUDIT_COLUMNS: &str = "c.id + j.key AS id, c.table_name, iif(j.value -> 2 IS NULL, 'insert', 'update') AS operation,
    j.value ->> 0 AS record_id, b.run_id || '/' || b.task_id AS changed_by, b.at AS changed_at,
    j.value -> 2 AS old_values, j.value -> 1 AS new_values, c.batch AS _batch, j.value ->> 3 AS _previous";
pub(super) const AUDIT_FROM: &str =
    "_changes c CROSS JOIN _batches b ON b.batch = c.batch CROSS JOIN json_each(c.changes) j";
/// PostgreSQL's own compression of long texts takes longer than to write them as they are.
const AUDIT_LOG_POSTGRES: &str = "
DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_settings WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)) THEN
        ALTER TABLE _changes ALTER COLUMN changes SET COMPRESSION lz4;
    ELSE
        ALTER TABLE _changes ALTER COLUMN changes SET STORAGE EXTERNAL;
    END IF;
END $$;
CREATE VIEW audit_log AS
SELECT c.id + j.place - 1 AS id, c.table_name, CASE WHEN j.value -> 2 IS NULL THEN 'insert' ELSE 'update' END AS operation,
    j.value ->> 0 AS record_id, b.run_id || '/' || b.task_id AS changed_by, b.at AS changed_at,
    CAST(j.value -> 2 AS TEXT) AS old_values, CAST(j.value -> 1 AS TEXT) AS new_values,
    c.batch AS _batch, CAST(j.value ->> 3 AS BIGINT) AS _previous
FROM _changes c JOIN _batches b ON b.batch = c.batch
    CROSS JOIN json_array_elements(CAST(c.changes AS JSON)) WITH ORDINALITY AS j(value, place);
";

/// Creates what is absent of them.
pub(super) async fn create(mut conn: Conn<'_>) -> Result<()> {
    let postgres = conn.is_postgres();
    let sql = in_dialect(TABLES, postgres);
    conn.again().run_script(&sql).await?;
    if !existing_columns(conn.again(), "audit_log")
        .await?
        .is_empty()
    {
        return Ok(());
    }
    let view = match postgres {
        true => AUDIT_LOG_POSTGRES.to_owned(),
        false => format!("CREATE VIEW audit_log AS SELECT {AUDIT_COLUMNS} FROM {AUDIT_FROM};"),
    };
    conn.run_script(&view).await
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
