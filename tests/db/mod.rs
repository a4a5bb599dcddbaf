//! Tests: the two databases behind one interface.

use chrono::{DateTime, NaiveDate, Utc};
use galen::db::{Database, Rows};
use galen::on_conn;

use crate::support::{Cluster, TestDatabase, databases};

const TABLE: &str = "CREATE TABLE t (n BIGINT PRIMARY KEY, label TEXT, at {time}, day DATE, ok BOOLEAN, x DOUBLE PRECISION)";

async fn with_table(test: &TestDatabase) -> Database {
    let database = Database::metadata(&test.settings()).expect(test.name);
    database.create().await.expect(test.name);
    let time = if database.is_postgres() {
        "TIMESTAMPTZ"
    } else {
        "TEXT"
    };
    let mut tx = database.begin().await.expect(test.name);
    tx.conn()
        .expect(test.name)
        .run_script(&TABLE.replace("{time}", time))
        .await
        .expect(test.name);
    tx.commit().await.expect(test.name);
    database
}

async fn insert(database: &Database, rows: &Rows<'_>) -> galen::base::Result<u64> {
    let mut tx = database.begin().await?;
    let sql = "INSERT INTO t (n, label) SELECT n, label FROM ({rows}) AS v";
    let written = rows.execute(tx.conn()?, sql).await?;
    tx.commit().await?;
    Ok(written)
}

async fn count(database: &Database) -> i64 {
    let mut read = database.read().await.expect("a connection");
    on_conn!(read.conn().expect("open"), c => sqlx::query_scalar("SELECT COUNT(*) FROM t").fetch_one(&mut *c).await)
        .expect("a count")
}

#[tokio::test]
async fn rows_come_back_with_their_types_and_nulls() {
    type Row = (
        i64,
        Option<String>,
        Option<DateTime<Utc>>,
        Option<NaiveDate>,
        Option<bool>,
        Option<f64>,
    );
    let at = DateTime::from_timestamp_micros(1_700_000_000_123_456);
    let day = NaiveDate::from_ymd_opt(2024, 2, 29);
    for test in databases().await {
        let database = with_table(&test).await;
        let rows = Rows::new()
            .int("n", [1, 2])
            .nullable_text("label", [Some("één"), None])
            .time("at", [at, None])
            .date("day", [day, None])
            .bool("ok", [Some(true), None])
            .float("x", [Some(0.1), None]);
        let mut tx = database.begin().await.expect(test.name);
        let sql = "INSERT INTO t (n, label, at, day, ok, x) SELECT n, label, at, day, ok, x FROM ({rows}) AS v RETURNING n, label, at, day, ok, x";
        let mut back: Vec<Row> = rows
            .fetch(tx.conn().expect("open"), sql)
            .await
            .expect(test.name);
        tx.commit().await.expect(test.name);
        back.sort_by_key(|row| row.0);
        let expected = vec![
            (1, Some("één".to_owned()), at, day, Some(true), Some(0.1)),
            (2, None, None, None, None, None),
        ];
        assert_eq!(back, expected, "{}", test.name);
    }
}

#[tokio::test]
async fn a_dropped_transaction_leaves_nothing() {
    for test in databases().await {
        let database = with_table(&test).await;
        for keep in [false, true] {
            let mut tx = database.begin().await.expect(test.name);
            let rows = Rows::new()
                .int("n", 0..1_300)
                .nullable_text("label", [None::<&str>; 1_300]);
            let sql = "INSERT INTO t (n, label) SELECT n, label FROM ({rows}) AS v";
            rows.execute(tx.conn().expect("open"), sql)
                .await
                .expect(test.name);
            if keep {
                tx.commit().await.expect(test.name);
            }
        }
        assert_eq!(count(&database).await, 1_300, "{}", test.name);
    }
}

#[tokio::test]
async fn an_error_names_the_constraint_and_not_the_value() {
    for test in databases().await {
        let database = with_table(&test).await;
        let rows = Rows::new()
            .int("n", [424_242, 424_242])
            .text("label", ["secret", "secret"]);
        let error = insert(&database, &rows).await.expect_err(test.name);
        assert!(!error.is_transient(), "{error}");
        let text = error.to_string();
        assert!(
            !text.contains("secret") && !text.contains("424242"),
            "{text}"
        );
        assert_eq!(count(&database).await, 0, "{}", test.name);
    }
}

#[tokio::test]
async fn readers_see_what_was_committed_while_a_writer_is_at_work() {
    for test in databases().await {
        let database = with_table(&test).await;
        let mut tx = database.begin().await.expect(test.name);
        let rows = Rows::new().int("n", [1]);
        rows.execute(
            tx.conn().expect("open"),
            "INSERT INTO t (n) SELECT n FROM ({rows}) AS v",
        )
        .await
        .expect(test.name);
        assert_eq!(count(&database).await, 0, "{}", test.name);
        tx.commit().await.expect(test.name);
        assert_eq!(count(&database).await, 1, "{}", test.name);
    }
}

#[tokio::test]
async fn a_file_that_does_not_exist_is_not_made_by_reading() {
    let test = TestDatabase::sqlite();
    let database = Database::metadata(&test.settings()).expect("settings");
    assert!(!database.exists().await.expect("a look"));
    let error = database.read().await.expect_err("no file");
    assert!(
        error.to_string().ends_with("galen.db` does not exist"),
        "{error}"
    );
    assert!(!database.exists().await.expect("a look"));
}

#[tokio::test]
async fn a_lost_server_is_a_transient_error_and_its_return_heals() {
    let Some(cluster) = Cluster::new() else {
        return;
    };
    let test = TestDatabase::on_cluster(&cluster).await;
    let database = with_table(&test).await;
    let mut tx = database.begin().await.expect("a transaction");
    cluster.stop();
    let rows = Rows::new()
        .int("n", [1])
        .nullable_text("label", [None::<&str>]);
    let sql = "INSERT INTO t (n, label) SELECT n, label FROM ({rows}) AS v";
    let lost = rows
        .execute(tx.conn().expect("open"), sql)
        .await
        .expect_err("lost");
    assert!(lost.is_transient(), "{lost}");
    drop(tx);
    cluster.start();
    assert_eq!(insert(&database, &rows).await.expect("healed"), 1);
}

#[tokio::test]
async fn a_full_disk_of_the_server_is_said_with_a_way_out() {
    let Some(test) = TestDatabase::postgres().await else {
        return;
    };
    let database = with_table(&test).await;
    let mut tx = database.begin().await.expect("a transaction");
    let full =
        "DO $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$";
    let error = tx.conn().expect("open").run_script(full).await;
    let error = error.expect_err("the disk is full");
    assert!(error.is_transient());
    assert_eq!(
        format!("{error:?}"),
        "the disk of the database is full\nhint: make room; the work goes on by itself"
    );
}
