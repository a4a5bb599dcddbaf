//! `ingest` from an address: only what changed, resumed where it broke off, checked.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use galen::base::sha256;
use galen::operators::TaskError;
use serde_json::{Value, json};

use crate::support::{Answer, Asked, Desk, TestDatabase, Web, counts, databases};

fn from(web: &Web) -> Value {
    json!({"source": {"csv": format!("{}/people.csv?token=s3cret", web.url)}, "into": "people"})
}

const PEOPLE: &str = "id,name\n1,a\n2,b\n";
const ROWS: &str = "SELECT id || name FROM people ORDER BY id";

#[tokio::test]
async fn a_file_that_has_not_changed_is_not_sent_again() {
    for test in databases().await {
        let mut desk = Desk::new(test);
        let web = Web::new(|asked| match asked.headers.get("if-none-match") {
            Some(tag) if tag == "\"v1\"" => Answer::of(304, ""),
            _ => Answer::of(200, PEOPLE).with("etag", "\"v1\""),
        })
        .await;
        let first = desk.run("ingest", from(&web)).await;
        assert_eq!(first.counts, counts([2, 0, 0, 0, 0]));
        desk.run_id = "clinic__manual__2".to_owned();
        let second = desk.run("ingest", from(&web)).await;
        assert_eq!(second.counts, counts([0, 0, 2, 0, 0]));
        assert_eq!(desk.logged("the file has not changed").len(), 1);
        assert_eq!(desk.texts(ROWS).await, ["1a", "2b"]);
        // the secret of the address is nowhere
        let names = desk.texts("SELECT DISTINCT _file FROM people").await;
        assert_eq!(names, [format!("{}/people.csv", web.url)]);
        assert!(desk.logged("s3cret").is_empty());
        let noted = desk.texts("SELECT name || address FROM _downloads").await;
        assert!(!noted[0].contains("s3cret"));
    }
}

/// Breaks off after each 1,000 bytes, and honours ranges.
fn flaky(body: &'static str) -> impl Fn(&Asked) -> Answer {
    move |asked| {
        let start: usize = match asked.headers.get("range") {
            None => 0,
            Some(range) => range["bytes=".len()..range.len() - 1]
                .parse()
                .expect("a number"),
        };
        let rest = &body[start..];
        let answer = match start {
            0 => Answer::of(200, rest),
            _ => {
                assert_eq!(asked.headers["if-range"], "\"v1\"");
                let range = format!("bytes {start}-{}/{}", body.len() - 1, body.len());
                Answer::of(206, rest).with("content-range", range)
            }
        };
        Answer {
            cut: (rest.len() > 1_000).then_some(1_000),
            ..answer.with("etag", "\"v1\"")
        }
    }
}

#[tokio::test]
async fn a_download_goes_on_where_it_broke_off() {
    let desk = Desk::new(TestDatabase::sqlite());
    let mut text = String::from("id,name\n");
    for id in 0..900 {
        text.push_str(&format!("{id},n\n"));
    }
    let body: &'static str = text.leak();
    let web = Web::new(flaky(body)).await;
    // it goes on three times by itself; then a retry goes on
    let broken = desk
        .attempt("ingest", from(&web))
        .await
        .expect_err("broken");
    assert!(matches!(broken, TaskError::Retryable(_)), "{broken:?}");
    assert_eq!(web.asked().len(), 4);
    let outcome = desk.run("ingest", from(&web)).await;
    assert_eq!(outcome.counts, counts([900, 0, 0, 0, 0]));
    assert_eq!(web.asked().len(), body.len().div_ceil(1_000));
    assert!(desk.records.archive().path(sha256(body)).exists());
}

#[tokio::test]
async fn a_file_that_changed_meanwhile_is_taken_from_its_start() {
    let desk = Desk::new(TestDatabase::sqlite());
    let long = format!("id,name\n{}", "1,a\n".repeat(1_000));
    let asked = AtomicUsize::new(0);
    let web = Web::new(move |_| match asked.fetch_add(1, Ordering::Relaxed) {
        0 => Answer {
            cut: Some(500),
            ..Answer::of(200, long.as_str()).with("etag", "\"v1\"")
        },
        _ => Answer::of(200, PEOPLE).with("etag", "\"v2\""),
    })
    .await;
    let outcome = desk.run("ingest", from(&web)).await;
    assert_eq!(outcome.counts.read, 2);
    assert_eq!(desk.texts(ROWS).await, ["1a", "2b"]);
    assert_eq!(web.asked()[1].headers["if-range"], "\"v1\"");
}

