//! PadChest by its contract: the 16 rows of the shared sample, worked out by hand.

use std::future::{Future, poll_fn};
use std::task::Poll;

use galen::base::{RunId, TaskId};
use galen::records::{Batch, Batches, Delivered, QuarantineFilter, Writer};

use super::home::Home;
use crate::support::{TestDatabase, counts, databases, shared_data};

fn sample() -> Option<String> {
    let path = shared_data("padchest/padchest_shaped.csv")?;
    Some(std::fs::read_to_string(path).expect("the sample"))
}

/// The records of the sample, a line break inside a field included.
fn records(sample: &str) -> (String, Vec<String>) {
    let mut lines = sample.lines();
    let header = lines.next().expect("a header").to_owned();
    let mut records: Vec<String> = Vec::new();
    for line in lines {
        match line
            .split(',')
            .next()
            .is_some_and(|n| n.parse::<u32>().is_ok())
        {
            true => records.push(line.to_owned()),
            false => {
                let last = records.last_mut().expect("a record");
                *last = format!("{last}\n{line}");
            }
        }
    }
    (header, records)
}

async fn loaded(test: TestDatabase, file: &str, batch_size: usize) -> Home {
    let home = Home::new(test);
    home.write("p.csv", file);
    home.stage("padchest", "p.csv").await;
    home.load("padchest", batch_size, 0).await;
    home
}

