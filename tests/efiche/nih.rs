//! The real NIH ChestX-ray14 file: what is in it is in the tables, and nothing is invented.

use super::home::Home;
use crate::support::{TestDatabase, counts, databases, shared_data};

const FILE: &str = "nih-chestxray14/Data_Entry_2017_v2020.csv.gz";

/// The column `name` of a CSV export.
fn column(export: &str, name: &str) -> Vec<String> {
    let mut reader = csv::Reader::from_reader(export.as_bytes());
    let headers = reader.headers().expect("a header").clone();
    let place = headers.iter().position(|h| h == name).expect(name);
    let record = |r: csv::Result<csv::StringRecord>| r.expect("a record")[place].to_owned();
    reader.records().map(record).collect()
}

async fn loaded(test: TestDatabase, batch_size: usize) -> Option<Home> {
    let path = shared_data(FILE)?;
    let home = Home::new(test);
    let staged = home.stage("nih", path.to_str().expect("a path")).await;
    assert_eq!(staged.counts, counts([112_120, 0, 0, 0, 0]));
    let outcome = home.load("nih", batch_size, 0).await;
    assert_eq!(outcome.counts, counts([112_120, 0, 0, 0, 0]));
    assert_eq!(outcome.tables["patients"].inserted, 30_805);
    assert_eq!(outcome.tables["diagnoses"].inserted, 141_537);
    Some(home)
}

#[tokio::test]
async fn every_image_and_label_arrives_once() {
    let Some(home) = loaded(TestDatabase::sqlite(), 5_000).await else {
        return;
    };
    let labels = column(&home.export("diagnoses").await, "label");
    assert_eq!(labels.len(), 141_537);
    let normal = labels.iter().filter(|label| *label == "No Finding");
    assert_eq!(normal.count(), 60_361);
    let encounters = home.export("encounters").await;
    assert!(
        column(&encounters, "encounter_date")
            .iter()
            .all(String::is_empty)
    );
    assert!(
        column(&encounters, "patient_age")
            .iter()
            .all(|age| age.parse::<u8>().is_ok())
    );
    let patients = home.export("patients").await;
    assert!(column(&patients, "birth_year").iter().all(String::is_empty));
    let codes = column(&home.export("diagnosis_codes").await, "code_system");
    assert_eq!(codes.iter().filter(|system| *system != "ICD-10").count(), 1);
}

#[tokio::test]
#[ignore = "minutes in a debug build; `cargo test --release -- --ignored every_database`"]
async fn every_database_and_batch_size_gives_the_same_tables() {
    let mut exports = Vec::new();
    for test in databases().await {
        let Some(home) = loaded(test, 500).await else {
            return;
        };
        exports.push(home.everything().await);
    }
    let Some(home) = loaded(TestDatabase::sqlite(), 7_777).await else {
        return;
    };
    exports.push(home.everything().await);
    assert!(exports.windows(2).all(|pair| pair[0] == pair[1]));
}
