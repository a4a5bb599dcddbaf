//! However the same input arrives and is taken: the same tables.

use super::home::{Home, assert_same, sample, undisturbed};
use crate::support::{TestDatabase, databases};

#[tokio::test]
async fn batch_sizes_and_databases_do_not_show() {
    let expected = undisturbed().await;
    for size in [1, 7, 5_000] {
        for test in databases().await {
            if (size, test.name) == (1, "postgres") {
                continue; // thousands of commits to a disk say no more than 7 at a time do
            }
            let place = format!("{} by {size}", test.name);
            let home = Home::new(test);
            home.edit(
                "dag.yaml",
                "batch_size: 500",
                &format!("batch_size: {size}"),
            );
            home.run_to_the_end();
            assert_same(&home.exports().await, expected, &place);
        }
    }
}

#[tokio::test]
async fn without_versions_the_later_delivery_stays_in_batches_of_any_size() {
    let mut first = None;
    for (size, test) in [500, 1, 7, 5_000].map(|size| (size, TestDatabase::sqlite())) {
        let home = Home::new(test);
        let versions = "    version_by: [study_date, ImageID]\n";
        home.edit("targets/padchest.yaml", versions, "");
        let batches = format!("batch_size: {size}");
        home.edit("dag.yaml", "batch_size: 500", &batches);
        home.run_to_the_end();
        let exports = home.exports().await;
        let expected = first.get_or_insert_with(|| exports.clone());
        assert_same(&exports, expected, &batches);
    }
    let with_versions = &undisturbed().await["patients"];
    assert_ne!(
        first.expect("exports")["patients"],
        *with_versions,
        "nobody was delivered twice"
    );
}

#[tokio::test]
async fn taken_bit_by_bit_and_again_and_again() {
    let expected = undisturbed().await;
    for test in databases().await {
        let home = Home::new(test);
        for _ in 0..3 {
            home.galen(&["run", "efiche", "--param", "max_rows=170"]);
        }
        home.run_to_the_end();
        home.run_to_the_end();
        assert_same(&home.exports().await, expected, home.test.name);
    }
}

#[tokio::test]
async fn the_order_of_files_does_not_show() {
    let expected = undisturbed().await;
    let (header, records) = sample();
    // neighbours, which may contradict each other, come in files and batches of their own
    let part = |rest| records[..600].iter().skip(rest).step_by(3).cloned();
    let parts: Vec<Vec<_>> = (0..3).map(|rest| part(rest).collect()).collect();
    for names in [["a", "b", "c"], ["c", "a", "b"], ["b", "c", "a"]] {
        let home = Home::new(TestDatabase::sqlite());
        home.edit("dag.yaml", "batch_size: 500", "batch_size: 50");
        std::fs::remove_dir_all(home.path("data_sample")).expect("removed");
        for (name, part) in names.iter().zip(&parts) {
            home.deliver_as(&format!("data_sample/padchest/{name}.csv"), &header, part);
        }
        home.run_to_the_end();
        assert_same(&home.exports().await, expected, &format!("{names:?}"));
    }
}

/// Three days of the synthetic clinic, which delivers new rows every day.
const DAYS: [&str; 4] = ["--from", "2026-01-05", "--to", "2026-01-07"];

#[tokio::test]
async fn day_by_day_is_as_good_as_all_at_once() {
    let by_day = Home::new(TestDatabase::sqlite());
    let backfill = |home: &Home, way: &[&str]| {
        let params = ["--param", "synthetic_date=", "--param", "max_rows=0"];
        home.galen(&[&["backfill", "efiche"], &DAYS[..], &params, way].concat());
    };
    backfill(&by_day, &[]);
    let expected = by_day.exports().await;
    let folders = by_day.path("state/generated").read_dir().expect("days");
    assert_eq!(folders.count(), 3);

    for test in databases().await {
        let backwards = Home::new(test);
        backfill(&backwards, &["--backwards"]);
        let place = format!("backwards on {}", backwards.test.name);
        assert_same(&backwards.exports().await, &expected, &place);
    }

    let at_once = Home::new(TestDatabase::sqlite());
    crate::support::copy(&by_day.path("state/generated"), &at_once.path("days"));
    at_once.edit(
        "dag.yaml",
        "csv: \"state/generated/{{ params.synthetic_date or ds }}/",
        "csv: \"days/*/",
    );
    // the clinic of another day, which nobody reads
    at_once.run_to_the_end();
    assert_same(&at_once.exports().await, &expected, "at once");
}

/// Puts one file of five days into the home folder, 120 records each. Dates that cannot be read stay so.
fn deliver_five_days(home: &Home) {
    let (header, sample) = sample();
    let column = header.iter().position(|name| name == "StudyDate_DICOM");
    let column = column.expect("a date");
    let dated = |(number, record): (usize, &csv::StringRecord)| {
        let day = format!("202601{:02}", 5 + number / 120);
        let sound = record[column].len() == day.len();
        let fields = record.iter().enumerate();
        let fields = fields.map(|(place, text)| match place == column && sound {
            true => day.as_str(),
            false => text,
        });
        csv::StringRecord::from_iter(fields)
    };
    let records: Vec<_> = sample[..600].iter().enumerate().map(dated).collect();
    home.deliver_as(
        "data_sample/padchest/padchest_shaped.csv",
        &header,
        &records,
    );
}

#[tokio::test]
async fn a_file_shared_by_days_is_as_good_as_one_load() {
    let at_once = Home::new(TestDatabase::sqlite());
    deliver_five_days(&at_once);
    at_once.run_to_the_end();
    let expected = at_once.exports().await;
    for test in databases().await {
        let by_day = Home::new(test);
        deliver_five_days(&by_day);
        by_day.edit(
            "dag.yaml",
            "into: padchest_staging, key",
            "into: padchest_staging, partition: {column: StudyDate_DICOM, format: '%Y%m%d'}, key",
        );
        let span = ["--from", "2026-01-05", "--to", "2026-01-09"];
        by_day.galen(
            &[
                &["backfill", "efiche"],
                &span[..],
                &["--param", "max_rows=0"],
            ]
            .concat(),
        );
        let place = format!("by day on {}", by_day.test.name);
        assert_same(&by_day.exports().await, &expected, &place);
        // each day took its own, and no day all
        let log = [
            "audit",
            "log",
            "--event",
            "task_succeeded",
            "--limit",
            "1000",
        ];
        let mut loads = by_day.list(&log);
        loads.retain(|event| event["task"] == "stage_padchest");
        let taken = loads
            .iter()
            .map(|event| &event["data"]["counts"]["inserted"]);
        let taken: Vec<_> = taken.filter_map(serde_json::Value::as_u64).collect();
        assert_eq!(taken.len(), 5);
        assert!(taken.iter().all(|&records| records > 100), "{taken:?}");
    }
}
