//! The verbs on a small DAG, from the first run to the audit.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use sqlx::{Connection, SqliteConnection};
use tempfile::TempDir;

use super::galen::{Said, command, galen, said};

const DAG: &str = "
dag_id: small
description: Two steps, the second of which fails until it may pass
schedule: {cron: '0 3 * * *', timezone: Europe/Madrid, start_date: 2026-01-01}
params: {word: {type: string, default: hello}}
tasks:
  - {task_id: say, operator: shell, with: {command: [echo, '{{ params.word }}']}}
  - {task_id: gate, operator: shell, depends_on: [say], with: {script: test -e open}}
  - {task_id: after, operator: noop, depends_on: [gate]}
";

fn home() -> TempDir {
    let home = tempfile::tempdir().expect("home");
    let dag = home.path().join("dags/small");
    std::fs::create_dir_all(&dag).expect("dags");
    std::fs::write(dag.join("dag.yaml"), DAG).expect("dag");
    home
}

fn open(home: &TempDir) {
    std::fs::write(home.path().join("open"), "").expect("gate");
}

fn list(home: &TempDir, args: &[&str]) -> Vec<Value> {
    let said = galen(home.path(), args);
    serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{said}"))
}

fn newest_run(home: &TempDir) -> String {
    let runs = list(home, &["runs", "list", "--json"]);
    runs[0]["run_id"].as_str().expect("run").to_owned()
}

fn succeeds(said: Said) -> Said {
    assert_eq!(said.code, 0, "{said}");
    said
}

#[test]
fn a_failed_run_is_explained_and_retried() {
    let home = home();
    let run = galen(home.path(), &["run", "small", "--param", "word=ciao"]);
    assert_eq!(run.code, 1, "{run}");
    assert!(run.err.contains("error: task `gate`: "), "{run}");
    assert!(run.err.contains("hint: "), "{run}");
    let id = newest_run(&home);

    let log = succeeds(galen(home.path(), &["tasks", "logs", &id, "say"]));
    assert!(log.out.contains("ciao"), "{log}");

    let plan = list(&home, &["retry", "--dry-run", "--json"]);
    let tasks: Vec<&Value> = plan.iter().map(|row| &row["task"]).collect();
    assert_eq!(tasks, ["gate", "after"]);

    open(&home);
    succeeds(galen(home.path(), &["retry"]));
    let tasks = list(&home, &["tasks", "list", &id, "--json"]);
    let tries: Vec<&Value> = tasks.iter().map(|task| &task["tries"]).collect();
    assert_eq!(tries, [1, 2, 1]);

    let again = galen(home.path(), &["retry", &id]);
    assert_eq!(again.code, 2);
    assert!(again.err.contains("tasks clear"), "{again}");
}

#[test]
fn a_retry_of_a_run_whose_definition_has_changed_since_says_so() {
    let home = home();
    assert_eq!(galen(home.path(), &["run", "small"]).code, 1);
    let id = newest_run(&home);
    let told = "the definition of DAG `small` has changed since";
    let retry = ["retry", "--dry-run"];
    let clear = ["tasks", "clear", &id, "--task", "gate", "--dry-run"];
    for args in [&retry[..], &clear] {
        let same = galen(home.path(), args);
        assert!(!same.err.contains(told), "{same}");
    }
    let edited = DAG.replace("test -e open", "exit 0");
    std::fs::write(home.path().join("dags/small/dag.yaml"), edited).expect("dag");
    for args in [&retry[..], &clear] {
        let changed = succeeds(galen(home.path(), args));
        assert!(changed.err.contains(told), "{changed}");
        assert!(changed.err.contains("--reprocess failed"), "{changed}");
    }
}

#[test]
fn a_task_that_never_started_says_why_instead_of_showing_a_log() {
    let home = home();
    assert_eq!(galen(home.path(), &["run", "small"]).code, 1);
    let id = newest_run(&home);
    let said = galen(home.path(), &["tasks", "logs", &id, "after"]);
    assert_eq!(said.code, 2, "{said}");
    let why = "task `after` never started: what it depends on failed";
    assert!(said.err.contains(why), "{said}");
    let hint = format!("hint: `galen tasks logs {id} gate` shows what failed");
    assert!(said.err.contains(&hint), "{said}");
}