#[tokio::test]
async fn the_checksum_and_the_headers_are_heeded() {
    let desk = Desk::new(TestDatabase::sqlite());
    let web = Web::new(|_| Answer::of(200, PEOPLE)).await;
    let mut with = from(&web);
    with["source"]["headers"] =
        json!({"authorization": "Bearer s3cret", "x-path": {"env": "PATH"}});
    with["source"]["sha256"] = json!(sha256("other"));
    let failure = desk.failure("ingest", with.clone()).await;
    assert!(
        failure.contains(&format!("has the SHA-256 {}, expected", sha256(PEOPLE))),
        "{failure}"
    );
    with["source"]["sha256"] = json!(sha256(PEOPLE));
    desk.run("ingest", with.clone()).await;
    let headers = &web.asked()[0].headers;
    assert_eq!(headers["authorization"], "Bearer s3cret");
    assert_eq!(
        Some(&headers["x-path"]),
        std::env::var("PATH").ok().as_ref()
    );
    with["source"]["headers"] = json!({"authorization": {"env": "GALEN_TEST_IS_NOT_SET"}});
    assert_eq!(
        desk.failure("ingest", with).await,
        "environment variable `GALEN_TEST_IS_NOT_SET`, which header `authorization` needs, is not set\n\
         hint: set it for the user who runs galen"
    );
}

#[tokio::test]
async fn a_server_that_is_not_well_is_asked_again_and_one_that_refuses_is_not() {
    let desk = Desk::new(TestDatabase::sqlite());
    let status = std::sync::Arc::new(Mutex::new(503));
    let now = std::sync::Arc::clone(&status);
    let web = Web::new(move |_| Answer::of(*now.lock().expect("a status"), "")).await;
    for (code, again) in [(503, true), (429, true), (404, false), (403, false)] {
        *status.lock().expect("a status") = code;
        let error = desk
            .attempt("ingest", from(&web))
            .await
            .expect_err("refused");
        assert_eq!(matches!(error, TaskError::Retryable(_)), again, "{error:?}");
        let text = error.error().expect("an error").to_string();
        let expected = format!("`{}/people.csv` answered {code}", web.url);
        assert!(
            text.starts_with(&expected) && !text.contains("s3cret"),
            "{text}"
        );
    }
    let nobody =
        json!({"source": {"csv": "http://127.0.0.1:1/a.csv?token=s3cret"}, "into": "people"});
    let error = desk
        .attempt("ingest", nobody)
        .await
        .expect_err("nobody there");
    assert!(matches!(error, TaskError::Retryable(_)));
    let text = error.error().expect("an error").to_string();
    assert!(
        text.starts_with("cannot connect to `http://127.0.0.1:1/a.csv`")
            && !text.contains("s3cret"),
        "{text}"
    );
    // the cause is the network's own
    assert!(
        text.ends_with("Connection refused (os error 111)"),
        "{text}"
    );
}

/// Whoever ends a download takes its part away; who waited for that part must not write into what it has become.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tasks_that_fetch_the_same_address_leave_each_other_whole_files() {
    let desk = Desk::new(TestDatabase::sqlite());
    let asked = AtomicUsize::new(0);
    let web = Web::new(move |_| {
        // each version is another, and the shorter follow the longer
        let turn = asked.fetch_add(1, Ordering::Relaxed);
        let rows = 40_000 - turn % 7 * 5_000;
        Answer::of(
            200,
            format!("id,name\n{}", format!("{turn},n\n").repeat(rows)),
        )
    })
    .await;
    let with = json!({"source": {"csv": format!("{}/people.csv", web.url), "columns": ["id"]}, "into": "people"});
    for _ in 0..20 {
        let beside: Vec<_> = (0..6).map(|_| Desk::beside(&desk)).collect();
        let attempts = beside
            .iter()
            .map(|desk| desk.attempt("ingest", with.clone()));
        for attempt in futures::future::join_all(attempts).await {
            if let Err(error) = attempt {
                let text = error.error().expect("an error").to_string();
                assert!(
                    text.contains("is being downloaded by another task"),
                    "{text}"
                );
            }
        }
    }
    let archive = desk.test.home().join("state/archive");
    let pattern = format!("{}/??/*", archive.display());
    let mut files = 0;
    for file in glob::glob(&pattern).expect("a pattern").flatten() {
        let name = file.file_name().expect("a name").to_string_lossy();
        let bytes = std::fs::read(&file).expect("a file");
        assert_eq!(sha256(bytes).to_string(), name);
        files += 1;
    }
    assert!(files > 0, "{pattern}");
}
