//! `ingest` into Delta tables: each record once, in large chunks.

use galen::base::sha256;
use galen::dag::{Dag, DagFiles};
use galen::operators::Operators;
use serde_json::{Value, json};

use crate::support::{Desk, TestDatabase, counts, cut_off, day};

const ROWS: &str = "SELECT id, name, _file, _line FROM bronze.people ORDER BY _file, _line";
const UNREAD: &str =
    "SELECT _file, _line, reason FROM bronze.people_quarantine ORDER BY _file, _line";

fn people() -> Value {
    json!({"source": {"csv": "raw/*.csv"}, "into": "bronze.people"})
}

fn desk() -> Desk {
    Desk::new(TestDatabase::sqlite())
}

#[tokio::test]
async fn records_land_as_they_came_and_the_same_bytes_again_add_nothing() {
    let mut desk = desk();
    desk.write("raw/a.csv", "id,name\n1, Zoë \n2,b,\n,\"\"\n");
    let first = desk.run("ingest", people()).await;
    assert_eq!(first.counts, counts([2, 0, 0, 0, 1]));
    assert_eq!(first.tables["bronze.people"], first.counts);
    assert_eq!(
        desk.rows(ROWS).await,
        ["1, Zoë ,raw/a.csv,2", ",\"\",raw/a.csv,4"]
    );
    assert_eq!(desk.rows(UNREAD).await, ["raw/a.csv,3,ragged"]);
    let raw = "SELECT arrow_cast(raw, 'Utf8'), _run_id FROM bronze.people_quarantine";
    assert_eq!(desk.rows(raw).await, ["\"2,b,\",clinic__manual__1"]);
    let origin = "SELECT _hash, _file_hash, _run_id, _loaded_at FROM bronze.people WHERE _line = 2";
    let expected = format!(
        "{},{},clinic__manual__1,2026-01-02T03:00:00.000000Z",
        sha256("1, Zoë "),
        sha256("id,name\n1, Zoë \n2,b,\n,\"\"\n")
    );
    assert_eq!(desk.rows(origin).await, [expected]);
    // the same task once more reports what it did
    assert_eq!(desk.run("ingest", people()).await.counts, first.counts);
    // another run finds everything as it was, under whatever name
    desk.run_id = "clinic__manual__2".to_owned();
    desk.write("raw/copy.csv", "id,name\n1, Zoë \n2,b,\n,\"\"\n");
    let later = desk.run("ingest", people()).await;
    assert_eq!(later.counts, counts([0, 0, 6, 0, 0]));
    assert_eq!(desk.rows(ROWS).await.len(), 2);
    assert_eq!(desk.rows(UNREAD).await.len(), 1);
}

#[tokio::test]
async fn a_new_column_is_added_and_a_missing_one_refused() {
    let desk = desk();
    desk.write("raw/a.csv", "id,name\n1,a\n");
    desk.run("ingest", people()).await;
    desk.write("raw/b.csv", "Name,id,Town of birth\nb,2,x\n");
    desk.run("ingest", people()).await;
    let rows = "SELECT id, name, \"Town of birth\" FROM bronze.people ORDER BY id";
    assert_eq!(desk.rows(rows).await, ["1,a,", "2,b,x"]);
    assert_eq!(desk.logged("the file has new columns").len(), 1);
    desk.write("raw/c.csv", "id\n3\n");
    let failure = desk.failure("ingest", people()).await;
    assert!(
        failure.starts_with("`raw/c.csv` has no column `name`"),
        "{failure}"
    );
}

/// 23,000 records in five batches of the reader, every thousandth of them ragged.
fn many() -> String {
    let mut text = "id,name\n".to_owned();
    for id in 0..23_000 {
        text.push_str(&match id % 1_000 {
            7 => format!("{id}\n"),
            _ => format!("{id},n{id}\n"),
        });
    }
    text
}

const SUM: &str =
    "SELECT count(*), count(DISTINCT _line), sum(CAST(id AS BIGINT)) FROM bronze.people";
const WHOLE: &str = "22977,22977,264235339";
const LINES: &str = "SELECT count(*), count(DISTINCT _line) FROM bronze.people_quarantine";

#[tokio::test]
async fn a_kill_anywhere_repeats_nothing_whatever_the_size_of_chunks() {
    let mut desk = desk();
    desk.write("raw/a.csv", many());
    let mut cut = 0;
    for polls in [1, 3, 6, 10, 20, 40, 80, 160] {
        desk.chunk_records = if cut % 2 == 0 { 1 } else { 9_000 };
        if cut_off(desk.attempt("ingest", people()), polls)
            .await
            .is_some()
        {
            break;
        }
        cut += 1;
    }
    assert!(cut > 2, "cut off {cut} times");
    let outcome = desk.run("ingest", people()).await;
    assert_eq!(outcome.counts, counts([22_977, 0, 0, 0, 23]));
    assert_eq!(desk.rows(SUM).await, [WHOLE]);
    assert_eq!(desk.rows(LINES).await, ["23,23"]);
}

