//! `generate` as a task: twice gives the same bytes, and every row is counted.

use galen::operators::{Outcome, Verdict};
use serde_json::json;

use crate::support::{TestDatabase, Try};

const DECLARATION: &str = "
tables:
- name: things
  rows: 20
  columns:
  - {name: id, text: '{day}-{row}'}
  - {name: size, number: {min: 0, max: 5, decimals: 2, normal: {mean: 2, sd: 1}}}
- name: parts
  parent: things
  fan_out: {1: 1, 2: 1}
  columns:
  - {name: thing, text: '{things.id}'}
";

async fn generate(database: &TestDatabase) -> Outcome {
    let attempt = Try {
        database,
        files: &[("generate.yaml", DECLARATION)],
        operator: "generate",
        with: json!({"file": "generate.yaml", "out": "state/generated/2026-01-01", "rows": 50}),
    };
    match attempt.run().await {
        Ok(Verdict::Done(outcome)) => outcome,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_second_try_changes_nothing() {
    let database = TestDatabase::sqlite();
    let file = database.home().join("state/generated/2026-01-01/parts.csv");
    let first = generate(&database).await;
    let bytes = std::fs::read(&file).expect("the file");
    let second = generate(&database).await;
    assert_eq!(std::fs::read(&file).expect("the file"), bytes);
    assert!(bytes.starts_with(b"thing\n20260101-1\n"));
    assert!(first.counts.balances() && second.counts.balances());
    assert_eq!(first.tables["things"].inserted, 50);
    assert_eq!(first.counts.inserted, second.counts.unchanged);
    assert_eq!(second.counts.inserted, 0);
}
