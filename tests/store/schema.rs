//! The two schemas say the same.

use std::collections::{BTreeMap, BTreeSet};

use galen::db::Database;
use galen::on_conn;
use galen::store::Store;

use super::scenario::at;
use crate::support::{TestDatabase, databases};

#[derive(Debug, PartialEq, Eq)]
struct Shape {
    /// Table and column → type and whether it may be null.
    columns: BTreeMap<(String, String), (String, bool)>,
    /// Table, columns of an index, and whether it is unique.
    indexes: BTreeSet<(String, String, bool)>,
}

#[tokio::test]
async fn both_databases_have_the_same_tables() {
    let mut shapes = Vec::new();
    for test in databases().await {
        let store = Store::open(&test.settings()).expect(test.name);
        let pending = store.migration_status().await.expect(test.name);
        assert!(
            pending
                .iter()
                .all(|migration| migration.applied_at.is_none())
        );
        assert_eq!(store.migrate(at(0)).await.expect(test.name), pending.len());
        assert_eq!(
            store.migrate(at(1)).await.expect(test.name),
            0,
            "applied once"
        );
        let applied = store.migration_status().await.expect(test.name);
        assert!(
            applied
                .iter()
                .all(|migration| migration.applied_at == Some(at(0)))
        );
        shapes.push(shape(&test).await);
    }
    assert!(shapes[0].columns.len() > 60);
    assert!(
        shapes.windows(2).all(|pair| pair[0] == pair[1]),
        "{shapes:#?}"
    );
}

#[tokio::test]
async fn two_processes_may_migrate_at_once() {
    for test in databases().await {
        let migrations = (0..4).map(|_| {
            let settings = test.settings();
            tokio::spawn(async move {
                let store = Store::open(&settings).expect("a store");
                store.migrate(at(0)).await.expect("migrated")
            })
        });
        let counts = futures::future::join_all(migrations).await;
        let counts: usize = counts.into_iter().map(|count| count.expect("a task")).sum();
        assert_eq!(counts, 1, "{}", test.name);
    }
}

async fn shape(test: &TestDatabase) -> Shape {
    const SQLITE_COLUMNS: &str = "SELECT m.name, c.name, c.type, CAST(c.\"notnull\" AS TEXT) FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table'";
    const POSTGRES_COLUMNS: &str = "SELECT table_name::text, column_name::text, data_type::text, CASE is_nullable WHEN 'NO' THEN '1' ELSE '0' END FROM information_schema.columns WHERE table_schema = 'galen'";
    const SQLITE_INDEXES: &str = "SELECT m.name, (SELECT group_concat(name) FROM (SELECT name FROM pragma_index_info(i.name) ORDER BY seqno)), CAST(i.\"unique\" AS TEXT) FROM sqlite_master m JOIN pragma_index_list(m.name) i WHERE m.type = 'table'";
    const POSTGRES_INDEXES: &str = "SELECT t.relname::text, string_agg(a.attname, ',' ORDER BY array_position(i.indkey::int2[], a.attnum)), CASE WHEN i.indisunique THEN '1' ELSE '0' END FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = ANY (i.indkey) WHERE t.relnamespace = 'galen'::regnamespace GROUP BY t.relname, i.indexrelid, i.indisunique";

    let database = Database::metadata(&test.settings()).expect(test.name);
    let mut read = database.read().await.expect(test.name);
    let (columns, indexes) = if database.is_postgres() {
        (POSTGRES_COLUMNS, POSTGRES_INDEXES)
    } else {
        (SQLITE_COLUMNS, SQLITE_INDEXES)
    };
    let columns: Vec<(String, String, String, String)> =
        on_conn!(read.conn().expect("open"), c => sqlx::query_as(columns).fetch_all(&mut *c).await)
            .expect(test.name);
    let indexes: Vec<(String, String, String)> =
        on_conn!(read.conn().expect("open"), c => sqlx::query_as(indexes).fetch_all(&mut *c).await)
            .expect(test.name);
    let mut indexes: BTreeSet<_> = indexes
        .into_iter()
        .map(|(table, columns, unique)| (table, columns, unique == "1"))
        .collect();
    // a whole-number key is SQLite's row number and needs no index of its own
    indexes.remove(&("events".to_owned(), "seq".to_owned(), true));
    Shape {
        columns: columns
            .into_iter()
            .map(|(table, column, kind, not_null)| {
                let kind = common_type(&table, &column, &kind);
                ((table, column), (kind, not_null == "1"))
            })
            .collect(),
        indexes,
    }
}

/// SQLite has no type for time.
fn common_type(table: &str, column: &str, kind: &str) -> String {
    let time =
        table != "_migrations" && (column.ends_with("at") || column.starts_with("interval_"));
    match kind.to_lowercase().as_str() {
        "timestamp with time zone" => "time".to_owned(),
        "text" if time => "time".to_owned(),
        "integer" => "bigint".to_owned(),
        other => other.to_owned(),
    }
}
