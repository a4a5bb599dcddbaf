//! Edits are noticed while a process runs.

use std::fs;
use std::time::Duration;

use galen::dag::DagWatcher;
use tokio::time::timeout;

use super::folder::Folder;

const DAG: &str = "dag_id: a\ntasks: [{task_id: x, operator: shell}]\n";

/// Long enough for the slowest machine; an edit is noticed within a second.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn edits_new_folders_and_removals_are_noticed() {
    let folder = Folder::new();
    let mut watcher = DagWatcher::new(&folder.dags()).expect("watcher");

    folder.write("a/dag.yaml", DAG);
    timeout(PATIENCE, watcher.changed())
        .await
        .expect("new folder");
    assert_eq!(folder.load().dags.len(), 1);

    folder.write("a/targets/orders.yaml", "x: 1");
    timeout(PATIENCE, watcher.changed())
        .await
        .expect("new file below");

    fs::remove_dir_all(folder.dags().join("a")).expect("removed");
    timeout(PATIENCE, watcher.changed()).await.expect("removal");
    assert!(folder.load().dags.is_empty());
}

#[tokio::test]
async fn waiting_can_be_cut_short_without_losing_a_change() {
    let folder = Folder::new();
    let mut watcher = DagWatcher::new(&folder.dags()).expect("watcher");
    folder.write("a/dag.yaml", DAG);
    for _ in 0..1_000 {
        tokio::select! {
            biased;
            () = watcher.changed() => return,
            () = tokio::task::yield_now() => {}
        }
    }
    timeout(PATIENCE, watcher.changed())
        .await
        .expect("still noticed");
}

#[test]
fn a_directory_that_is_not_there_cannot_be_watched() {
    let folder = Folder::new();
    assert!(DagWatcher::new(&folder.dags().join("none")).is_err());
}
