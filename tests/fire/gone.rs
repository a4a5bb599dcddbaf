//! A database that goes away in the middle and comes back.

use std::time::{Duration, Instant};

use super::home::Home;
use crate::support::{Cluster, TestDatabase};

/// How long PostgreSQL is away; `GALEN_TEST_AWAY` gives another number of seconds.
fn away() -> Duration {
    let seconds = std::env::var("GALEN_TEST_AWAY");
    let seconds = seconds.map_or(4, |text| text.parse().expect("a number of seconds"));
    Duration::from_secs(seconds)
}

#[tokio::test]
async fn postgres_stopped_in_the_middle_of_a_run_holds_it_up_and_no_more() {
    let Some(cluster) = Cluster::new() else {
        return;
    };
    let home = Home::new(TestDatabase::on_cluster(&cluster).await);
    home.edit("dag.yaml", "batch_size: 500", "batch_size: 5");
    let mut run = home
        .command(&["run", "efiche", "--param", "max_rows=0"])
        .spawn()
        .expect("galen starts");
    let start = Instant::now();
    while loaded(&home) == 0 {
        assert!(start.elapsed() < Duration::from_secs(60), "nothing begins");
        std::thread::sleep(Duration::from_millis(50));
    }
    cluster.stop();
    std::thread::sleep(away());
    let ended = run.try_wait().expect("its state");
    assert!(ended.is_none(), "it did not wait: {ended:?}");
    cluster.start();
    let ended = run.wait_with_output().expect("its end");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{said}");
    home.must_be_as_if_nothing_had_happened().await;
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
