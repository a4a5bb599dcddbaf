//! The declared tables: what the DAG's SQL says, found out by SQLite itself.

use std::collections::BTreeMap;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, SqliteConnection};

use crate::base::{CellType, Error, ForeignKey, Result, Schema, Table, TableColumn};

/// With a type name, NOT NULL, default and place in the key.
const COLUMNS: &str = "
    SELECT t.name, c.name, c.type, c.\"notnull\", c.dflt_value IS NOT NULL, c.pk
    FROM sqlite_schema t, pragma_table_info(t.name) c
    WHERE t.type = 'table' ORDER BY t.name, c.cid";
const FOREIGN_KEYS: &str = "
    SELECT t.name, f.id, f.\"table\", f.\"from\", f.\"to\"
    FROM sqlite_schema t, pragma_foreign_key_list(t.name) f
    WHERE t.type = 'table' ORDER BY t.name, f.id, f.seq";

/// The tables that `sql` creates. Runs it on a database in memory and touches no other; blocks for some milliseconds.
///
/// # Errors
/// When the SQL does not run, or a column has a type that is not the same on both databases.
pub fn schema_from_sql(sql: &str) -> Result<Schema> {
    in_memory(async |mut conn| {
        run(&mut conn, sql)
            .await
            .map_err(|error| Error::new("the tables' SQL does not run").because(error))?;
        let mut tables = columns(&mut conn).await?;
        foreign_keys(&mut conn, &mut tables).await?;
        let mut schema = Schema::default();
        tables.into_values().for_each(|table| schema.insert(table));
        Ok(schema)
    })
}

/// Runs `sql`, which creates tables, twice as [`schema_from_sql`] does once.
///
/// # Errors
/// When it does not run again over what it made; one that never runs is no matter here.
pub fn check_repeats(sql: &str) -> Result<()> {
    in_memory(async |mut conn| {
        if run(&mut conn, sql).await.is_err() {
            return Ok(());
        }
        run(&mut conn, sql).await.map_err(|error| {
            Error::new(
                "the tables' SQL does not run a second time, as it does whenever it is edited",
            )
            .because(error)
            .hint("write `CREATE TABLE IF NOT EXISTS`, and so with every statement")
        })
    })
}

/// Answers `ask` with a database in memory; blocks meanwhile.
fn in_memory<T: Send>(ask: impl AsyncFnOnce(SqliteConnection) -> Result<T> + Send) -> Result<T> {
    let asked = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::new("cannot start a thread").because(error))?
            .block_on(async {
                let options = SqliteConnectOptions::new().in_memory(true);
                ask(options.disable_statement_logging().connect().await?).await
            })
    };
    // a runtime of its own on a thread of its own, so that it works inside and outside of one
    std::thread::scope(|scope| {
        let answer = scope.spawn(asked).join();
        answer.unwrap_or_else(|_| Err(Error::new("the check of the tables' SQL stopped")))
    })
}

async fn run(conn: &mut SqliteConnection, sql: &str) -> sqlx::Result<()> {
    let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await;
    done.map(drop)
}

async fn columns(conn: &mut SqliteConnection) -> Result<BTreeMap<String, Table>> {
    let rows: Vec<(String, String, String, bool, bool, i64)> =
        sqlx::query_as(COLUMNS).fetch_all(conn).await?;
    let mut tables: BTreeMap<String, (Table, Vec<(i64, String)>)> = BTreeMap::new();
    for (name, column, declared, not_null, has_default, key) in rows {
        let cell_type = cell_type(&declared).ok_or_else(|| {
            Error::new(format!(
                "column `{column}` of table `{name}` has type `{declared}`"
            ))
            .hint("expected TEXT, BIGINT, DOUBLE PRECISION, BOOLEAN, DATE or TIMESTAMPTZ")
        })?;
        let (table, keys) = tables.entry(name.clone()).or_insert_with(|| {
            let table = Table {
                name,
                columns: Vec::new(),
                key: Vec::new(),
                foreign_keys: Vec::new(),
            };
            (table, Vec::new())
        });
        if key > 0 {
            keys.push((key, column.clone()));
        }
        table.columns.push(TableColumn {
            name: column,
            cell_type,
            nullable: !not_null && key == 0,
            has_default,
        });
    }
    Ok(tables
        .into_iter()
        .map(|(name, (mut table, mut keys))| {
            keys.sort();
            table.key = keys.into_iter().map(|(_, column)| column).collect();
            (name, table)
        })
        .collect())
}

