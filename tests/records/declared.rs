//! A DAG's declared tables, edited while the database has rows.

use galen::base::{DagId, Result};
use galen::db::Conn;
use galen::records::Records;

use crate::support::{TestDatabase, databases};

const FIRST: &str = "
CREATE TABLE IF NOT EXISTS wards (ward TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS beds (bed BIGINT PRIMARY KEY, width DOUBLE PRECISION);";

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
async fn a_new_column_that_may_be_null_is_added_by_itself() {
    for test in databases().await {
        let row =
            "INSERT INTO beds (bed, width) VALUES (1, 0.5); INSERT INTO wards (ward) VALUES ('A')";
        write(&records(&test, FIRST), row).await.expect("written");
        let second = FIRST.replace(
            "width DOUBLE PRECISION);",
            "width DOUBLE PRECISION, seen_at TIMESTAMPTZ, ward TEXT REFERENCES wards);
             CREATE INDEX IF NOT EXISTS beds_by_ward ON beds (ward);",
        );
        let records = records(&test, &second);
        assert_eq!(
            export(&records, "beds").await,
            "bed,width,seen_at,ward\n1,0.5,,\n"
        );
        let row =
            "INSERT INTO beds (bed, seen_at, ward) VALUES (2, '2026-01-01T00:00:00.000000Z', 'A')";
        write(&records, row).await.expect("written");
        let orphan = "INSERT INTO beds (bed, ward) VALUES (3, 'B')";
        write(&records, orphan).await.expect_err("no such ward");
        assert_eq!(
            export(&records, "beds").await,
            "bed,width,seen_at,ward\n1,0.5,,\n2,,2026-01-01T00:00:00.000000Z,A\n"
        );
    }
}

#[tokio::test]
async fn an_edit_that_rows_cannot_follow_says_so_and_leaves_reading_alone() {
    for test in databases().await {
        let row =
            "INSERT INTO beds (bed, width) VALUES (1, 0.5); INSERT INTO wards (ward) VALUES ('A')";
        write(&records(&test, FIRST), row).await.expect("written");
        for (edited, expected) in [
            (
                "width TEXT",
                "column `width` of table `beds` is declared as TEXT and is DOUBLE PRECISION in the database",
            ),
            (
                "width DOUBLE PRECISION, floor BIGINT NOT NULL",
                "column `floor` of table `beds` is declared and not in the database, and cannot be added to the rows there",
            ),
        ] {
            let edited = FIRST.replace("width DOUBLE PRECISION", edited);
            let records = records(&test, &edited);
            let error = write(&records, "SELECT 1").await.expect_err(expected);
            assert_eq!(error.to_string(), expected);
            assert!(error.hint_text().is_some());
            assert_eq!(export(&records, "wards").await, "ward\nA\n");
            assert_eq!(records.tables().await.expect("tables").len(), 4);
        }
        assert_eq!(
            export(&records(&test, FIRST), "beds").await,
            "bed,width\n1,0.5\n"
        );
    }
}
