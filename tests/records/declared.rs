//! A DAG's declared tables, edited while the database has rows.

use std::sync::Arc;

use galen::base::{DagId, Result};
use galen::db::Conn;
use galen::records::{Records, Scan};

use crate::support::{TestDatabase, databases};

const FIRST: &str = "
CREATE TABLE IF NOT EXISTS wards (ward TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS beds (bed BIGINT PRIMARY KEY, made_in BIGINT NOT NULL DEFAULT 2000, width DOUBLE PRECISION);";

fn records(test: &TestDatabase, tables: &str) -> Records {
    let records = Records::open(&test.settings(), &DagId::new("sample")).expect("records");
    records.with_tables(tables)
}

async fn write(records: &Records, sql: &str) -> Result<()> {
    let mut tx = records.begin().await?;
    let conn: Conn<'_> = tx.conn()?;
    conn.run_script(sql).await?;
    tx.commit().await
}

async fn export(records: &Records, table: &str) -> String {
    let mut out = Vec::new();
    let exported = records.export(table, false, &mut out).await;
    exported.expect("exported");
    String::from_utf8(out).expect("text")
}

#[tokio::test]
async fn a_new_column_that_may_be_null_is_added_by_itself_when_somebody_writes() {
    for test in databases().await {
        let row =
            "INSERT INTO beds (bed, width) VALUES (1, 0.5); INSERT INTO wards (ward) VALUES ('A')";
        write(&records(&test, FIRST), row).await.expect("written");
        // rooms are declared after the beds that refer to them
        let second = FIRST.replace(
            "width DOUBLE PRECISION);",
            "width DOUBLE PRECISION, seen_at TIMESTAMPTZ, ward TEXT REFERENCES wards,
                 room BIGINT REFERENCES rooms (room), state TEXT CHECK (state IN ('free', 'taken')));
             CREATE TABLE IF NOT EXISTS rooms (room BIGINT PRIMARY KEY);
             CREATE INDEX IF NOT EXISTS beds_by_ward ON beds (ward);",
        );
        let records = records(&test, &second);
        // who looks changes nothing
        assert_eq!(
            export(&records, "beds").await,
            "bed,made_in,width\n1,2000,0.5\n"
        );
        let tables = records.tables().await.expect("tables");
        assert_eq!(tables.len(), 4, "{tables:?}");
        let row = "INSERT INTO rooms (room) VALUES (7);
            INSERT INTO beds (bed, seen_at, ward, room, state) VALUES (2, '2026-01-01T00:00:00.000000Z', 'A', 7, 'free')";
        write(&records, row).await.expect("written");
        for (column, value) in [("ward", "'B'"), ("room", "8"), ("state", "'lost'")] {
            let wrong = format!("INSERT INTO beds (bed, {column}) VALUES (3, {value})");
            write(&records, &wrong).await.expect_err(column);
        }
        assert_eq!(
            export(&records, "beds").await,
            "bed,made_in,width,seen_at,ward,room,state\n1,2000,0.5,,,,\n2,2000,,2026-01-01T00:00:00.000000Z,A,7,free\n"
        );
    }
}

#[tokio::test]
async fn an_edit_that_rows_cannot_follow_says_so_and_leaves_reading_alone() {
    for test in databases().await {
        let row =
            "INSERT INTO beds (bed, width) VALUES (1, 0.5); INSERT INTO wards (ward) VALUES ('A')";
        write(&records(&test, FIRST), row).await.expect("written");
        for (words, edited, expected) in [
            (
                "width DOUBLE PRECISION",
                "width TEXT",
                "column `width` of table `beds` is declared as TEXT and is DOUBLE PRECISION in the database",
            ),
            (
                "width DOUBLE PRECISION",
                "width DOUBLE PRECISION, floor BIGINT NOT NULL",
                "column `floor` of table `beds` is declared and not in the database, and cannot be added to the rows there",
            ),
            (
                "width DOUBLE PRECISION",
                "width DOUBLE PRECISION, label TEXT UNIQUE",
                "column `label` of table `beds` is declared and not in the database, and cannot be added to the rows there",
            ),
            (
                "made_in BIGINT NOT NULL",
                "made_in BIGINT",
                "column `made_in` of table `beds` is not NOT NULL both in its declaration and in the database",
            ),
            (
                "bed BIGINT PRIMARY KEY, made_in BIGINT NOT NULL",
                "bed BIGINT NOT NULL, made_in BIGINT PRIMARY KEY",
                "column `bed` of table `beds` is not in the PRIMARY KEY both in its declaration and in the database",
            ),
        ] {
            let edited = FIRST.replace(words, edited);
            let records = records(&test, &edited);
            let error = write(&records, "SELECT 1").await.expect_err(expected);
            assert_eq!(error.to_string(), expected);
            assert!(error.hint_text().is_some());
            assert_eq!(export(&records, "wards").await, "ward\nA\n");
            assert_eq!(records.tables().await.expect("tables").len(), 4);
        }
        assert_eq!(
            export(&records(&test, FIRST), "beds").await,
            "bed,made_in,width\n1,2000,0.5\n"
        );
    }
}

#[tokio::test]
async fn postgres_is_told_names_in_small_letters() {
    for test in databases().await {
        let tables = "CREATE TABLE IF NOT EXISTS rooms (RoomName TEXT PRIMARY KEY)";
        let written = write(&records(&test, tables), "SELECT 1").await;
        match test.settings().database_url {
            None => written.expect("SQLite keeps them as they are"),
            Some(_) => {
                let error = format!("{:?}", written.expect_err("capitals"));
                assert!(
                    error.contains("column `RoomName` of table `rooms`"),
                    "{error}"
                );
                assert!(error.contains("small letters"), "{error}");
            }
        }
    }
}

#[tokio::test]
async fn a_change_does_not_wait_for_ever_for_who_reads() {
    for test in databases().await {
        write(&records(&test, FIRST), "SELECT 1")
            .await
            .expect("written");
        let before = records(&test, FIRST);
        let snapshot = before.snapshot().await.expect("a snapshot");
        snapshot.columns("beds").await.expect("read");
        let scan = Scan {
            table: "beds".to_owned(),
            columns: Vec::new(),
            conditions: Vec::new(),
        };
        let snapshot = Arc::new(snapshot);
        snapshot.scan(scan).next().await.expect("scanned");
        let second = FIRST.replace(
            "width DOUBLE PRECISION",
            "width DOUBLE PRECISION, floor BIGINT",
        );
        let written = write(&records(&test, &second), "SELECT 1").await;
        match test.settings().database_url {
            None => written.expect("SQLite changes a table beside readers"),
            Some(_) => {
                let error = written.expect_err("somebody reads");
                assert!(error.is_transient(), "{error:?}");
                // whoever reads can go on
                write(&before, "SELECT 1").await.expect("not held up");
                drop(snapshot);
                write(&records(&test, &second), "SELECT 1")
                    .await
                    .expect("now");
            }
        }
    }
}
