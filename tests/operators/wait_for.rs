//! `wait_for`: file, address, query; between two looks it holds no slot.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use chrono::TimeDelta;
use galen::base::Clock;
use galen::operators::{Outcome, TaskError, Verdict};
use serde_json::{Value, json};

use crate::support::{Answer, Desk, TestDatabase, Web, databases};

/// Looks in vain, then again after `change`.
async fn not_before(desk: &Desk, with: Value, change: impl AsyncFnOnce()) {
    let now = desk.clock.now();
    let waits = desk.attempt("wait_for", with.clone()).await.expect("waits");
    assert_eq!(waits, Verdict::Defer(now + TimeDelta::seconds(30)));
    change().await;
    let done = desk.attempt("wait_for", with).await.expect("goes on");
    assert_eq!(done, Verdict::Done(Outcome::default()));
}

#[tokio::test]
async fn a_file() {
    let desk = Desk::new(TestDatabase::sqlite());
    let write = async || desk.write("in/a.csv", "x");
    not_before(&desk, json!({"file": "in/*.csv"}), write).await;
}

#[tokio::test]
async fn an_address() {
    let desk = Desk::new(TestDatabase::sqlite());
    let status = Arc::new(AtomicU16::new(503));
    let now = Arc::clone(&status);
    let web = Web::new(move |_| Answer::of(now.load(Ordering::Relaxed), "")).await;
    let with = json!({"http": {"url": web.url}});
    not_before(&desk, with, async || status.store(200, Ordering::Relaxed)).await;
    assert_eq!(desk.logged("answered 503 Service Unavailable").len(), 1);

    let nobody = json!({"http": {"url": "http://127.0.0.1:1/?key=s3cret"}});
    let waits = desk.attempt("wait_for", nobody).await.expect("waits");
    assert!(matches!(waits, Verdict::Defer(_)), "{waits:?}");
    assert_eq!(
        desk.logged("cannot connect to `http://127.0.0.1:1/`").len(),
        1
    );
    assert_eq!(desk.logged("s3cret"), [""; 0]);
}

#[tokio::test]
async fn a_query() {
    for test in databases().await {
        let desk = Desk::new(test);
        let create = json!({"statements": ["CREATE TABLE days (day TEXT)"]});
        desk.run("sql", create).await;
        let insert = async || {
            let insert = json!({"statements": ["INSERT INTO days VALUES ('2026-01-01')"]});
            desk.run("sql", insert).await;
        };
        let with = json!({"sql": "SELECT 1 FROM days WHERE day = '2026-01-01';"});
        not_before(&desk, with, insert).await;
        let harm = json!({"sql": "DELETE FROM days"});
        assert!(desk.attempt("wait_for", harm).await.is_err());
        assert_eq!(desk.texts("SELECT day FROM days").await.len(), 1);
    }
}

#[tokio::test]
async fn the_time_is_up() {
    let desk = Desk::new(TestDatabase::sqlite());
    let mut with = json!({"file": "in/*.csv", "poke_interval": "10m", "timeout": "15m"});
    let start = desk.clock.now();
    desk.clock.advance(TimeDelta::minutes(10));
    // the last look is when the time is up, not after
    let waits = desk.attempt("wait_for", with.clone()).await.expect("waits");
    assert_eq!(waits, Verdict::Defer(start + TimeDelta::minutes(15)));
    desk.clock.advance(TimeDelta::minutes(5));
    let failed = desk.attempt("wait_for", with.clone()).await;
    assert!(matches!(failed, Err(TaskError::Permanent(_))), "{failed:?}");
    assert_eq!(
        desk.failure("wait_for", with.clone()).await,
        "waited 15m for file `in/*.csv` in vain\n\
         hint: `timeout` says how long to wait, `soft_fail: true` skips the task then"
    );
    with["soft_fail"] = json!(true);
    let skipped = desk.attempt("wait_for", with).await.expect("skipped");
    assert_eq!(
        skipped,
        Verdict::Skip("waited 15m for file `in/*.csv` in vain".to_owned())
    );
}
