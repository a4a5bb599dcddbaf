//! `ingest`: files into a staging table, each record once.

use std::future::Future;
use std::io::Write;
use std::task::Poll;

use flate2::Compression;
use flate2::write::GzEncoder;
use galen::base::sha256;
use galen::on_conn;
use galen::operators::{TaskError, Verdict};
use serde_json::{Value, json};

use crate::support::{Desk, TestDatabase, counts, databases};

const ROWS: &str = "SELECT COALESCE(id, '~') || '|' || COALESCE(name, '~') || '|' || _file || '|' || _line FROM people ORDER BY _row_id";
const QUARANTINE: &str = "SELECT source_table || ' ' || file || ':' || line || ' ' || reasons || ' ' || state FROM quarantine ORDER BY id";

fn people() -> Value {
    json!({"source": {"csv": "raw/*.csv"}, "into": "people"})
}

async fn desks() -> Vec<Desk> {
    databases().await.into_iter().map(Desk::new).collect()
}

#[tokio::test]
async fn records_become_rows_that_know_where_they_came_from() {
    for desk in desks().await {
        desk.write("raw/b.csv", "id,name\n3,\"x\ty\\N\"\n");
        desk.write("raw/a.csv", "id,name\n1,Zoë\n2,\"two\nlines\"\n,\"\"\n");
        let outcome = desk.run("ingest", people()).await;
        assert_eq!(
            outcome.counts,
            counts([4, 0, 0, 0, 0]),
            "{}",
            desk.test.name
        );
        assert_eq!(outcome.tables["people"], outcome.counts);
        assert_eq!(outcome.outputs["files"], 2);
        assert_eq!(
            desk.texts(ROWS).await,
            [
                "1|Zoë|raw/a.csv|2",
                "2|two\nlines|raw/a.csv|3",
                "~||raw/a.csv|5",
                "3|x\ty\\N|raw/b.csv|2"
            ]
        );
        let hashes = desk
            .texts("SELECT _hash FROM people ORDER BY _row_id")
            .await;
        assert_eq!(hashes[0], sha256("1,Zoë").to_string());
        let file = desk
            .texts("SELECT DISTINCT _file_hash FROM people WHERE _file = 'raw/b.csv'")
            .await;
        let kept = std::fs::read(
            desk.records
                .archive()
                .path(sha256("id,name\n3,\"x\ty\\N\"\n")),
        );
        assert_eq!(sha256(kept.expect("archived")).to_string(), file[0]);
        assert_eq!(
            desk.texts("SELECT DISTINCT _run_id FROM people").await,
            [desk.run_id.as_str()]
        );
        assert_eq!(
            desk.texts("SELECT name FROM people WHERE NOT _processed AND _batch_id IS NULL")
                .await
                .len(),
            4
        );
    }
}

#[tokio::test]
async fn the_same_bytes_again_add_nothing() {
    for mut desk in desks().await {
        desk.write("raw/a.csv", "id,name\n1,a\n2,b,\n3,c\n");
        let first = desk.run("ingest", people()).await;
        assert_eq!(first.counts, counts([2, 0, 0, 0, 1]));
        let rows = desk.texts(ROWS).await;
        // the same task once more reports what it did
        let again = desk.run("ingest", people()).await;
        assert_eq!(again.counts, first.counts);
        // another run finds everything as it was, under whatever name
        desk.run_id = "clinic__manual__2".to_owned();
        desk.write("raw/copy.csv", "id,name\n1,a\n2,b,\n3,c\n");
        let later = desk.run("ingest", people()).await;
        assert_eq!(later.counts, counts([0, 0, 6, 0, 0]));
        assert!(later.counts.balances());
        assert_eq!(desk.texts(ROWS).await, rows);
        assert_eq!(
            desk.texts(QUARANTINE).await,
            ["people raw/a.csv:3 [\"ragged\"] open"]
        );
    }
}

