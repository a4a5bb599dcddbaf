//! What the store's tests start from.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use galen::base::{
    Counts, DagId, Digest, Event, EventKind, Interval, RunId, RunKind, Subject, TaskId, sha256,
};
use galen::store::{Change, NewRun, NewVersion, Refusal, Store};
use serde_json::Map;

use crate::support::TestDatabase;

pub const ACTOR: &str = "test:1";

/// A fixed time, `minutes` after midnight.
pub fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_225_600, 0).expect("a time") + TimeDelta::minutes(minutes)
}

pub fn day(number: i64) -> Interval {
    let start = at(0) + TimeDelta::days(number);
    Interval::new(start, start + TimeDelta::days(1)).expect("a day")
}

pub fn dag() -> DagId {
    "demo".into()
}

pub fn version() -> Digest {
    sha256("demo 1")
}

pub fn new_version(dag_id: &str, text: &str) -> NewVersion {
    NewVersion {
        dag_id: dag_id.into(),
        version: sha256(text),
        definition: format!("{{\"text\":\"{text}\"}}"),
        files: BTreeMap::from([
            ("dag.yaml".to_owned(), text.into()),
            ("same.sql".to_owned(), "SELECT 1".into()),
        ]),
    }
}

pub fn new_run(run_id: &str, number: i64, tasks: &[&str]) -> NewRun {
    NewRun {
        run_id: run_id.into(),
        dag_id: dag(),
        version: version(),
        kind: RunKind::Scheduled,
        interval: day(number),
        params: Map::from_iter([("max_rows".to_owned(), 5.into())]),
        backfill_id: None,
        tasks: tasks.iter().map(|task| TaskId::from(*task)).collect(),
    }
}

/// A migrated store in which the DAG `demo` is registered.
pub async fn store(test: &TestDatabase) -> Store {
    let store = Store::open(&test.settings()).expect(test.name);
    store.migrate(at(0)).await.expect(test.name);
    let change = Change::RegisterDag(new_version("demo", "demo 1"));
    apply(&store, 0, vec![change]).await;
    store
}

/// Applies changes of which none may be refused.
pub async fn apply(store: &Store, minute: i64, changes: Vec<Change>) -> Vec<Event> {
    let results = try_apply(store, minute, changes).await;
    results
        .into_iter()
        .map(|result| result.expect("not refused"))
        .collect()
}

pub async fn try_apply(
    store: &Store,
    minute: i64,
    changes: Vec<Change>,
) -> Vec<Result<Event, Refusal>> {
    store
        .apply(ACTOR, at(minute), changes)
        .await
        .expect("applied")
}

pub fn run_event(run_id: &str, kind: EventKind) -> Change {
    Change::Event(Subject::Run(dag(), RunId::from(run_id)), kind)
}

pub fn task_event(run_id: &str, task_id: &str, kind: EventKind) -> Change {
    Change::Event(
        Subject::Task(dag(), RunId::from(run_id), TaskId::from(task_id)),
        kind,
    )
}

pub fn started(number: u32) -> EventKind {
    EventKind::TaskStarted {
        r#try: number,
        owner: "host:1:a".to_owned(),
    }
}

pub fn succeeded() -> EventKind {
    EventKind::TaskSucceeded {
        counts: Counts {
            read: 2,
            inserted: 2,
            ..Counts::default()
        },
        tables: BTreeMap::from([("t".to_owned(), Counts::default())]),
        outputs: Map::from_iter([("file".to_owned(), "a\u{0}b".into())]),
        audit: None,
    }
}

/// What takes a task from `none` to `running`.
pub fn claim(run_id: &str, task_id: &str, number: u32) -> Vec<Change> {
    [
        EventKind::TaskScheduled,
        EventKind::TaskQueued,
        started(number),
    ]
    .map(|kind| task_event(run_id, task_id, kind))
    .into()
}