#[test]
fn a_run_of_a_day_that_has_not_ended_is_made_and_told() {
    let home = home();
    let ran = ["run", "small", "--task", "say", "--date"];
    let past = succeeds(galen(home.path(), &[&ran[..], &["2026-01-02"]].concat()));
    assert!(!past.err.contains("has not ended"), "{past}");
    let future = succeeds(galen(home.path(), &[&ran[..], &["2099-01-02"]].concat()));
    let told = "warning: this data interval has not ended";
    assert!(future.err.contains(told), "{future}");
}

/// One line when a run starts and one when it ends.
#[test]
fn a_scheduler_tells_of_every_run() {
    let home = home();
    open(&home);
    let mut scheduler = command(home.path(), &["scheduler"]);
    let scheduler = scheduler.spawn().expect("started");
    let id = loop {
        let runs = list(&home, &["runs", "list", "--state", "success", "--json"]);
        if let Some(run) = runs.first() {
            break run["run_id"].as_str().expect("its name").to_owned();
        }
    };
    let pid = Pid::from_raw(scheduler.id().cast_signed()).expect("a process");
    kill_process(pid, Signal::TERM).expect("told to stop");
    let output = scheduler.wait_with_output().expect("ended");
    let err = String::from_utf8(output.stderr).expect("text");
    assert!(err.contains(&format!("run `{id}`: started\n")), "{err}");
    assert!(
        err.contains(&format!("run `{id}`: success after ")),
        "{err}"
    );
}

#[test]
fn a_part_of_a_dag_runs_alone() {
    let home = home();
    succeeds(galen(
        home.path(),
        &["run", "small", "--task", "say", "--date", "2026-01-02"],
    ));
    let tasks = list(&home, &["tasks", "list", &newest_run(&home), "--json"]);
    assert_eq!(tasks.len(), 1);
    let runs = list(&home, &["runs", "list", "--json"]);
    assert_eq!(runs[0]["interval_start"], "2026-01-02T02:00:00Z");
}

#[test]
fn a_dag_that_is_named_in_the_place_of_a_run_is_told() {
    let home = home();
    let said = galen(home.path(), &["retry", "small"]);
    assert_eq!(said.code, 2, "{said}");
    assert!(
        said.err
            .contains("`small` is a DAG, expected one of its runs"),
        "{said}"
    );
    assert!(
        said.err.contains("hint: `galen retry --dag small`"),
        "{said}"
    );
}

#[test]
fn a_backfill_makes_each_date_once() {
    let home = home();
    open(&home);
    let span = [
        "backfill",
        "small",
        "--from",
        "2026-01-05",
        "--to",
        "2026-01-07",
        "--json",
    ];
    let dry = list(&home, &[&span[..], &["--dry-run"]].concat());
    assert_eq!(dry.len(), 3);
    assert_eq!(list(&home, &["runs", "list", "--json"]).len(), 0);

    let done = list(&home, &span);
    assert!(
        done.iter().all(|date| date["state"] == "success"),
        "{done:?}"
    );
    let again = list(&home, &span);
    assert!(
        again
            .iter()
            .all(|date| date["outcome"] == "skipped: it exists (success)"),
        "{again:?}"
    );
    assert_eq!(list(&home, &["runs", "list", "--json"]).len(), 3);
}

#[test]
fn a_paused_dag_says_so() {
    let home = home();
    succeeds(galen(home.path(), &["dags", "pause", "small"]));
    assert_eq!(
        list(&home, &["dags", "list", "--json"])[0]["status"],
        "paused"
    );
    succeeds(galen(home.path(), &["dags", "unpause", "small"]));
    assert_eq!(list(&home, &["dags", "list", "--json"])[0]["status"], "ok");
}

#[test]
fn a_queued_run_is_cancelled() {
    let home = home();
    let queued = succeeds(galen(home.path(), &["dags", "trigger", "small"]));
    let id = queued.out.trim().to_owned();
    succeeds(galen(home.path(), &["runs", "cancel", &id]));
    assert_eq!(
        list(&home, &["runs", "list", "--json"])[0]["state"],
        "cancelled"
    );
    assert_eq!(galen(home.path(), &["runs", "cancel", &id]).code, 2);
}