#[tokio::test]
async fn a_key_tells_new_records_from_versions_and_repetitions() {
    for mut desk in desks().await {
        let with = json!({"source": {"csv": "raw/*.csv"}, "into": "people", "key": ["ID"]});
        desk.write("raw/1.csv", "id,name\n1,a\n2,b\n1,a\n,x\n,x\n");
        let first = desk.run("ingest", with.clone()).await;
        // without a key two records cannot be the same
        assert_eq!(first.counts, counts([4, 0, 0, 1, 0]), "{}", desk.test.name);
        desk.run_id = "clinic__manual__2".to_owned();
        desk.write("raw/2.csv", "id,name\n1,a\n2,B\n3,c\n2,B\n2,b\n");
        let second = desk.run("ingest", with).await;
        assert_eq!(second.counts, counts([1, 2, 5, 2, 0]), "{}", desk.test.name);
        assert_eq!(desk.texts(ROWS).await.len(), 7);
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_set_aside_with_its_bytes() {
    for desk in desks().await {
        desk.write(
            "raw/a.csv",
            b"id,name\n1,caf\xE9\n2,b,3\n\"3\"x,c\n4,\0\n5,e\n",
        );
        let outcome = desk.run("ingest", people()).await;
        assert_eq!(outcome.counts, counts([1, 0, 0, 0, 4]));
        assert_eq!(
            desk.texts(QUARANTINE).await,
            [
                "people raw/a.csv:2 [\"bad_encoding\"] open",
                "people raw/a.csv:3 [\"ragged\"] open",
                "people raw/a.csv:4 [\"bad_quote\"] open",
                "people raw/a.csv:5 [\"nul_byte\"] open"
            ]
        );
        let mut read = desk.records.read().await.expect("open");
        let raw: Vec<u8> = on_conn!(read.conn().expect("open"), c =>
            sqlx::query_scalar("SELECT raw FROM quarantine WHERE line = 2").fetch_one(&mut *c).await)
        .expect("a row");
        assert_eq!(raw, b"1,caf\xE9");
        let warning = desk.logged("some records could not be read");
        assert!(
            warning[0].contains("set `encoding` of the source to `latin1`"),
            "{warning:?}"
        );
        assert!(!warning[0].contains("caf"));
    }
}

#[tokio::test]
async fn json_and_ndjson_are_staged_alike() {
    for desk in desks().await {
        desk.write(
            "a.json",
            "[{\"id\": 1, \"name\": \"a\"},\n {\"id\": 2, \"more\": {\"x\": [1]}}]",
        );
        desk.write(
            "b.ndjson",
            "{\"id\": 3, \"name\": \"c\", \"more\": null}\nnonsense\n",
        );
        let json = json!({"source": {"json": "a.json"}, "into": "people"});
        assert_eq!(
            desk.run("ingest", json).await.counts,
            counts([2, 0, 0, 0, 0])
        );
        let ndjson = json!({"source": {"ndjson": "b.ndjson"}, "into": "people"});
        assert_eq!(
            desk.run("ingest", ndjson).await.counts,
            counts([1, 0, 0, 0, 1])
        );
        let more = "SELECT COALESCE(more, '~') FROM people ORDER BY _row_id";
        assert_eq!(desk.texts(more).await, ["~", "{\"x\": [1]}", "~"]);
    }
}

#[tokio::test]
async fn a_file_of_another_shape() {
    for desk in desks().await {
        desk.write("raw/a.csv", "id,name\n1,a\n");
        desk.run("ingest", people()).await;
        desk.write("raw/b.csv", "ID,name,\"born; at\"\n2,b,2001\n");
        desk.run("ingest", people()).await;
        assert_eq!(
            desk.texts("SELECT COALESCE(\"born; at\", '~') FROM people ORDER BY id")
                .await,
            ["~", "2001"]
        );
        assert_eq!(desk.logged("the file has new columns").len(), 1);
        desk.write("raw/c.csv", "id,born; at\n3,2002\n");
        assert_eq!(
            desk.failure("ingest", people()).await,
            "`raw/c.csv` has no column `name`, which earlier files of `people` have\n\
             hint: stage files of another shape into a table of their own, or take only common `columns`"
        );
        let chosen = json!({"source": {"csv": "raw/*.csv", "columns": ["id"]}, "into": "ids"});
        assert_eq!(desk.run("ingest", chosen).await.counts.inserted, 3);
    }
}

#[tokio::test]
async fn mistakes_of_a_file_are_said_plainly() {
    let desk = Desk::new(TestDatabase::sqlite());
    let ingest = |csv: &str| json!({"source": {"csv": csv}, "into": "people", "key": ["patient"]});
    assert_eq!(
        desk.failure("ingest", ingest("raw/*.csv")).await,
        "no file matches `raw/*.csv`\n\
         hint: relative patterns start at the home folder; `optional: true` accepts that there is none"
    );
    desk.write("raw/a.csv", "patients,x\n1,2\n");
    assert_eq!(
        desk.failure("ingest", ingest("raw/*.csv")).await,
        "`raw/a.csv` has no column `patient`, which the key names\nhint: did you mean `patients`?"
    );
    assert_eq!(
        desk.failure("ingest", ingest("raw")).await,
        "`raw` is a directory, expected a file\nhint: name the files in it with a pattern, as `raw/*.csv`"
    );
    desk.write(
        "wide.csv",
        vec!["x".to_owned(); 10_000]
            .iter()
            .enumerate()
            .map(|(n, x)| format!("{x}{n}"))
            .collect::<Vec<_>>()
            .join(","),
    );
    let wide = json!({"source": {"csv": "wide.csv"}, "into": "wide"});
    assert_eq!(
        desk.failure("ingest", wide.clone()).await,
        "`wide.csv` has 10000 columns, expected at most 1000\n\
         hint: name the wanted ones under `columns` of the source, or look at its `delimiter`"
    );
    let sum = sha256("other");
    let other = json!({"source": {"csv": "raw/a.csv", "sha256": sum}, "into": "people"});
    let found = sha256("patients,x\n1,2\n");
    assert_eq!(
        desk.failure("ingest", other).await,
        format!(
            "`raw/a.csv` has the SHA-256 {found}, expected {sum}\nhint: the file is not the one that `sha256` of the source names"
        )
    );
    let optional = json!({"source": {"csv": "none/*.csv"}, "into": "people", "optional": true});
    assert_eq!(desk.run("ingest", optional).await.counts, counts([0; 5]));
}

#[tokio::test]
async fn a_file_with_another_delimiter_is_refused_and_the_delimiter_named() {
    for into in ["people", "bronze.people"] {
        let desk = Desk::new(TestDatabase::sqlite());
        let ingest = json!({"source": {"csv": "raw/*.csv"}, "into": into});
        desk.write("raw/a.csv", "id;name\n1;a\n");
        let hint = "hint: its fields seem to be separated by `;`: set `delimiter: \";\"` of the source, or `auto`";
        assert_eq!(
            desk.failure("ingest", ingest.clone()).await,
            format!(
                "the header of `raw/a.csv` is a single column, expected one that `delimiter` separates\n{hint}"
            )
        );
        let told = json!({"source": {"csv": "raw/*.csv", "delimiter": ";"}, "into": into});
        assert_eq!(desk.run("ingest", told).await.counts.inserted, 1);
        // a comma in a name does not hide it
        desk.write("raw/a.csv", "id;name, first;born\n1;a;2001\n");
        let failure = desk.failure("ingest", ingest).await;
        assert!(failure.contains("has no column"), "{failure}");
        assert!(failure.ends_with(hint), "{failure}");
    }
}

#[tokio::test]
async fn a_stop_is_heeded() {
    let desk = Desk::new(TestDatabase::sqlite());
    desk.write("raw/a.csv", "id,name\n1,a\n");
    desk.cancel.cancel();
    let stopped = desk.attempt("ingest", people()).await;
    assert!(matches!(stopped, Err(TaskError::Cancelled)), "{stopped:?}");
}

/// A file of 12,345 records, every thousandth of them ragged; it makes three batches.
fn write_long_file(desk: &Desk) {
    let mut text = String::from("id,name\n");
    for id in 0..12_345 {
        let bad = if id % 1_000 == 999 { "," } else { "" };
        text.push_str(&format!("{id},n{id}{bad}\n"));
    }
    desk.write("raw/long.csv", text);
}

/// Rows and quarantine of a staging table.
async fn state(desk: &Desk, into: &str) -> (Vec<String>, Vec<String>) {
    let rows = ROWS.replace("people", into);
    let quarantine = QUARANTINE.replace(
        "FROM quarantine",
        &format!("FROM quarantine WHERE source_table = '{into}'"),
    );
    let quarantine = desk.texts(&quarantine).await;
    let of_any = |line: &String| line.replace(into, "people");
    (
        desk.texts(&rows).await,
        quarantine.iter().map(of_any).collect(),
    )
}

/// Drives `future` for at most `polls` steps and drops it then, as a kill at that place would.
async fn cut_after<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    let mut left = polls;
    std::future::poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(cx).map(Some)
    })
    .await
}

