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
    let parts: Vec<&[csv::StringRecord]> = records[..600].chunks(200).collect();
    for names in [["a", "b", "c"], ["c", "a", "b"], ["b", "c", "a"]] {
        let home = Home::new(TestDatabase::sqlite());
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
    super::home::copy(&by_day.path("state/generated"), &at_once.path("days"));
    at_once.edit(
        "dag.yaml",
        "csv: \"state/generated/{{ params.synthetic_date or ds }}/",
        "csv: \"days/*/",
    );
    // the clinic of another day, which nobody reads
    at_once.run_to_the_end();
    assert_same(&at_once.exports().await, &expected, "at once");
}
