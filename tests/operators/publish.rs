//! `publish`: a copy is the old one or the new one, wherever a try is cut off.

use std::path::Path;

use galen::dag::{Dag, DagFiles};
use galen::operators::Operators;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};

use crate::support::{Desk, TestDatabase, counts, cut_off, databases, delta_rows, parquet_rows};

const ROWS: u64 = 20_000;

/// A model whose rows all say `word`.
async fn build(desk: &mut Desk, word: &str) {
    let sql = format!(
        "-- unique_key: id\nSELECT value AS id, CAST('{word}' AS TEXT) AS word FROM generate_series(1, {ROWS})"
    );
    desk.file("models/gold/words.sql", &sql);
    desk.run("models", json!({})).await;
}

fn to(target: &str) -> Value {
    let mut with = json!({"select": "layer:gold", "to": target});
    match target {
        "postgres" => {}
        "sqlite" => with["path"] = json!("out/words.db"),
        _ => with["path"] = json!("out"),
    }
    with
}

const COUNT: &str = "SELECT CONCAT(COUNT(*), ' ', MIN(word), ' ', MAX(word)) FROM";

/// What a reader finds: the number of rows, their first and their last word. `None`: no copy yet.
async fn read(desk: &Desk, target: &str) -> Option<String> {
    let out = desk.test.home().join("out");
    match target {
        "postgres" => {
            let url = desk.test.url().expect("a server");
            let mut conn = PgConnection::connect(url).await.expect("the server");
            let there = "SELECT to_regclass('clinic_dw.words') IS NOT NULL";
            let there: bool = sqlx::query_scalar(there)
                .fetch_one(&mut conn)
                .await
                .expect(there);
            let sql = format!("{COUNT} clinic_dw.words");
            let found = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut conn);
            match there {
                true => Some(found.await.expect("rows")),
                false => None,
            }
        }
        "sqlite" => {
            let path = out.join("words.db");
            if !path.exists() {
                return None;
            }
            let url = format!("sqlite://{}?mode=ro", path.display());
            let mut conn = SqliteConnection::connect(&url).await.expect("a database");
            let sql = "SELECT COUNT(*) || ' ' || MIN(word) || ' ' || MAX(word) FROM words";
            Some(
                sqlx::query_scalar(sql)
                    .fetch_one(&mut conn)
                    .await
                    .expect("rows"),
            )
        }
        "csv" => {
            let text = std::fs::read_to_string(out.join("gold.words.csv")).ok()?;
            let words = text
                .lines()
                .skip(1)
                .filter_map(|line| line.split(',').nth(1));
            let words: Vec<&str> = words.collect();
            let (first, last) = (words.iter().min()?, words.iter().max()?);
            Some(format!("{} {first} {last}", words.len()))
        }
        "parquet" => {
            let path = out.join("gold.words.parquet");
            first(&path, parquet_rows(&path, &format!("{COUNT} it")).await)
        }
        _ => {
            let path = out.join("gold.words");
            match path.join("_delta_log").is_dir() {
                true => first(&path, delta_rows(&path, &format!("{COUNT} it")).await),
                false => None,
            }
        }
    }
}

fn first(path: &Path, rows: Vec<String>) -> Option<String> {
    path.exists().then(|| rows.first().expect("a row").clone())
}

async fn whole_wherever_it_is_cut(test: TestDatabase, target: &str) {
    let mut desk = Desk::new(test);
    let all = |word: &str| format!("{ROWS} {word} {word}");
    let (mut cut, mut old) = (0, None);
    for word in ["old", "new"] {
        build(&mut desk, word).await;
        for polls in [1, 2, 4, 7, 11, 16, 24, 36, 60, 100] {
            if cut_off(desk.attempt("publish", to(target)), polls)
                .await
                .is_some()
            {
                break;
            }
            cut += 1;
            let found = read(&desk, target).await;
            assert!(
                found == old || found == Some(all(word)),
                "{target}: {found:?} after {polls}"
            );
        }
        let outcome = desk.run("publish", to(target)).await;
        assert!(outcome.counts.balances());
        assert_eq!(outcome.tables["gold.words"].read, ROWS);
        old = Some(all(word));
        assert_eq!(read(&desk, target).await, old, "{target}");
    }
    assert!(cut > 3, "{target}: cut off {cut} times");
    // once more, the same
    let outcome = desk.run("publish", to(target)).await;
    assert_eq!(outcome.counts.read, ROWS);
    assert_eq!(read(&desk, target).await, old, "{target}");
    let parts = format!("{}/out/*.part", desk.test.home().display());
    assert_eq!(
        glob::glob(&parts).expect("a pattern").count(),
        0,
        "{target}"
    );
}

#[tokio::test]
async fn csv() {
    whole_wherever_it_is_cut(TestDatabase::sqlite(), "csv").await;
}

#[tokio::test]
async fn parquet() {
    whole_wherever_it_is_cut(TestDatabase::sqlite(), "parquet").await;
}

#[tokio::test]
async fn sqlite() {
    whole_wherever_it_is_cut(TestDatabase::sqlite(), "sqlite").await;
}

#[tokio::test]
async fn delta() {
    whole_wherever_it_is_cut(TestDatabase::sqlite(), "delta").await;
}

