//! A staging table: the file's columns as text, where each row came from, and whether it was processed.
//!
//! It is a view of three tables: records are wide and never change once they were delivered; what changes is narrow, and is kept beside them;
//! what the records of a chunk have in common is kept once.

use std::collections::{HashMap, HashSet};

use sqlx::AssertSqlSafe;

use super::bookkeeping::in_dialect;
use crate::base::{Error, Result};
use crate::db::{Conn, quote};
use crate::on_conn;

/// Columns of a file that a staging table takes; both databases bear a little more.
const MAX_COLUMNS: usize = 1_000;

/// Bytes of a name, as PostgreSQL allows; it cuts longer ones silently.
const MAX_NAME: usize = 63;

/// The columns that Galen adds to records, in the order of an insert; `_key` is null where the task gives no key.
pub(super) const OWN_COLUMNS: &[&str] = &["_row_id", "_chunk", "_line", "_hash", "_key"];

/// Other columns of the view that a file cannot have.
const RESERVED: &[&str] = &[
    "_file",
    "_file_hash",
    "_run_id",
    "_loaded_at",
    "_processed",
    "_batch_id",
];

/// `{columns}` are those of the file.
const CREATE: &str = "
CREATE TABLE IF NOT EXISTS {records} (
    _row_id {id} PRIMARY KEY,
    _chunk BIGINT NOT NULL,
    _line BIGINT NOT NULL,
    _hash TEXT NOT NULL,
    _key TEXT{columns}
);
CREATE TABLE IF NOT EXISTS {state} (
    _row_id {id} PRIMARY KEY,
    _processed BOOLEAN NOT NULL,
    _batch_id BIGINT
);
CREATE INDEX IF NOT EXISTS {unprocessed} ON {state} (_row_id) WHERE NOT _processed;
";

const VIEW: &str = "
SELECT r._row_id, c.file AS _file, c.file_hash AS _file_hash, r._line, r._hash, r._key, c.run_id AS _run_id, c.loaded_at AS _loaded_at,
    s._processed, s._batch_id{columns}
FROM {records} AS r JOIN {state} AS s ON s._row_id = r._row_id JOIN _chunks AS c ON c.chunk = r._chunk;
";

/// To say of records that they were processed, or not, works as on a table.
const MARK_SQLITE: &str = "
CREATE TRIGGER {mark} INSTEAD OF UPDATE OF _processed, _batch_id ON {table} BEGIN
    UPDATE {state} SET _processed = NEW._processed, _batch_id = NEW._batch_id WHERE _row_id = NEW._row_id;
END;
";
const MARK_POSTGRES: &str = "
CREATE OR REPLACE RULE {mark} AS ON UPDATE TO {table} DO INSTEAD
    UPDATE {state} SET _processed = NEW._processed, _batch_id = NEW._batch_id WHERE _row_id = OLD._row_id;
";

const CREATE_KEY_INDEX: &str =
    "CREATE INDEX IF NOT EXISTS {by_key} ON {records} (_key) WHERE _key IS NOT NULL";

const COLUMNS_SQLITE: &str = "SELECT name FROM pragma_table_info($1) ORDER BY cid";
const COLUMNS_POSTGRES: &str = "SELECT column_name::text FROM information_schema.columns \
     WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position";

/// Whether `name` can be that of a staging table.
///
/// # Errors
/// What was expected instead.
pub fn check_staging_name(name: &str) -> Result<(), String> {
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let good = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(letters)
        && name.len() <= 48
        && !["quarantine", "audit_log"].contains(&name);
    match good {
        true => Ok(()),
        false => Err(format!(
            "`{name}` cannot be a staging table, expected up to 48 lower-case letters, digits and `_`, a letter first"
        )),
    }
}

/// A file's columns as the staging table has them.
pub(super) struct Columns {
    /// Spelt as the table spells them, in the file's order.
    pub names: Vec<String>,
    /// Those that were added to a table that was there.
    pub added: Vec<String>,
}

/// Creates the table `table` for `columns`, or adds what it lacks of them.
pub(super) async fn ensure(
    mut conn: Conn<'_>,
    table: &str,
    file: &str,
    columns: &[String],
    keyed: bool,
) -> Result<Columns> {
    check_columns(file, columns)?;
    let present = columns_of(conn.again(), table).await?;
    let (mut names, mut added) = (columns.to_vec(), Vec::new());
    if present.is_empty() {
        create(conn.again(), table, columns).await?;
    } else {
        if !present.iter().any(|name| name == "_processed") {
            return Err(
                Error::new(format!("table `{table}` exists and is not a staging table"))
                    .hint("give `into` a name of its own"),
            );
        }
        (names, added) = check_staged_columns(table, file, &present, columns)?;
        let records = quote(&records_table(table));
        for name in &added {
            let sql = format!("ALTER TABLE {records} ADD COLUMN {} TEXT", quote(name));
            conn.again().run_script(&sql).await?;
        }
    }
    if present.is_empty() || !added.is_empty() {
        show(conn.again(), table).await?;
    }
    if keyed {
        conn.run_script(&of(CREATE_KEY_INDEX, table)).await?;
    }
    Ok(Columns { names, added })
}

/// The table of the records of staging table `name`, as they were delivered.
pub(super) fn records_table(name: &str) -> String {
    format!("_{name}_records")
}

/// The table that says of each record of staging table `name` whether it was processed.
pub(super) fn state_table(name: &str) -> String {
    format!("_{name}_state")
}