#[tokio::test]
async fn a_cut_between_the_two_tables_sets_nothing_aside_twice() {
    let mut desk = desk();
    desk.chunk_records = 1;
    desk.write("raw/a.csv", many());
    desk.run("ingest", people()).await;
    // as if the last commits of the good records had not happened
    let log = desk
        .test
        .home()
        .join("state/lake/clinic/bronze/people/_delta_log");
    for version in 2..=5 {
        std::fs::remove_file(log.join(format!("{version:020}.json"))).expect("a commit");
    }
    assert_ne!(desk.rows(SUM).await, [WHOLE]);
    desk.chunk_records = 50_000;
    let outcome = desk.run("ingest", people()).await;
    assert_eq!(outcome.counts, counts([22_977, 0, 0, 0, 23]));
    assert_eq!(desk.rows(SUM).await, [WHOLE]);
    assert_eq!(desk.rows(LINES).await, ["23,23"]);
}

#[tokio::test]
async fn a_run_that_takes_over_sets_nothing_aside_twice() {
    let mut desk = desk();
    desk.chunk_records = 1;
    desk.write("raw/a.csv", many());
    desk.run("ingest", people()).await;
    let bronze = desk.test.home().join("state/lake/clinic/bronze");
    let forget = |table: &str, from: u32| {
        let log = bronze.join(table).join("_delta_log");
        for version in from.. {
            if std::fs::remove_file(log.join(format!("{version:020}.json"))).is_err() {
                assert!(version > from, "no version {from} of {table}");
                break;
            }
        }
    };
    // as if that run had been cut off after two chunks, and the next between the two tables of its first
    forget("people", 2);
    forget("people_quarantine", 2);
    desk.run_id = "clinic__manual__2".to_owned();
    desk.run("ingest", people()).await;
    forget("people", 2);
    forget("people_quarantine", 3);
    let outcome = desk.run("ingest", people()).await;
    assert_eq!(desk.rows(SUM).await, [WHOLE]);
    assert_eq!(desk.rows(LINES).await, ["23,23"]);
    assert_eq!(outcome.counts, counts([12_987, 0, 10_000, 0, 13]));
    assert_eq!(desk.run("ingest", people()).await.counts, outcome.counts);
}

#[tokio::test]
async fn runs_share_a_file_by_its_dates() {
    let mut desk = desk();
    let with = json!({"source": {"csv": "visits.csv"}, "into": "bronze.visits", "partition": {"column": "day", "format": "%Y%m%d"}});
    desk.write(
        "visits.csv",
        "id,day\n1,20260101\n2,20260103\n3,20260102\n4,soon\n5,20260103\n6\n",
    );
    for (start, end, expected) in [
        ("2026-01-02", "2026-01-03", [1, 0, 0, 0, 2]),
        ("2026-01-01", "2026-01-02", [1, 0, 0, 0, 0]),
        ("2026-01-01", "2026-02-01", [2, 0, 2, 0, 0]),
        ("2026-01-03", "2026-01-04", [0, 0, 2, 0, 0]),
    ] {
        desk.interval = day(start, end);
        desk.run_id = format!("clinic__backfill__{start}_{end}");
        let outcome = desk.run("ingest", with.clone()).await;
        assert_eq!(outcome.counts, counts(expected), "{start} {end}");
        let again = desk.run("ingest", with.clone()).await;
        assert_eq!(again.counts, counts(expected), "{start} {end}");
    }
    let rows = "SELECT id FROM bronze.visits ORDER BY id";
    assert_eq!(desk.rows(rows).await, ["1", "2", "3", "5"]);
    let unread = "SELECT _line, reason FROM bronze.visits_quarantine ORDER BY _line";
    assert_eq!(
        desk.rows(unread).await,
        ["5,bad_partition_date", "7,ragged"]
    );
}

#[test]
fn names_and_keys_are_checked() {
    let dag: Dag = serde_json::from_value(json!({
        "dag_id": "d", "description": "", "owner": "", "tags": [], "max_active_runs": 1, "dag_retries": 0, "params": {}, "tasks": [],
    }))
    .expect("a DAG");
    let operators = Operators::all();
    let kind = operators.find("ingest").expect("a kind");
    for (into, key, expected) in [
        ("bronze.people", json!([]), None),
        (
            "bronze.people",
            json!(["id"]),
            Some("`key` is for staging tables"),
        ),
        (
            "silver.people",
            json!([]),
            Some("`silver.people` cannot be a table that files land in"),
        ),
        (
            "bronze.x_quarantine",
            json!([]),
            Some("`bronze.x_quarantine` cannot be"),
        ),
    ] {
        let with = json!({"source": {"csv": "a.csv"}, "into": into, "key": key});
        let operator = (kind.parse)(&with).map_err(drop).expect("parameters");
        let flaws = operator.check(&dag, &DagFiles::default());
        match expected {
            None => assert_eq!(flaws, []),
            Some(start) => assert!(flaws[0].message.starts_with(start), "{flaws:?}"),
        }
    }
}
