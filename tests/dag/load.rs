//! What a sound folder becomes, and what of it a version is the hash of.

use std::time::Duration;

use galen::base::TriggerRule;
use galen::dag::{DagFiles, Dags, Version};
use serde_json::json;

use super::folder::Folder;

const SOUND: &str = r#"
dag_id: sales
description: Orders to tables
schedule: {cron: "0 3 * * *", timezone: Europe/Madrid, start_date: 2026-01-01, end_date: 2026-12-31, catchup: true}
default_args: {retries: 3, retry_delay: 30s, on_failure: {operator: shell}}
params: {rows: {type: integer, default: 5000, minimum: 0}, names: [a, b]}
tasks:
  - task_id: load
    operator: copy
    with: {file: targets.yaml, rows: "{{ params.rows }}", mode: append, source: {json: {path: "in/{{ ds }}.json"}}}
  - task_id: count
    operator: shell
    depends_on: [load]
    retries: 0
    trigger_rule: all_done
    when: "{{ outputs.load.rows > 0 }}"
    with: {command: ["echo", "{{ outputs.load.rows }}", "{{ params.names | join(',') }}"]}
"#;

fn sound() -> Folder {
    let folder = Folder::new();
    folder
        .write("sales/dag.yaml", SOUND)
        .write("sales/targets.yaml", "x: 1");
    folder
}

fn only(folder: &Folder) -> Version {
    let loaded = folder.load();
    assert!(loaded.broken.is_empty(), "{}", folder.report());
    loaded.dags.into_iter().next().expect("one DAG")
}

#[test]
fn defaults_are_filled_in() {
    let version = only(&sound());
    let dag = &version.dag;
    let schedule = dag.schedule.as_ref().expect("schedule");
    assert_eq!(
        schedule.start_date.expect("start").to_rfc3339(),
        "2025-12-31T23:00:00+00:00"
    );
    // the last day is included
    assert_eq!(
        schedule.end_date.expect("end").to_rfc3339(),
        "2026-12-31T23:00:00+00:00"
    );
    assert_eq!(dag.max_active_runs, 16);
    assert_eq!(dag.params["names"].default, json!(["a", "b"]));
    let [load, count] = &dag.tasks[..] else {
        panic!("two tasks")
    };
    assert_eq!(
        (load.retries, load.retry_delay),
        (3, Duration::from_secs(30))
    );
    assert_eq!(load.trigger_rule, TriggerRule::AllSuccess);
    assert_eq!(load.on_failure.as_ref().expect("hook").operator, "shell");
    assert_eq!(
        (count.retries, count.trigger_rule),
        (0, TriggerRule::AllDone)
    );
    assert!(version.files.contains("targets.yaml") && !version.files.contains("dag.yaml"));
}

#[test]
fn the_hash_follows_meaning_and_files_but_not_layout() {
    let folder = sound();
    let first = only(&folder);
    folder.write(
        "sales/dag.yaml",
        format!("# a comment\n{}", SOUND.replace("30s", "\"30s\"")),
    );
    folder.write("sales/fixtures/expected.csv", "a,b");
    assert_eq!(only(&folder).hash, first.hash);
    folder.write("sales/targets.yaml", "x: 2");
    let second = only(&folder);
    assert_ne!(second.hash, first.hash);
    folder.write("sales/dag.yaml", SOUND.replace("30s", "31s"));
    assert_ne!(only(&folder).hash, second.hash);
}

#[test]
fn a_version_survives_the_way_to_a_store_and_back() {
    let version = only(&sound());
    let json = version.json().expect("json");
    let files = version.files.iter();
    let files = files.map(|(path, text)| (path.to_owned(), text.clone()));
    let back = Version::from_json(&json, files.collect()).expect("reads back");
    assert_eq!(back, version);
    assert!(Version::from_json("{}", DagFiles::default()).is_err());
}

#[test]
fn a_bad_edit_keeps_the_last_good_version_and_says_so() {
    let folder = sound();
    folder.write(
        "other/dag.yaml",
        "dag_id: other\ntasks: [{task_id: x, operator: shell}]\n",
    );
    let good = Dags::from(folder.load());
    folder.write(
        "sales/dag.yaml",
        SOUND.replace("operator: copy", "operator: cpoy"),
    );
    let edited = good.merge(folder.load());
    assert_eq!(edited.versions["sales"], good.versions["sales"]);
    assert_eq!(
        edited.broken["sales"][0].hint.as_deref(),
        Some("did you mean `copy`?")
    );
    assert_eq!(edited.versions.len(), 2);
    folder.write("sales/dag.yaml", SOUND);
    assert!(edited.merge(folder.load()).broken.is_empty());
    std::fs::remove_dir_all(folder.dags().join("sales")).expect("removed");
    assert!(!edited.merge(folder.load()).versions.contains_key("sales"));
}

#[test]
fn a_broken_dag_stops_no_other() {
    let folder = sound();
    folder.write("broken/dag.yaml", "dag_id: broken");
    let loaded = folder.load();
    assert_eq!((loaded.dags.len(), loaded.broken.len()), (1, 1));
}

#[test]
fn a_directory_that_is_not_there_is_empty() {
    let folder = Folder::new();
    std::fs::remove_dir(folder.dags()).expect("removed");
    assert!(folder.load().dags.is_empty());
}