#[tokio::test]
async fn every_row_of_the_sample_ends_where_the_contract_says() {
    let Some(sample) = sample() else { return };
    let mut exports = Vec::new();
    for test in databases().await {
        let mut home = Home::new(test);
        home.write("p.csv", &sample);
        let staged = home.stage("padchest", "p.csv").await;
        assert_eq!(staged.counts.read, 16);
        let outcome = home.load("padchest", 500, 0).await;
        assert_eq!(outcome.counts, counts([11, 0, 0, 1, 4]));
        let rows = |table: &str| outcome.tables[table].inserted;
        assert_eq!(rows("facilities"), 1);
        assert_eq!(rows("patients"), 10);
        assert_eq!(rows("encounters"), 10);
        assert_eq!(rows("reports"), 10);
        assert_eq!(rows("procedures"), 11);
        // 1 + 6 + 2 + 0 (unknown) + 0 (none) + 2 + 1 + 1 + 1 + 2
        assert_eq!(rows("diagnoses"), 16);
        assert_eq!(
            home.reasons().await,
            [
                (12, r#"["age_out_of_range"]"#.to_owned()),
                (16, r#"["sex_conflict"]"#.to_owned()),
                (17, r#"["bad_date"]"#.to_owned()),
                (18, r#"["list_syntax"]"#.to_owned()),
            ]
        );
        let again = home.load("padchest", 500, 0).await;
        assert_eq!(again.counts, outcome.counts, "the same run tells the same");
        home.run = 2;
        let next = home.load("padchest", 500, 0).await;
        assert_eq!(next.counts.read, 0);
        exports.push(home.everything().await);
    }
    assert!(exports.windows(2).all(|pair| pair[0] == pair[1]));
    let diagnoses = &exports[0]["diagnoses"];
    assert!(
        diagnoses.contains(",pneumonia,2016-01-01,false,RNN_model"),
        "{diagnoses}"
    );
    assert!(
        diagnoses.contains(",\"\",2016-01-04,false,Physician"),
        "{diagnoses}"
    );
    assert!(exports[0]["diagnosis_codes"].contains("ICD-10,J18.9,"));
    assert!(exports[0]["reports"].contains(r#""[""C0034069"",""C0742362"""#));
}

#[tokio::test]
async fn the_same_records_again_change_nothing() {
    let Some(sample) = sample() else { return };
    for test in databases().await {
        let mut home = loaded(test, &sample, 500).await;
        let before = (home.everything().await, home.export("audit_log").await);
        let reasons = home.reasons().await;
        let mut tx = home.records.begin().await.expect("a transaction");
        let again = "UPDATE padchest_staging SET _processed = FALSE";
        let conn = tx.conn().expect("open");
        conn.run_script(again).await.expect("marked");
        tx.commit().await.expect("committed");
        home.run = 2;
        let outcome = home.load("padchest", 3, 0).await;
        assert_eq!(outcome.counts, counts([0, 0, 12, 0, 4]));
        let after = (home.everything().await, home.export("audit_log").await);
        assert!(before == after, "{}", home.test.name);
        assert_eq!(home.reasons().await, reasons);
    }
}

#[tokio::test]
async fn neither_order_nor_batches_nor_database_show_in_the_tables() {
    let Some(sample) = sample() else { return };
    let (header, mut records) = records(&sample);
    let expected = loaded(TestDatabase::sqlite(), &sample, 500)
        .await
        .everything()
        .await;
    for batch_size in [1, 7, 5_000] {
        for test in databases().await {
            let home = loaded(test, &sample, batch_size).await;
            assert_eq!(
                home.everything().await,
                expected,
                "{} {batch_size}",
                home.test.name
            );
        }
    }
    for turn in [3, 8] {
        records.rotate_left(turn);
        records.reverse();
        let file = format!("{header}\n{}\n", records.join("\n"));
        let home = loaded(TestDatabase::sqlite(), &file, 3).await;
        assert_eq!(home.everything().await, expected, "turned by {turn}");
    }
}

#[tokio::test]
async fn a_task_cut_off_between_batches_goes_on_where_it_was() {
    let Some(sample) = sample() else { return };
    for test in databases().await {
        let home = Home::new(test);
        home.write("p.csv", &sample);
        home.stage("padchest", "p.csv").await;
        let whole = loaded(TestDatabase::sqlite(), &sample, 2).await;
        // each try is dropped at another place of its way
        for polls in (3..).step_by(5) {
            let mut task = Box::pin(home.try_load("padchest", 2, 0));
            let mut left = polls;
            let outcome = poll_fn(|context| {
                left -= 1;
                match task.as_mut().poll(context) {
                    Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
                    Poll::Pending if left == 0 => Poll::Ready(None),
                    Poll::Pending => Poll::Pending,
                }
            });
            if let Some(outcome) = outcome.await {
                let counted = outcome.expect("loaded").counts;
                assert_eq!(counted, counts([11, 0, 0, 1, 4]));
                break;
            }
        }
        assert_eq!(home.everything().await, whole.everything().await);
        let head = home.records.audit_head().await.expect("a head");
        let report = home
            .records
            .verify_audit(head.as_slice())
            .await
            .expect("holds");
        assert_eq!((report.batches, report.anchors), (8, 1));
    }
}

#[tokio::test]
async fn a_run_takes_no_more_than_it_is_told() {
    let Some(sample) = sample() else { return };
    let mut home = Home::new(TestDatabase::sqlite());
    home.write("p.csv", &sample);
    home.stage("padchest", "p.csv").await;
    for (run, read) in [(1, 6), (2, 6), (3, 4), (4, 0)] {
        home.run = run;
        assert_eq!(home.load("padchest", 4, 6).await.counts.read, read);
    }
    let whole = loaded(TestDatabase::sqlite(), &sample, 500).await;
    assert_eq!(home.everything().await, whole.everything().await);
}

#[tokio::test]
async fn a_replayed_record_leaves_quarantine_when_the_rule_lets_it() {
    let Some(sample) = sample() else { return };
    for test in databases().await {
        let mut home = loaded(test, &sample, 500).await;
        home.edit(
            "targets/padchest.yaml",
            "where: age BETWEEN 0 AND 120 OR age IS NULL",
            "where: ImageID IS NOT NULL",
        );
        home.edit(
            "targets/padchest.yaml",
            "patient_age: age",
            "patient_age: ABS(age)",
        );
        home.edit(
            "targets/padchest.yaml",
            "birth_year: birth_year, age: age,",
            "birth_year: birth_year,",
        );
        let replayed = home
            .records
            .replay(&QuarantineFilter::default())
            .await
            .expect("replayed");
        assert_eq!((replayed.waiting, replayed.unreadable), (4, 0));
        home.run = 2;
        let outcome = home.load("padchest", 500, 0).await;
        assert_eq!(outcome.counts, counts([1, 0, 0, 0, 3]));
        let lines: Vec<i64> = home.reasons().await.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [16, 17, 18]);
    }
}

#[tokio::test]
async fn a_row_is_traced_to_its_line_and_through_its_changes() {
    let Some(sample) = sample() else { return };
    for test in databases().await {
        let mut home = loaded(test, &sample, 500).await;
        let changed = sample.replace("_iiiiii.png,14,20160106", "_iiiiii.png,14,20160107");
        home.write("q.csv", &changed);
        home.run = 2;
        home.stage("padchest", "q.csv").await;
        let outcome = home.load("padchest", 500, 0).await;
        assert!(
            outcome.tables["encounters"].updated >= 1,
            "{:?}",
            outcome.tables
        );
        let encounters = home.export("encounters").await;
        let line = encounters
            .lines()
            .find(|line| line.contains(",2016-01-07,"))
            .expect("changed");
        let key = line.split(',').next().expect("a key");
        let trace = home.records.trace("encounters", key).await.expect("traced");
        let record = trace.record.expect("a record");
        assert_eq!((record.file.as_str(), record.line), ("q.csv", 11));
        assert_eq!(record.file_hash, galen::base::sha256(&changed).to_string());
        let batch = trace.batch.expect("a batch");
        assert_eq!(
            (batch.run_id.as_str(), batch.task_id.as_str()),
            ("efiche__manual__2", "load_padchest")
        );
        assert!(
            batch.steps.contains("agree sex_conflict"),
            "{}",
            batch.steps
        );
        let operations: Vec<&str> = trace
            .history
            .iter()
            .map(|row| row.operation.as_str())
            .collect();
        assert_eq!(operations, ["update", "insert"]);
        assert_eq!(
            trace.history[0].old_values.as_deref(),
            Some(r#"{"encounter_date":"2016-01-06"}"#)
        );
        let error = home
            .records
            .trace("encounters", "nobody")
            .await
            .expect_err("nobody");
        assert_eq!(
            error.to_string(),
            "table `encounters` has no row with this key"
        );
    }
}

#[tokio::test]
async fn records_that_somebody_else_processed_are_not_processed_again() {
    let Some(sample) = sample() else { return };
    for test in databases().await {
        let home = Home::new(test);
        home.write("p.csv", &sample);
        home.stage("padchest", "p.csv").await;
        let writer = Writer {
            run_id: RunId::new("r"),
            task_id: TaskId::new("t"),
            try_number: 1,
            source_table: "padchest_staging".to_owned(),
            rules: galen::base::sha256("rules"),
        };
        let delivered = [1, 2, 3].map(|row_id| Delivered { chunk: 1, row_id });
        let batch = || Batch {
            delivered: &delivered,
            reasons: vec![Vec::new(); 3],
            expected: Default::default(),
            tables: Vec::new(),
            main: 0,
        };
        let mut batches = Batches::new(home.records.clone(), writer);
        let at = chrono::DateTime::UNIX_EPOCH;
        batches.write(batch(), at).await.expect("written");
        batches.commit().await.expect("kept");
        let error = batches.write(batch(), at).await.expect_err("again");
        assert!(error.is_transient(), "{error}");
        assert!(
            error.to_string().contains("processed or put back"),
            "{error}"
        );
        batches.commit().await.expect("nothing to keep");
        let head = home.records.audit_head().await.expect("head");
        assert_eq!(
            head.map(|head| head.batch),
            Some(1),
            "nothing of the second"
        );
    }
}