async fn foreign_keys(
    conn: &mut SqliteConnection,
    tables: &mut BTreeMap<String, Table>,
) -> Result<()> {
    let rows: Vec<(String, i64, String, String, Option<String>)> =
        sqlx::query_as(FOREIGN_KEYS).fetch_all(conn).await?;
    let mut last = None;
    for (name, id, parent, from, to) in rows {
        let parent_key = tables
            .get(&parent)
            .map(|p| p.key.clone())
            .unwrap_or_default();
        let Some(table) = tables.get_mut(&name) else {
            continue;
        };
        if last.replace((name, id)) != last {
            table.foreign_keys.push(ForeignKey {
                columns: Vec::new(),
                table: parent,
                parent_columns: Vec::new(),
            });
        }
        if let Some(key) = table.foreign_keys.last_mut() {
            // without columns named, the parent's primary key is meant
            let to = to.or_else(|| parent_key.get(key.columns.len()).cloned());
            key.columns.push(from);
            key.parent_columns.extend(to);
        }
    }
    Ok(())
}

/// How a column of this type is declared on both databases.
pub(super) const fn sql_type(cell_type: CellType) -> &'static str {
    match cell_type {
        CellType::Text => "TEXT",
        CellType::Integer => "BIGINT",
        CellType::Float => "DOUBLE PRECISION",
        CellType::Boolean => "BOOLEAN",
        CellType::Date => "DATE",
        CellType::Timestamp => "TIMESTAMPTZ",
    }
}

/// The type that a column declared as `declared` has; `None` for one that is not the same on both databases.
pub(super) fn cell_type(declared: &str) -> Option<CellType> {
    let types = [
        CellType::Text,
        CellType::Integer,
        CellType::Float,
        CellType::Boolean,
        CellType::Date,
        CellType::Timestamp,
    ];
    let is_meant = |cell_type: &CellType| sql_type(*cell_type).eq_ignore_ascii_case(declared);
    types.into_iter().find(is_meant)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SQL: &str = "
        CREATE TABLE IF NOT EXISTS people (person_id TEXT PRIMARY KEY, born BIGINT);
        CREATE TABLE IF NOT EXISTS visits (
            person_id TEXT NOT NULL REFERENCES people,
            n BIGINT,
            day DATE NOT NULL DEFAULT '2020-01-01',
            seen_by TEXT REFERENCES people (person_id),
            PRIMARY KEY (n, person_id)
        );";

    #[test]
    fn reads_keys_types_and_references() {
        let schema = schema_from_sql(SQL).expect("runs");
        let visits = schema.table("visits").expect("visits");
        assert_eq!(visits.key, ["n", "person_id"]);
        let day = visits.column("day").expect("day");
        assert_eq!(
            (day.cell_type, day.nullable, day.has_default),
            (CellType::Date, false, true)
        );
        assert_eq!(visits.foreign_keys.len(), 2);
        assert!(
            visits
                .foreign_keys
                .iter()
                .all(|f| f.parent_columns == ["person_id"])
        );
        let error = schema.table("visit").expect_err("typo");
        assert_eq!(error.hint_text(), Some("did you mean `visits`?"));
    }

    #[test]
    fn refuses_types_that_differ_between_databases() {
        let error = schema_from_sql("CREATE TABLE IF NOT EXISTS t (a REAL)").expect_err("type");
        assert!(error.to_string().contains("`REAL`"), "{error}");
        assert!(schema_from_sql("CREATE TABEL t (a TEXT)").is_err());
    }

    #[test]
    fn refuses_what_cannot_be_edited_later() {
        let error = check_repeats("CREATE TABLE t (a TEXT)").expect_err("once only");
        let message = format!("{error:?}");
        assert!(message.contains("second time"), "{message}");
        assert!(message.contains("CREATE TABLE IF NOT EXISTS"), "{message}");
        check_repeats(SQL).expect("as often as one likes");
    }
}