#[tokio::test]
async fn cut_off_anywhere_it_goes_on_where_it_was() {
    for desk in desks().await {
        write_long_file(&desk);
        desk.run("ingest", people()).await;
        let expected = state(&desk, "people").await;
        assert_eq!((expected.0.len(), expected.1.len()), (12_333, 12));
        let (mut polls, mut whole) = (1, false);
        while !whole {
            let into = format!("people_{polls}");
            let with = json!({"source": {"csv": "raw/*.csv"}, "into": into});
            whole = cut_after(polls, desk.run("ingest", with.clone()))
                .await
                .is_some();
            let outcome = desk.run("ingest", with).await;
            assert_eq!(
                outcome.counts,
                counts([12_333, 0, 0, 0, 12]),
                "cut after {polls}"
            );
            assert!(state(&desk, &into).await == expected, "cut after {polls}");
            polls += 1 + polls / 2;
        }
    }
}

#[tokio::test]
async fn two_runs_at_the_same_file_stage_it_once() {
    for mut desk in desks().await {
        write_long_file(&desk);
        let other = {
            let mut other = Desk::beside(&desk);
            other.run_id = "clinic__manual__2".to_owned();
            other
        };
        let (one, two) = tokio::join!(
            desk.attempt("ingest", people()),
            other.attempt("ingest", people())
        );
        for ended in [one, two] {
            let fine = matches!(ended, Ok(Verdict::Done(_)) | Err(TaskError::Retryable(_)));
            assert!(fine, "{}: {ended:?}", desk.test.name);
        }
        desk.run_id = "clinic__manual__3".to_owned();
        let outcome = desk.run("ingest", people()).await;
        assert_eq!(outcome.counts.read, 12_345);
        let (rows, quarantine) = state(&desk, "people").await;
        assert_eq!((rows.len(), quarantine.len()), (12_333, 12));
    }
}

