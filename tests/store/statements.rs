//! Every statement of the store, held against both databases without running it.

use std::path::Path;

use galen::db::{Conn, Database};
use galen::on_conn;
use regex::Regex;
use sqlx::{AssertSqlSafe, Executor, SqlSafeStr};

use super::scenario::store;
use crate::support::{TestDatabase, databases};

struct Statement {
    name: String,
    sql: String,
}

/// The SQL constants of the room, read from its source.
fn statements() -> Vec<Statement> {
    let constant = Regex::new(r#"(?s)const ([A-Z_]+): &str =\s*"([^"]+)";"#).expect("a pattern");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the room") {
        let path = entry.expect("a file").path();
        let file = path
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let source = std::fs::read_to_string(&path).expect("source");
        found.extend(constant.captures_iter(&source).map(|found| Statement {
            name: format!("{file}::{}", &found[1]),
            sql: found[2].to_owned(),
        }));
    }
    assert!(found.len() > 30, "the pattern finds the constants");
    found
}

impl Statement {
    /// As it could be run: the rows are those of the table they go to or are looked up in.
    fn complete(&self, conditions: &str) -> String {
        let table = Regex::new(r"INSERT INTO (\w+)|CROSS JOIN (\w+)").expect("a pattern");
        let table = table.captures(&self.sql);
        let table = table.and_then(|found| Some(found.get(1).or(found.get(2))?.as_str()));
        let rows = format!("SELECT * FROM {}", table.unwrap_or_default());
        self.sql
            .replace("{rows}", &rows)
            .replace("{where}", conditions)
    }
}

#[tokio::test]
async fn every_statement_can_be_prepared() {
    for test in databases().await {
        store(&test).await;
        let database = Database::metadata(&test.settings()).expect(test.name);
        let mut read = database.read().await.expect(test.name);
        for statement in statements() {
            if statement.name.ends_with("_POSTGRES") && !database.is_postgres() {
                continue;
            }
            let sql = statement.complete("").replace("{", "").replace("}", "");
            let prepared = on_conn!(read.conn().expect("open"), c =>
                (&mut *c).prepare(AssertSqlSafe(sql).into_sql_str()).await.map(drop));
            if let Err(error) = prepared {
                panic!("{} on {}: {error}", statement.name, test.name);
            }
        }
    }
}

async fn plan(database: &Database, sql: String) -> Vec<String> {
    let mut read = database.read().await.expect("a connection");
    let Conn::Sqlite(c) = read.conn().expect("open") else {
        panic!("SQLite explains");
    };
    let sql = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
    let plan: Vec<(i64, i64, i64, String)> =
        sqlx::query_as(sql).fetch_all(c).await.expect("a plan");
    plan.into_iter().map(|(.., step)| step).collect()
}

/// A statement that walks through a table gets slower with every run that was ever made.
#[tokio::test]
async fn no_lookup_walks_through_a_table() {
    let test = TestDatabase::sqlite();
    store(&test).await;
    let database = Database::metadata(&test.settings()).expect("settings");
    let outer = Regex::new(r"CROSS JOIN \w+ AS (\w+)").expect("a pattern");
    for statement in statements() {
        if let Some(found) = outer.captures(&statement.sql) {
            let plan = plan(&database, statement.complete("")).await;
            let search = format!("SEARCH {} USING", &found[1]);
            let found = plan.iter().any(|step| step.starts_with(&search));
            assert!(found, "{}: {plan:#?}", statement.name);
        }
    }
    let cases = [
        ("run::ACTIVE", ""),
        ("run::BY_ID", ""),
        ("run::LAST_SCHEDULED", ""),
        ("run::LIST", ""),
        ("run::LIST", "WHERE dag_id = $1"),
        ("run::LIST", "WHERE dag_id = $1 AND state = $2"),
        ("run::LIST", "WHERE state = $1"),
        ("run::LIST", "WHERE backfill_id = $1"),
        ("tries::LIST", "WHERE run_id = $1 AND task_id = $2"),
        ("event::AFTER", ""),
        ("event::LIST", "WHERE dag_id = $1"),
        (
            "event::LIST",
            "WHERE dag_id = $1 AND run_id = $2 AND task_id = $3",
        ),
        ("backfill::DATES", ""),
        ("backfill::LIST", "WHERE dag_id = $1"),
        ("version::VERSION_FILES", ""),
    ];
    let all = statements();
    for (name, conditions) in cases {
        let statement = all
            .iter()
            .find(|statement| statement.name == name)
            .expect(name);
        let mut sql = statement.complete(conditions);
        if name.ends_with("LIST") {
            sql.push_str(" LIMIT 20");
        }
        let plan = plan(&database, sql).await;
        // a list that is sorted after it was found takes longer the more there is to list
        let sorts = name == "run::LIST" && !conditions.contains("backfill_id");
        let walks = |step: &&String| {
            step.starts_with("SCAN") && !step.contains("USING INDEX")
                || sorts && step.contains("TEMP B-TREE")
        };
        assert_eq!(
            plan.iter().find(walks),
            None,
            "{name} {conditions}: {plan:#?}"
        );
    }
}
