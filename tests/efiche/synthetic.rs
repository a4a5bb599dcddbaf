//! The synthetic clinic from declaration to tables: what was planted is what is found, and every row says what it is.

use std::collections::BTreeMap;
use std::path::Path;

use galen::base::DagId;
use galen::records::Records;
use serde_json::Value;

use crate::cli::galen::{command, said};
use crate::support::{TestDatabase, copy, databases};

const TABLES: [&str; 5] = [
    "facilities",
    "patients",
    "encounters",
    "procedures",
    "diagnoses",
];

/// Runs `galen` on a database; its data as JSON.
fn galen(database: &TestDatabase, args: &[&str]) -> Value {
    let mut command = command(database.home(), args);
    if let Some(url) = database.url() {
        command.env("GALEN_DATABASE_URL", url);
    }
    let said = said(command);
    assert_eq!(said.code, 0, "{args:?}\n{said}");
    serde_json::from_str(&said.out).unwrap_or(Value::String(said.out))
}

/// Counts of each task by name, added up over runs that take 2,000 records of each source, until nothing is left.
fn run_to_the_end(database: &TestDatabase) -> BTreeMap<String, u64> {
    let mut sums: BTreeMap<String, u64> = BTreeMap::new();
    for _ in 0..10 {
        let run = [
            "run",
            "efiche",
            "--date",
            "2026-01-01",
            "--json",
            "--task",
            "+load_synthetic_procedures +load_synthetic_diagnoses",
        ];
        let with = ["--param", "scale=small", "--param", "max_rows=2000"];
        let tasks = galen(database, &[&run[..], &with[..]].concat());
        let mut taken = 0;
        for task in tasks.as_array().expect("tasks") {
            let name = task["task"].as_str().expect("a name");
            for column in ["read", "inserted", "duplicate", "quarantined"] {
                let count = task[column].as_u64().unwrap_or_default();
                *sums.entry(format!("{name} {column}")).or_default() += count;
                if name.starts_with("load_") && column == "read" {
                    taken += count;
                }
            }
        }
        if taken == 0 {
            return sums;
        }
    }
    panic!("there is always something left: {sums:?}");
}

/// Number of rows that the answer key in `folder` says should become this.
fn planted(folder: &Path, table: &str, expect: &str) -> u64 {
    let key = std::fs::read_to_string(folder.join("answer_key.json")).expect("the answer key");
    let key: Vec<Value> = serde_json::from_str(&key).expect("JSON");
    let lines = key
        .iter()
        .filter(|line| line["table"] == table && line["expect"] == expect);
    lines.filter_map(|line| line["rows"].as_u64()).sum()
}

/// Rows of `table`, all of which must be marked as synthetic.
async fn synthetic_rows(database: &TestDatabase, table: &str) -> u64 {
    let tables = std::fs::read_to_string(database.home().join("dags/efiche/tables.sql"));
    let records = Records::open(&database.settings(), &DagId::new("efiche")).expect("records");
    let records = records.with_tables(tables.expect("tables"));
    let mut out = Vec::new();
    let rows = records
        .export(table, false, &mut out)
        .await
        .expect("exported");
    let mut reader = csv::Reader::from_reader(&out[..]);
    let source = reader
        .headers()
        .expect("a header")
        .iter()
        .position(|name| name == "source");
    let source = source.expect("the column");
    assert!(
        reader
            .records()
            .all(|row| row.expect("a row")[source] == *"synthetic")
    );
    rows
}

#[tokio::test]
async fn what_was_planted_is_what_is_found() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for database in databases().await {
        copy(
            &root.join("dags/efiche"),
            &database.home().join("dags/efiche"),
        );
        let sums = run_to_the_end(&database);
        let folder = database.home().join("state/generated/2026-01-01");
        let planted = |table: &str, expect: &str| planted(&folder, table, expect);
        for table in TABLES {
            let count =
                |verb: &str, column: &str| sums[&format!("{verb}_synthetic_{table} {column}")];
            let place = format!("{table} on {}", database.name);
            assert_eq!(
                count("stage", "duplicate"),
                planted(table, "duplicate"),
                "{place}"
            );
            assert_eq!(
                count("load", "quarantined"),
                planted(table, "quarantined"),
                "{place}"
            );
            assert_eq!(count("load", "read"), count("stage", "inserted"), "{place}");
            let left = count("load", "read") - count("load", "quarantined");
            assert_eq!(count("load", "inserted"), left, "{place}");
            let rows = synthetic_rows(&database, table).await;
            assert_eq!(rows, left, "{place}");
        }
        assert!(planted("diagnoses", "quarantined") > 5);
    }
}

#[tokio::test]
async fn the_sample_file_ends_as_its_answer_key_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for database in databases().await {
        copy(
            &root.join("dags/efiche"),
            &database.home().join("dags/efiche"),
        );
        copy(
            &root.join("data_sample"),
            &database.home().join("data_sample"),
        );
        let run = [
            "run",
            "efiche",
            "--date",
            "2026-01-01",
            "--json",
            "--task",
            "+load_padchest",
        ];
        let tasks = galen(&database, &run);
        let count = |name: &str, column: &str| {
            let mut tasks = tasks.as_array().expect("tasks").iter();
            let task = tasks.find(|task| task["task"] == name).expect("the task");
            task[column].as_u64().expect("a count")
        };
        let planted = |expect| planted(&root.join("data_sample/padchest"), "images", expect);
        assert_eq!(count("stage_padchest", "duplicate"), planted("duplicate"));
        assert_eq!(
            count("load_padchest", "quarantined"),
            planted("quarantined")
        );
    }
}