#[tokio::test]
async fn a_full_disk_is_a_clear_error_and_no_harm() {
    let desk = Desk::new(TestDatabase::sqlite());
    write_long_file(&desk);
    let mut tx = desk.records.begin().await.expect("begins");
    let conn = tx.conn().expect("open");
    conn.run_script("PRAGMA max_page_count = 120")
        .await
        .expect("a limit");
    tx.commit().await.expect("committed");
    let full = desk.attempt("ingest", people()).await.expect_err("full");
    assert!(matches!(full, TaskError::Retryable(_)), "{full:?}");
    assert_eq!(
        full.error().map(|error| format!("{error:?}")).as_deref(),
        Some(
            "the disk of the database is full\nhint: make room under `state/`; the work goes on by itself"
        )
    );
    let staged = desk.texts(ROWS).await.len();
    assert!(
        staged > 0 && staged < 12_333,
        "{staged} rows before it was full"
    );
    let outcome = desk.run("ingest", people()).await;
    assert_eq!(outcome.counts, counts([12_333, 0, 0, 0, 12]));
    assert_eq!(desk.texts(ROWS).await.len(), 12_333);
}

#[tokio::test]
async fn a_file_cut_short_keeps_what_came_before() {
    let desk = Desk::new(TestDatabase::sqlite());
    write_long_file(&desk);
    let whole = std::fs::read(desk.test.home().join("raw/long.csv")).expect("the file");
    let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
    for _ in 0..10 {
        encoder.write_all(&whole).expect("compressed");
    }
    let bytes = encoder.finish().expect("compressed");
    desk.write("short.csv.gz", &bytes[..bytes.len() - 10_000]);
    let with = json!({"source": {"csv": "short.csv.gz"}, "into": "people"});
    assert_eq!(
        desk.failure("ingest", with).await,
        "`short.csv.gz` is cut short: the gzip data ends before its end mark\n\
         hint: deliver the file again; records before the cut were kept"
    );
    assert!(!desk.texts(ROWS).await.is_empty());
}
