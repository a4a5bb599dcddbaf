//! The tables that Galen keeps beside a DAG's own.

/// One statement each, valid on both databases but for `{id}`, the type of a counted-up key: SQLite stores rows in its order
/// only when it is spelled `INTEGER`.
pub(super) const TABLES: &[&str] = &[
    // each batch that was written, and the row audit's digest after it
    "CREATE TABLE IF NOT EXISTS _batches (
        batch {id} PRIMARY KEY,
        batch_id TEXT NOT NULL,
        run_id TEXT NOT NULL,
        task_id TEXT NOT NULL,
        try_number BIGINT NOT NULL,
        source_table TEXT NOT NULL,
        rules TEXT NOT NULL,
        at TIMESTAMPTZ NOT NULL,
        counts TEXT NOT NULL,
        tables TEXT NOT NULL,
        last_audit BIGINT NOT NULL,
        digest TEXT NOT NULL
    )",
    "CREATE INDEX IF NOT EXISTS _batches_by_task ON _batches (run_id, task_id)",
    // each version of a targets file that wrote a batch
    "CREATE TABLE IF NOT EXISTS _rules (
        digest TEXT PRIMARY KEY,
        file TEXT NOT NULL,
        steps TEXT NOT NULL
    )",
    "CREATE TABLE IF NOT EXISTS audit_log (
        id {id} PRIMARY KEY,
        table_name TEXT NOT NULL,
        operation TEXT NOT NULL CHECK (operation IN ('insert', 'update', 'delete')),
        record_id TEXT NOT NULL,
        changed_by TEXT NOT NULL,
        changed_at TIMESTAMPTZ NOT NULL,
        old_values TEXT,
        new_values TEXT,
        _batch BIGINT NOT NULL,
        _previous BIGINT
    )",
    // `id` is made from where the record stood, so that the same record is set aside once
    "CREATE TABLE IF NOT EXISTS quarantine (
        id TEXT PRIMARY KEY,
        source_table TEXT NOT NULL,
        file TEXT NOT NULL,
        line BIGINT NOT NULL,
        row_id BIGINT,
        reasons TEXT NOT NULL,
        raw BYTEA,
        run_id TEXT NOT NULL,
        task_id TEXT NOT NULL,
        at TIMESTAMPTZ NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('open', 'replaying', 'released'))
    )",
    "CREATE INDEX IF NOT EXISTS quarantine_by_row ON quarantine (source_table, row_id)",
    // each file that was staged, or is being
    "CREATE TABLE IF NOT EXISTS _files (
        into_table TEXT NOT NULL,
        part TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        path TEXT NOT NULL,
        run_id TEXT NOT NULL,
        at TIMESTAMPTZ NOT NULL,
        records BIGINT NOT NULL,
        done BOOLEAN NOT NULL,
        counts TEXT NOT NULL,
        PRIMARY KEY (into_table, sha256, part)
    )",
    // the SQL that declared the operational tables, by hash
    "CREATE TABLE IF NOT EXISTS _declared (
        digest TEXT PRIMARY KEY
    )",
];

/// Columns that Galen adds to each declared table: the staging row and the batch that last wrote a row, and the version that decided.
pub(super) const COLUMNS: &[(&str, &str)] = &[
    ("_row_id", "BIGINT"),
    ("_batch_id", "TEXT"),
    ("_version", "TEXT"),
];
