//! `merge`: a Delta table from the rows of another.

use serde_json::{Value, json};

use crate::support::{Desk, TestDatabase, counts, cut_off};

/// A desk with these records landed, all of one file.
async fn desk(records: &str) -> Desk {
    let desk = Desk::new(TestDatabase::sqlite());
    land(&desk, "one", records).await;
    desk
}

async fn land(desk: &Desk, file: &str, records: &str) {
    desk.write(&format!("{file}.csv"), format!("id,town,size\n{records}"));
    let with = json!({"source": {"csv": format!("{file}.csv")}, "into": "bronze.towns"});
    desk.run("ingest", with).await;
    // the next delivery comes later
    desk.clock.advance(chrono::TimeDelta::hours(1));
}

fn with(key: &[&str], dedup: &[&str]) -> Value {
    json!({"from": "bronze.towns", "into": "gold.towns", "key": key, "dedup": dedup})
}

const ROWS: &str = "SELECT id, town, size FROM gold.towns ORDER BY id, town, size";

fn versions(desk: &Desk) -> usize {
    let log = desk
        .test
        .home()
        .join("state/lake/clinic/gold/towns/_delta_log");
    let pattern = format!("{}/*.json", log.display());
    glob::glob(&pattern).expect("a pattern").count()
}

#[tokio::test]
async fn of_rows_with_one_key_or_content_the_later_stays() {
    let desk = desk("1,Paris,9\n2,Rome,8\n1,Paris,7\n,Oslo,1\n,Bonn,2\n3,Rome,5\n").await;
    let merged = desk.run("merge", with(&["id"], &[])).await;
    assert_eq!(merged.counts, counts([5, 0, 0, 1, 0]));
    let rows = ["1,Paris,7", "2,Rome,8", "3,Rome,5", ",Bonn,2", ",Oslo,1"];
    assert_eq!(desk.rows(ROWS).await, rows);
    let again = desk.run("merge", with(&["id"], &[])).await;
    assert_eq!(again.counts, counts([0, 0, 5, 1, 0]));
    assert_eq!(versions(&desk), 1);

    let same = desk.run("merge", with(&["id"], &["town"])).await;
    assert_eq!(same.counts, counts([0, 0, 4, 2, 0]));
    let rows = ["1,Paris,7", "3,Rome,5", ",Bonn,2", ",Oslo,1"];
    assert_eq!(desk.rows(ROWS).await, rows);
    assert_eq!(versions(&desk), 2);

    land(&desk, "two", "1,Lyon,4\n4,Kyiv,3\n").await;
    let more = desk.run("merge", with(&["id"], &["town"])).await;
    assert_eq!(more.counts, counts([1, 1, 3, 3, 0]));
    // without a key rows are the same by the other columns alone
    let keyless = desk.run("merge", with(&[], &["town"])).await;
    assert_eq!(keyless.counts.read, 8);
    assert_eq!(desk.rows("SELECT count(*) FROM gold.towns").await, ["6"]);
}

#[tokio::test]
async fn rows_that_would_be_the_same_are_not_written() {
    let desk = desk("1,Paris,9\n").await;
    desk.run("merge", with(&["id"], &[])).await;
    let mut tidy = with(&["id"], &[]);
    tidy["vacuum"] = json!("0s");
    tidy["optimize"] = json!(true);
    land(&desk, "two", "1,Paris,10\n").await;
    let updated = desk.run("merge", tidy).await;
    assert_eq!(updated.counts, counts([0, 1, 0, 1, 0]));
    let folder = desk.test.home().join("state/lake/clinic/gold/towns");
    let files = glob::glob(&format!("{}/*.parquet", folder.display()));
    assert_eq!(files.expect("a pattern").count(), 1);
    assert_eq!(desk.rows(ROWS).await, ["1,Paris,10"]);
}

#[tokio::test]
async fn a_column_that_is_not_there_is_told() {
    let desk = desk("1,Paris,9\n").await;
    let told = desk.failure("merge", with(&["idd"], &[])).await;
    assert!(
        told.contains("table `bronze.towns` has no column `idd`"),
        "{told}"
    );
    let mut absent = with(&["id"], &[]);
    absent["from"] = json!("silver.towns");
    let told = desk.failure("merge", absent).await;
    assert!(
        told.contains("table `silver.towns` is not there yet"),
        "{told}"
    );
}

#[tokio::test]
async fn a_kill_leaves_the_old_rows_or_the_new() {
    let records: String = (0..20_000).map(|n| format!("{n},t{n},1\n")).collect();
    let desk = desk("0,t0,1\n").await;
    desk.run("merge", with(&["id"], &[])).await;
    land(&desk, "two", &records).await;
    const NUMBER: &str = "SELECT count(*), count(DISTINCT id) FROM gold.towns";
    for polls in [1, 3, 6, 12, 24, 48] {
        if cut_off(desk.attempt("merge", with(&["id"], &[])), polls)
            .await
            .is_some()
        {
            break;
        }
        let rows = desk.rows(NUMBER).await;
        assert!(
            ["1,1", "20000,20000"].contains(&rows[0].as_str()),
            "{rows:?}"
        );
    }
    desk.run("merge", with(&["id"], &[])).await;
    assert_eq!(desk.rows(NUMBER).await, ["20000,20000"]);
}
