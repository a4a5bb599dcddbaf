//! `http`: one request.

use chrono::TimeDelta;
use galen::base::Clock;
use galen::operators::{TaskError, Verdict};
use serde_json::json;

use crate::support::{Answer, Desk, TestDatabase, Web};

fn desk() -> Desk {
    Desk::new(TestDatabase::sqlite())
}

#[tokio::test]
async fn sends_what_it_is_told_and_gives_the_fields_asked_for() {
    let desk = desk();
    let web = Web::new(|_| Answer::of(201, r#"{"data": {"id": 7, "tags": ["a"]}}"#)).await;
    let with = json!({
        "url": format!("{}/jobs?key=s3cret", web.url),
        "method": "POST",
        "headers": {"x-key": {"env": "PATH"}},
        "body": {"name": "nightly"},
        "outputs": {"job": "/data/id", "tags": "/data/tags"},
    });
    let outcome = desk.run("http", with).await;
    assert_eq!(
        serde_json::Value::Object(outcome.outputs),
        json!({"status": 201, "job": 7, "tags": ["a"]})
    );
    let asked = &web.asked()[0];
    assert_eq!(asked.line, "POST /jobs?key=s3cret");
    assert_eq!(asked.body, r#"{"name":"nightly"}"#);
    assert_eq!(asked.headers["content-type"], "application/json");
    assert!(desk.logged("s3cret").is_empty());
    let path = std::env::var("PATH").expect("a path");
    assert!(desk.logged(&path).is_empty());
}

#[tokio::test]
async fn an_answer_that_was_not_expected_fails() {
    let desk = desk();
    let web = Web::new(|asked| match asked.line.as_str() {
        "GET /busy" => Answer::of(503, ""),
        _ => Answer::of(404, ""),
    })
    .await;
    let get = |path: &str| json!({"url": format!("{}{path}?k=s3cret", web.url)});
    let missing = desk.attempt("http", get("/missing")).await;
    assert!(
        matches!(missing, Err(TaskError::Permanent(_))),
        "{missing:?}"
    );
    assert_eq!(
        desk.failure("http", get("/missing")).await,
        format!(
            "`{}/missing` answered 404 Not Found, expected 200 to 299\nhint: look at the address",
            web.url
        )
    );
    let mut fine = get("/missing");
    fine["expected_status"] = json!([404, 410]);
    assert_eq!(desk.run("http", fine).await.outputs["status"], 404);
    let busy = json!({"url": format!("{}/busy", web.url)});
    let busy = desk.attempt("http", busy).await;
    assert!(matches!(busy, Err(TaskError::Retryable(_))), "{busy:?}");
}

#[tokio::test]
async fn a_server_that_asks_to_wait_is_asked_again_then_within_bounds() {
    let desk = desk();
    let web = Web::new(|_| Answer::of(429, "").with("retry-after", "120")).await;
    let with = json!({"url": web.url, "max_wait": "5m"});
    let now = desk.clock.now();
    let verdict = desk.attempt("http", with.clone()).await.expect("waits");
    assert_eq!(verdict, Verdict::Defer(now + TimeDelta::minutes(2)));
    desk.clock.advance(TimeDelta::minutes(4));
    let over = desk.attempt("http", with).await;
    assert!(matches!(over, Err(TaskError::Retryable(_))), "{over:?}");
}

#[tokio::test]
async fn outputs_need_a_json_answer_that_has_them() {
    let desk = desk();
    let web = Web::new(|asked| match asked.line.as_str() {
        "GET /text" => Answer::of(200, "hello"),
        "GET /long" => Answer::of(200, vec![b' '; 2 << 20]),
        _ => Answer::of(200, "{}"),
    })
    .await;
    let get = |path: &str| json!({"url": format!("{}{path}", web.url), "outputs": {"id": "/id"}});
    let text = desk.failure("http", get("/text")).await;
    assert!(
        text.ends_with("did not answer with JSON, which `outputs` are read from"),
        "{text}"
    );
    let long = desk.failure("http", get("/long")).await;
    assert!(long.contains("is longer than 1048576 bytes"), "{long}");
    let without = desk.failure("http", get("/")).await;
    assert!(
        without.contains("has nothing at `/id`\nhint: look at output `id`"),
        "{without}"
    );
}
