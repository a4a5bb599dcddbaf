//! A database that goes away in the middle and comes back.

use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::home::Home;
use crate::support::{Cluster, Process, TestDatabase};

/// How long PostgreSQL is away: longer than anybody waits for a connection. `GALEN_TEST_AWAY` gives another number of seconds.
fn away() -> Duration {
    let seconds = std::env::var("GALEN_TEST_AWAY");
    let seconds = seconds.map_or(12, |text| text.parse().expect("a number of seconds"));
    Duration::from_secs(seconds)
}

/// PostgreSQL goes away once `run` has loaded something and comes back later; `run` and `scheduler`, if any, see it through.
async fn goes_on(cluster: &Cluster, home: &Home, scheduler: Option<Process>) {
    let mut run = Process::start(&mut home.command(&["run", "efiche", "--param", "max_rows=0"]));
    let start = Instant::now();
    while loaded(home) == 0 {
        assert!(start.elapsed() < Duration::from_secs(60), "nothing begins");
        std::thread::sleep(Duration::from_millis(50));
    }
    cluster.stop();
    std::thread::sleep(away());
    let ended = run.ended();
    assert!(ended.is_none(), "it did not wait: {ended:?}");
    cluster.start();
    let (status, said) = run.end();
    println!("{said}");
    assert!(status.success(), "{said}");
    if let Some(scheduler) = scheduler {
        scheduler.tell(Signal::TERM);
        let (status, _) = scheduler.end();
        assert!(status.success(), "{status}");
    }
    home.must_be_as_if_nothing_had_happened().await;
}

async fn home_on(cluster: &Cluster) -> Home {
    let home = Home::new(TestDatabase::on_cluster(cluster).await);
    home.edit("dag.yaml", "batch_size: 500", "batch_size: 5");
    home
}

#[tokio::test]
async fn postgres_stopped_in_the_middle_of_a_run_holds_it_up_and_no_more() {
    if let Some(cluster) = Cluster::new() {
        let home = home_on(&cluster).await;
        goes_on(&cluster, &home, None).await;
    }
}

#[tokio::test]
async fn postgres_stopped_holds_up_the_scheduler_and_who_looks_on() {
    if let Some(cluster) = Cluster::new() {
        let home = home_on(&cluster).await;
        home.galen(&["db", "migrate"]);
        let mut scheduler = home.command(&["scheduler"]);
        let scheduler = Process::start(scheduler.stdout(Stdio::null()).stderr(Stdio::null()));
        while home
            .list(&["audit", "log", "--event", "lease_taken"])
            .is_empty()
        {
            std::thread::sleep(Duration::from_millis(50));
        }
        goes_on(&cluster, &home, Some(scheduler)).await;
    }
}

/// Rows of the longest load so far.
fn loaded(home: &Home) -> u64 {
    let said = crate::cli::galen::said(home.command(&["tables", "efiche", "--json"]));
    let tables: Vec<serde_json::Value> = serde_json::from_str(&said.out).unwrap_or_default();
    let procedures = tables.iter().find(|table| table["table"] == "procedures");
    procedures
        .and_then(|table| table["rows"].as_u64())
        .unwrap_or(0)
}