#[tokio::test]
async fn postgres() {
    for test in databases().await {
        if test.url().is_some() {
            whole_wherever_it_is_cut(test, "postgres").await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_reads_while_it_is_published_sees_one_copy_or_the_other() {
    for target in ["csv", "delta"] {
        let mut desk = Desk::new(TestDatabase::sqlite());
        build(&mut desk, "one").await;
        desk.run("publish", to(target)).await;
        for word in ["two", "one", "two"] {
            build(&mut desk, word).await;
            let publish = desk.run("publish", to(target));
            let mut publish = std::pin::pin!(publish);
            loop {
                tokio::select! {
                    biased;
                    found = read(&desk, target) => {
                        let found = found.expect("a copy");
                        assert!([format!("{ROWS} one one"), format!("{ROWS} two two")].contains(&found), "{target}: {found}");
                    }
                    _ = &mut publish => break,
                }
                // let it go on
                let moment = std::time::Duration::from_millis(5);
                if tokio::time::timeout(moment, &mut publish).await.is_ok() {
                    break;
                }
            }
            let all = format!("{ROWS} {word} {word}");
            assert_eq!(read(&desk, target).await, Some(all), "{target}");
        }
    }
}

#[tokio::test]
async fn a_delta_table_is_laid_out_as_the_model_and_copied_only_when_that_has_changed() {
    let mut desk = Desk::new(TestDatabase::sqlite());
    let model = |kinds: u32| {
        format!(
            "-- {{unique_key: id, partition_by: kind, zorder_by: id, vacuum: 0s}}\nSELECT value AS id, CAST(value % {kinds} AS INT) AS kind, CAST(1.5 AS DECIMAL(9, 2)) AS cost FROM generate_series(1, 10)"
        )
    };
    let all = counts([10, 0, 0, 0, 0]);
    desk.file("models/gold/kinds.sql", &model(2));
    desk.file(
        "models/gold/shown.sql",
        "-- materialized: view\nSELECT id FROM gold.kinds",
    );
    desk.run("models", json!({})).await;
    let outcome = desk.run("publish", to("delta")).await;
    assert_eq!(outcome.tables["gold.kinds"], all);
    let path = desk.test.home().join("out/gold.kinds");
    let files = |kind: u32| {
        let pattern = format!("{}/kind={kind}/*.parquet", path.display());
        glob::glob(&pattern).expect("a pattern").count()
    };
    assert_eq!([files(0), files(1), files(2)], [1, 1, 0]);
    let rows = "SELECT COUNT(*), SUM(cost), MIN(arrow_typeof(cost)) FROM it WHERE kind = 1";
    assert_eq!(
        delta_rows(&path, rows).await,
        ["5,7.50,\"Decimal128(9, 2)\""]
    );
    let commits = || {
        std::fs::read_dir(path.join("_delta_log"))
            .expect("a log")
            .count()
    };

    // the same again: only the view, of which nobody knows whether it changed, is copied
    let before = commits();
    let outcome = desk.run("publish", to("delta")).await;
    assert_eq!(outcome.tables["gold.kinds"], counts([0, 0, 10, 0, 0]));
    assert_eq!(outcome.tables["gold.shown"], all);
    assert_eq!(commits(), before);

    // other rows: the old ones are cleared away
    desk.file("models/gold/kinds.sql", &model(3));
    desk.run("models", json!({})).await;
    let outcome = desk.run("publish", to("delta")).await;
    assert_eq!(outcome.tables["gold.kinds"], all);
    assert_eq!([files(0), files(1), files(2)], [1, 1, 1]);
    assert_eq!(
        delta_rows(&path, rows).await,
        ["4,6.00,\"Decimal128(9, 2)\""]
    );
}

#[test]
fn where_to_is_checked() {
    let dag: Dag = serde_json::from_value(json!({
        "dag_id": "d", "description": "", "owner": "", "tags": [], "max_active_runs": 1, "dag_retries": 0, "params": {}, "tasks": [],
    }))
    .expect("a DAG");
    let operators = Operators::all();
    let kind = operators.find("publish").expect("a kind");
    let mut files = DagFiles::default();
    files.insert("models/gold/a.sql", "SELECT 1 AS a");
    for (with, expected) in [
        (json!({"to": "delta", "path": "out"}), None),
        (json!({"to": "delta"}), Some("`path` is missing")),
        (
            json!({"to": "postgres", "path": "out"}),
            Some("`path` is for files"),
        ),
        (
            json!({"to": "csv", "path": "out", "url_variable": "URL"}),
            Some("`url_variable` is for `to: postgres`"),
        ),
        (
            json!({"to": "csv", "path": "out", "select": "layer:glod"}),
            Some("no model is in layer `glod`"),
        ),
    ] {
        let mut given = json!({"select": "layer:gold"});
        let given = given.as_object_mut().expect("an object");
        given.extend(with.as_object().expect("an object").clone());
        let operator = (kind.parse)(&json!(given))
            .map_err(drop)
            .expect("parameters");
        let flaws = operator.check(&dag, &files);
        match expected {
            None => assert_eq!(flaws, []),
            Some(start) => assert!(flaws[0].message.starts_with(start), "{flaws:?}"),
        }
    }
}
