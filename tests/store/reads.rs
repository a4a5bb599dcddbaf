//! What the store can be asked.

use galen::base::{EventKind, RunId, RunKind, RunState};
use galen::store::{Change, EventFilter, RunFilter};

use super::scenario::*;
use crate::support::databases;

#[tokio::test]
async fn runs_are_found_by_what_is_known_of_them() {
    for test in databases().await {
        let store = store(&test).await;
        let mut manual = new_run("m", 9, &["a"]);
        manual.kind = RunKind::Manual;
        let mut changes = vec![Change::CreateRun(manual)];
        for number in 1..=5 {
            changes.push(Change::CreateRun(new_run(
                &format!("r{number}"),
                number,
                &["a"],
            )));
        }
        changes.push(run_event("r2", EventKind::RunCancelled));
        changes.push(run_event("r3", EventKind::RunStarted));
        apply(&store, 1, changes).await;

        let ids = |runs: Vec<galen::store::Run>| -> Vec<String> {
            runs.iter().map(|run| run.run_id.to_string()).collect()
        };
        let active = store.active_runs().await.expect(test.name);
        assert_eq!(ids(active), ["r1", "r3", "r4", "r5", "m"]);
        let last = store
            .last_scheduled(&dag())
            .await
            .expect(test.name)
            .expect("one");
        assert_eq!(last.run_id, RunId::from("r5"));
        let filter = RunFilter {
            dag: Some(dag()),
            states: vec![RunState::Queued, RunState::Running],
            kinds: vec![RunKind::Scheduled],
            from: Some(day(2).start),
            to: Some(day(5).start),
            limit: Some(1),
            ..RunFilter::default()
        };
        assert_eq!(ids(store.runs(&filter).await.expect(test.name)), ["r4"]);
        let all = store.runs(&RunFilter::default()).await.expect(test.name);
        assert_eq!(ids(all), ["m", "r5", "r4", "r3", "r2", "r1"]);
        // a run made later is newer, however old its data
        let late = vec![Change::CreateRun(new_run("late", 0, &["a"]))];
        apply(&store, 2, late).await;
        let two = RunFilter {
            limit: Some(2),
            ..RunFilter::default()
        };
        assert_eq!(ids(store.runs(&two).await.expect(test.name)), ["late", "m"]);
        let moved_on = RunFilter {
            states: vec![RunState::Running, RunState::Cancelled, RunState::Running],
            ..RunFilter::default()
        };
        let found = store.runs(&moved_on).await.expect(test.name);
        assert_eq!(ids(found), ["r3", "r2"]);
        let starts = [day(4).start, day(1).start, day(7).start];
        let found = store.runs_at(&dag(), &starts).await.expect(test.name);
        assert_eq!(ids(found), ["r1", "r4"]);
        let tasks = store
            .tasks_of(&["r1".into(), "m".into(), "x".into()])
            .await
            .expect(test.name);
        assert_eq!(tasks.len(), 2);
    }
}

#[tokio::test]
async fn events_are_followed_and_filtered() {
    for test in databases().await {
        let store = store(&test).await;
        assert_eq!(store.position().await.expect(test.name), 1);
        apply(&store, 1, vec![Change::CreateRun(new_run("r", 1, &["a"]))]).await;
        apply(&store, 2, claim("r", "a", 1)).await;
        let after = store.events_after(2, 2).await.expect(test.name);
        assert_eq!(
            after.iter().map(|event| event.seq).collect::<Vec<_>>(),
            [3, 4]
        );
        assert_eq!(after[0].kind, EventKind::TaskScheduled);
        assert_eq!((after[0].at, after[0].actor.as_str()), (at(2), ACTOR));

        let filter = EventFilter {
            dag: Some(dag()),
            run: Some("r".into()),
            task: Some("a".into()),
            names: vec!["task_queued".to_owned(), "task_started".to_owned()],
            from: Some(at(2)),
            limit: Some(1),
            ..EventFilter::default()
        };
        let found = store.events(&filter).await.expect(test.name);
        assert_eq!(found.iter().map(|event| event.seq).collect::<Vec<_>>(), [5]);
        let (seq, hash) = store.head().await.expect(test.name);
        assert_eq!((seq, hash), (5, found[0].hash));
    }
}