/// `sql` with the names that belong to staging table `table`.
fn of(sql: &str, table: &str) -> String {
    sql.replace("{table}", &quote(table))
        .replace("{records}", &quote(&records_table(table)))
        .replace("{state}", &quote(&state_table(table)))
        .replace("{unprocessed}", &quote(&format!("_{table}_unprocessed")))
        .replace("{by_key}", &quote(&format!("_{table}_by_key")))
        .replace("{mark}", &quote(&format!("_{table}_mark")))
}

async fn create(conn: Conn<'_>, table: &str, columns: &[String]) -> Result<()> {
    let columns: String = columns
        .iter()
        .map(|name| format!(",\n    {} TEXT", quote(name)))
        .collect();
    let sql = of(&in_dialect(CREATE, conn.is_postgres()), table).replace("{columns}", &columns);
    conn.run_script(&sql).await
}

/// Makes the view, or makes it anew with the columns that the records have by now.
async fn show(mut conn: Conn<'_>, table: &str) -> Result<()> {
    let columns = columns_of(conn.again(), &records_table(table)).await?;
    // those of the file stand last, so that PostgreSQL takes a view with more of them in place of the one before
    let file: String = columns[OWN_COLUMNS.len()..]
        .iter()
        .map(|name| format!(", r.{}", quote(name)))
        .collect();
    let select = VIEW.replace("{columns}", &file);
    let sql = match conn.is_postgres() {
        false => {
            format!("DROP VIEW IF EXISTS {{table}};\nCREATE VIEW {{table}} AS{select}{MARK_SQLITE}")
        }
        true => format!("CREATE OR REPLACE VIEW {{table}} AS{select}{MARK_POSTGRES}"),
    };
    conn.run_script(&of(&sql, table)).await
}

/// Column names of `table`, in order; empty when there is no such table.
async fn columns_of(conn: Conn<'_>, table: &str) -> Result<Vec<String>> {
    let sql = match conn.is_postgres() {
        false => COLUMNS_SQLITE,
        true => COLUMNS_POSTGRES,
    };
    Ok(
        on_conn!(conn, c => sqlx::query_scalar(AssertSqlSafe(sql)).bind(table).fetch_all(&mut *c).await)?,
    )
}

fn check_columns(file: &str, columns: &[String]) -> Result<()> {
    if columns.len() > MAX_COLUMNS {
        return Err(Error::new(format!(
            "`{file}` has {} columns, expected at most {MAX_COLUMNS}",
            columns.len()
        ))
        .hint("name the wanted ones under `columns` of the source, or look at its `delimiter`"));
    }
    for name in columns {
        if name.is_empty() || name.len() > MAX_NAME {
            return Err(Error::new(format!(
                "`{file}` has a column whose name is {} bytes long, expected 1 to {MAX_NAME}",
                name.len()
            ))
            .hint(
                "rename it in the file, or name the wanted columns under `columns` of the source",
            ));
        }
        let mut own = OWN_COLUMNS.iter().chain(RESERVED);
        if own.any(|own| own.eq_ignore_ascii_case(name)) {
            return Err(Error::new(format!(
                "`{file}` has a column `{name}`, a name that galen needs itself"
            ))
            .hint(
                "rename it in the file, or name the wanted columns under `columns` of the source",
            ));
        }
    }
    Ok(())
}

/// The columns of a file as `table` spells them, in the file's order, and those of them that the table lacks. `present` are the
/// columns of the table, none when there is no table yet.
///
/// # Errors
/// When they cannot be columns of a table, or the file lacks one that the table has.
pub fn check_staged_columns(
    table: &str,
    file: &str,
    present: &[String],
    columns: &[String],
) -> Result<(Vec<String>, Vec<String>)> {
    check_columns(file, columns)?;
    let (mut names, mut added) = (columns.to_vec(), Vec::new());
    if present.is_empty() {
        return Ok((names, added));
    }
    check_present(table, file, present, columns)?;
    let known: HashMap<String, &String> = present
        .iter()
        .map(|name| (name.to_lowercase(), name))
        .collect();
    for name in &mut names {
        match known.get(&name.to_lowercase()) {
            Some(known) => name.clone_from(known),
            None => added.push(name.clone()),
        }
    }
    Ok((names, added))
}

/// Whether a file with `columns` has all that `table` has.
fn check_present(table: &str, file: &str, present: &[String], columns: &[String]) -> Result<()> {
    let columns: HashSet<String> = columns.iter().map(|name| name.to_lowercase()).collect();
    let missing = present
        .iter()
        .find(|name| !name.starts_with('_') && !columns.contains(&name.to_lowercase()));
    match missing {
        None => Ok(()),
        Some(name) => Err(Error::new(format!(
            "`{file}` has no column `{name}`, which earlier files of `{table}` have"
        ))
        .hint(
            "stage files of another shape into a table of their own, or take only common `columns`",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        assert!(check_staging_name("lab_staging").is_ok());
        for name in ["", "_files", "Lab", "a-b", "quarantine", "a.b"] {
            assert!(check_staging_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_staged_is_refused() {
        let message = |columns: &[&str]| {
            let columns: Vec<String> = columns.iter().map(|&name| name.to_owned()).collect();
            check_columns("f.csv", &columns)
                .err()
                .map(|error| error.to_string())
        };
        assert_eq!(message(&["a", "b"]), None);
        assert_eq!(
            message(&["_Hash"]).as_deref(),
            Some("`f.csv` has a column `_Hash`, a name that galen needs itself")
        );
        assert_eq!(
            message(&vec!["x"; 10_000]).as_deref(),
            Some("`f.csv` has 10000 columns, expected at most 1000")
        );
        assert_eq!(
            message(&["x".repeat(64).as_str()]).as_deref(),
            Some("`f.csv` has a column whose name is 64 bytes long, expected 1 to 63")
        );
    }
}
