//! Operators that write no records of their own: a second try gives what the first gave.

use galen::operators::Verdict;
use serde_json::{Value, json};

use crate::support::{Answer, Desk, TestDatabase, Web, databases};

/// Makes the try twice; what it gave both times.
async fn twice(desk: &Desk, operator: &str, with: Value) -> Verdict {
    let first = desk.attempt(operator, with.clone()).await.expect("a first");
    let second = desk.attempt(operator, with).await.expect("a second");
    assert_eq!(first, second, "{operator} on {}", desk.test.name);
    second
}

fn outputs(verdict: Verdict) -> Value {
    match verdict {
        Verdict::Done(outcome) => Value::Object(outcome.outputs),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_command() {
    let desk = Desk::new(TestDatabase::sqlite());
    let script = "echo five > report; echo '{\"rows\": 5}'";
    let with = json!({"script": script, "output": "json"});
    let given = twice(&desk, "shell", with).await;
    assert_eq!(outputs(given), json!({"rows": 5}));
    let report = std::fs::read_to_string(desk.test.home().join("report"));
    assert_eq!(report.expect("a report"), "five\n");
}

#[tokio::test]
async fn a_request() {
    let desk = Desk::new(TestDatabase::sqlite());
    let web = Web::new(|_| Answer::of(200, r#"{"id": 7}"#)).await;
    let with = json!({"url": web.url, "method": "PUT", "body": {"day": "2026-01-01"}, "outputs": {"id": "/id"}});
    let given = twice(&desk, "http", with).await;
    assert_eq!(outputs(given), json!({"status": 200, "id": 7}));
    let asked = web.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!(
        (&asked[0].line, &asked[0].body),
        (&asked[1].line, &asked[1].body)
    );
}

#[tokio::test]
async fn statements_and_a_look_at_what_they_left() {
    for test in databases().await {
        let desk = Desk::new(test);
        let statements = [
            "CREATE TABLE IF NOT EXISTS days (day TEXT PRIMARY KEY)",
            "INSERT INTO days VALUES ('2026-01-01') ON CONFLICT (day) DO NOTHING",
            "SELECT count(*) FROM days",
        ];
        let with = json!({"statements": statements, "output": "value"});
        let given = twice(&desk, "sql", with).await;
        assert_eq!(outputs(given), json!({"value": 1}), "{}", desk.test.name);
        let look = json!({"sql": "SELECT 1 FROM days"});
        assert_eq!(outputs(twice(&desk, "wait_for", look).await), json!({}));
    }
}

#[tokio::test]
async fn nothing() {
    let desk = Desk::new(TestDatabase::sqlite());
    assert_eq!(outputs(twice(&desk, "noop", json!({})).await), json!({}));
}
