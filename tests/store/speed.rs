//! Benchmarks, run by hand: `cargo test --release --test galen store::speed -- --ignored --nocapture --test-threads=1`.

use std::time::{Duration, Instant};

use galen::base::RunState;
use galen::db::Database;
use galen::store::{Change, EventFilter, RunFilter, Store};

use super::scenario::*;
use crate::support::{TestDatabase, databases};

#[tokio::test]
#[ignore = "a benchmark"]
async fn changes_through_the_door() {
    for test in databases().await {
        let store = store(&test).await;
        let names: Vec<String> = (0..10_000).map(|number| format!("t{number}")).collect();
        let tasks: Vec<&str> = names.iter().map(String::as_str).collect();

        apply(
            &store,
            1,
            vec![Change::CreateRun(new_run("chain", 1, &tasks[..500]))],
        )
        .await;
        apply(&store, 1, claim("chain", tasks[0], 1)).await;
        let start = Instant::now();
        for pair in tasks[..500].windows(2) {
            let mut changes = vec![task_event("chain", pair[0], succeeded())];
            changes.extend(claim("chain", pair[1], 1));
            apply(&store, 2, changes).await;
        }
        println!(
            "{}: one step of a chain {:?}",
            test.name,
            start.elapsed() / 499
        );

        apply(
            &store,
            3,
            vec![Change::CreateRun(new_run("wide", 2, &tasks))],
        )
        .await;
        let mut changes = Vec::new();
        for task in &tasks {
            changes.extend(claim("wide", task, 1));
            changes.push(task_event("wide", task, succeeded()));
        }
        let start = Instant::now();
        apply(&store, 4, changes).await;
        println!(
            "{}: 40,000 changes at once {:?}",
            test.name,
            start.elapsed()
        );
        let start = Instant::now();
        let events = store.verify_events().await.expect(test.name).events;
        println!(
            "{}: verifying {events} events {:?}",
            test.name,
            start.elapsed()
        );
    }
}

#[tokio::test]
#[ignore = "a benchmark"]
async fn reads_beside_a_long_history() {
    for test in databases().await {
        let store = store(&test).await;
        for (from, to) in [(0, 1_000), (1_000, 100_000)] {
            add_history(&test, from, to).await;
            apply(
                &store,
                1,
                vec![Change::CreateRun(new_run(&format!("r{to}"), 1, &["a"]))],
            )
            .await;
            for question in QUESTIONS {
                let mut times = Vec::new();
                for _ in 0..101 {
                    let start = Instant::now();
                    ask(&store, question, &format!("r{to}")).await;
                    times.push(start.elapsed());
                }
                times.sort();
                let middle: Duration = times[50];
                println!("{} after {to} runs: {question} {middle:?}", test.name);
            }
        }
    }
}

const QUESTIONS: [&str; 6] = [
    "active runs",
    "last scheduled run",
    "newest 20 runs",
    "newest failed run of a dag",
    "tasks of a run",
    "events of a run",
];

async fn ask(store: &Store, question: &str, run_id: &str) {
    let found = match question {
        "active runs" => store.active_runs().await.map(drop),
        "last scheduled run" => store.last_scheduled(&dag()).await.map(drop),
        "newest 20 runs" => {
            let filter = RunFilter {
                limit: Some(20),
                ..RunFilter::default()
            };
            store.runs(&filter).await.map(drop)
        }
        "newest failed run of a dag" => {
            let filter = RunFilter {
                dag: Some(dag()),
                states: vec![RunState::Failed],
                limit: Some(1),
                ..RunFilter::default()
            };
            store.runs(&filter).await.map(drop)
        }
        "tasks of a run" => store.tasks(&run_id.into()).await.map(drop),
        _ => {
            let run = Some(run_id.into());
            let filter = EventFilter {
                run,
                limit: Some(20),
                ..EventFilter::default()
            };
            store.events(&filter).await.map(drop)
        }
    };
    found.expect(question);
}

/// Past runs of three tasks each, an hour apart.
async fn add_history(test: &TestDatabase, from: u32, to: u32) {
    let database = Database::metadata(&test.settings()).expect(test.name);
    let last = to - 1;
    let (numbers, time) = if database.is_postgres() {
        (
            format!("WITH g(n) AS (SELECT generate_series({from}, {last}))"),
            "timestamptz '2010-01-01T00:00:00+00:00' + n * interval '1 hour'",
        )
    } else {
        (
            format!(
                "WITH RECURSIVE g(n) AS (SELECT {from} UNION ALL SELECT n + 1 FROM g WHERE n < {last})"
            ),
            "strftime('%Y-%m-%dT%H:%M:%S+00:00', 1262304000 + n * 3600, 'unixepoch')",
        )
    };
    let version = version();
    let runs = format!(
        "{numbers} INSERT INTO runs (run_id, dag_id, version, kind, state, interval_start, interval_end, params, attempt, created_at)
        SELECT 'past' || n, 'demo', '{version}', 'scheduled', 'success', {time}, {time}, '{{}}', 1, {time} FROM g"
    );
    let tasks = format!(
        "{numbers} INSERT INTO tasks (run_id, task_id, position, state, try_number, failures)
        SELECT 'past' || n, 't' || k, k, 'success', 1, 0 FROM g CROSS JOIN (SELECT 0 AS k UNION SELECT 1 UNION SELECT 2) AS ks"
    );
    let mut tx = database.begin().await.expect(test.name);
    for sql in [runs, tasks] {
        tx.conn()
            .expect("open")
            .run_script(&sql)
            .await
            .expect(test.name);
    }
    tx.commit().await.expect(test.name);
}