#[tokio::test]
async fn a_changed_event_is_found() {
    let home = home();
    open(&home);
    succeeds(galen(home.path(), &["run", "small"]));
    succeeds(galen(home.path(), &["audit", "verify"]));

    let file = home.path().join("state/galen.db");
    let url = format!("sqlite://{}", file.display());
    let mut database = SqliteConnection::connect(&url).await.expect("database");
    let change =
        "UPDATE events SET data = replace(data, 'hello', 'adieu'), actor = 'nobody' WHERE seq = 3";
    sqlx::query(change)
        .execute(&mut database)
        .await
        .expect("tampering");
    database.close().await.expect("closed");

    let found = galen(home.path(), &["audit", "verify"]);
    assert_eq!(found.code, 1);
    assert!(found.out.contains("event 3 was changed"), "{found}");
}

/// A process that is killed leaves its run to the next, and the run keeps its place under `max_active_runs`.
#[test]
fn a_killed_run_is_taken_up_by_the_next_command() {
    let home = home();
    let dag = "dag_id: slow\nmax_active_runs: 1\ntasks:\n  - {task_id: work, operator: shell, with: {script: 'test -e open || exec sleep 20'}}\n";
    std::fs::create_dir(home.path().join("dags/slow")).expect("folder");
    std::fs::write(home.path().join("dags/slow/dag.yaml"), dag).expect("dag");
    let short_lease = |args: &[&str]| {
        let mut command = command(home.path(), args);
        command.env("GALEN_ENGINE__LEASE_TTL", "1s");
        command
    };
    let mut killed = short_lease(&["run", "slow"]).spawn().expect("started");
    let id = loop {
        let runs = list(&home, &["runs", "list", "--json"]);
        if let Some(run) = runs.first().and_then(|run| run["run_id"].as_str()) {
            let tasks = list(&home, &["tasks", "list", run, "--json"]);
            if tasks[0]["state"] == "running" {
                break run.to_owned();
            }
        }
    };
    let waits = galen(home.path(), &["retry", "--dag", "slow"]);
    assert!(
        waits
            .err
            .contains(&format!("run `{id}` has not ended, it is running")),
        "{waits}"
    );
    killed.kill().expect("killed");
    killed.wait().expect("gone");
    for args in [&["retry", "--dag", "slow"][..], &["retry"], &["retry", &id]] {
        let refused = galen(home.path(), args);
        assert_eq!(refused.code, 2, "{refused}");
        let interrupted = format!("run `{id}` was interrupted, it did not fail");
        assert!(refused.err.contains(&interrupted), "{refused}");
        let hint = "hint: it goes on by itself with the next `galen run` or `galen scheduler`";
        assert!(refused.err.contains(hint), "{refused}");
    }
    open(&home);

    let waited = succeeds(said(short_lease(&["run", "slow"])));
    let told = |line: &&str| line.contains("holds the lead until ");
    assert_eq!(waited.err.lines().filter(told).count(), 1, "{waited}");
    let other = format!("{id} work: success");
    assert!(waited.err.contains(&other), "whose task it is: {waited}");
    let tries = list(&home, &["tasks", "list", &id, "--tries", "--json"]);
    let states: Vec<&Value> = tries.iter().map(|attempt| &attempt["state"]).collect();
    assert_eq!(states, ["interrupted", "success"]);
    let events = list(&home, &["audit", "log", "--dag", "slow", "--json"]);
    let order: Vec<&str> = events
        .iter()
        .rev()
        .filter_map(|event| event["event"].as_str())
        .filter(|name| name.starts_with("run_"))
        .collect();
    let first = ["run_created", "run_started", "run_created", "run_succeeded"];
    assert_eq!(
        order,
        [&first[..], &["run_started", "run_succeeded"]].concat()
    );
}

/// The script in README.md, as an outsider would write it: SHA-256 and nothing of Galen's.
#[test]
fn an_export_is_verified_with_sha_256_alone() {
    let home = home();
    open(&home);
    succeeds(galen(home.path(), &["run", "small"]));
    let export = succeeds(galen(home.path(), &["audit", "export"]));
    let mut previous = "0".repeat(64);
    for line in export.out.lines() {
        let event: Value = serde_json::from_str(line).expect("json");
        let members = ["seq", "at", "actor", "dag_id", "run_id", "task_id", "data"];
        let hashed: Vec<&Value> = members.iter().map(|name| &event[name]).collect();
        let hashed = serde_json::to_string(&hashed).expect("json");
        let digest = galen::base::sha256(format!("{previous}\n{hashed}")).to_string();
        assert_eq!(event["previous"], previous.as_str());
        assert_eq!(event["hash"], digest.as_str());
        previous = digest;
    }
    assert!(export.out.lines().count() > 10);
}
