//! `shell`: exit codes, outputs, and that no secret reaches the log.

use std::sync::{Arc, Mutex};

use galen::operators::{TaskError, TaskLog, Verdict};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::{TestDatabase, Try};

async fn shell(with: Value) -> (Result<Verdict, TaskError>, Vec<String>) {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&lines);
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    let log = TaskLog::new(move |_, message, _| {
        if message == "ready" {
            stop.cancel();
        }
        kept.lock().expect("lock").push(message.to_owned());
    });
    let attempt = Try {
        database: &TestDatabase::sqlite(),
        files: &[],
        operator: "shell",
        with,
    };
    let verdict = attempt.run_until(cancel, log).await;
    let lines = lines.lock().expect("lock").clone();
    (verdict, lines)
}

#[tokio::test]
async fn the_exit_code_decides() {
    let (done, lines) = shell(json!({"command": ["echo", "hello"]})).await;
    assert!(matches!(done, Ok(Verdict::Done(_))), "{done:?}");
    assert_eq!(lines, ["hello"]);
    let (skipped, _) = shell(json!({"script": "exit 99"})).await;
    assert!(matches!(skipped, Ok(Verdict::Skip(_))), "{skipped:?}");
    let (failed, lines) = shell(json!({"script": "false\necho unreached"})).await;
    assert!(matches!(failed, Err(TaskError::Retryable(_))), "{failed:?}");
    assert!(lines.is_empty());
    let (absent, _) = shell(json!({"command": ["no-such-program-here"]})).await;
    assert!(matches!(absent, Err(TaskError::Permanent(_))), "{absent:?}");
    let text = format!("{:?}", absent.expect_err("absent").error());
    assert!(
        text.contains("`no-such-program-here` cannot be started"),
        "{text}"
    );
    // what only a shell knows is no program
    let (builtin, _) = shell(json!({"command": ["exit", 3]})).await;
    let text = format!("{:?}", builtin.expect_err("no program").error());
    assert!(
        text.contains("hint: what only a shell understands goes under `script`"),
        "{text}"
    );
}

#[tokio::test]
async fn the_last_line_becomes_the_outputs() {
    let script = r#"echo start; echo '{"rows": 5}'"#;
    let (done, _) = shell(json!({"script": script, "output": "json"})).await;
    let Ok(Verdict::Done(outcome)) = done else {
        panic!("{done:?}");
    };
    assert_eq!(outcome.outputs["rows"], 5);
}

#[tokio::test]
async fn a_secret_reaches_the_command_and_not_the_log() {
    // every test process has a PATH; its value stands in for a secret
    let with =
        json!({"script": "echo \"is $KEY\"; test -n \"$KEY\"", "env": {"KEY": {"env": "PATH"}}});
    let (done, lines) = shell(with).await;
    assert!(done.is_ok(), "{done:?}");
    assert_eq!(lines, ["is ***"]);
    let with = json!({"script": "true", "env": {"KEY": {"env": "NO_SUCH_VARIABLE_HERE"}}});
    let (unset, _) = shell(with).await;
    assert!(matches!(unset, Err(TaskError::Permanent(_))), "{unset:?}");
}

#[tokio::test]
async fn a_stopped_command_is_a_cancelled_try() {
    let (stopped, _) = shell(json!({"script": "echo ready; exec tail -f /dev/null"})).await;
    assert!(matches!(stopped, Err(TaskError::Cancelled)), "{stopped:?}");
}
