//! Changes go in at one door.

use galen::base::{EventKind, RunState, TaskState};
use galen::store::{Change, Refusal, TryState};

use super::scenario::*;
use crate::support::databases;

#[tokio::test]
async fn a_run_lives_from_creation_to_success() {
    for test in databases().await {
        let store = store(&test).await;
        apply(
            &store,
            1,
            vec![Change::CreateRun(new_run("r", 1, &["b", "a"]))],
        )
        .await;
        let run = store
            .run(&"r".into())
            .await
            .expect(test.name)
            .expect("a run");
        assert_eq!(
            (run.state, run.attempt, run.interval),
            (RunState::Queued, 1, day(1))
        );
        assert_eq!(run.params["max_rows"], 5);

        let mut changes = vec![run_event("r", EventKind::RunStarted)];
        changes.extend(claim("r", "b", 1));
        apply(&store, 2, changes).await;
        let mut changes = vec![task_event("r", "b", succeeded())];
        changes.extend(claim("r", "a", 1));
        let events = apply(&store, 3, changes).await;
        assert_eq!(events.len(), 4);
        let skip = EventKind::TaskSkipped {
            reason: "nothing new".to_owned(),
        };
        apply(
            &store,
            4,
            vec![
                task_event("r", "a", skip),
                run_event("r", EventKind::RunSucceeded),
            ],
        )
        .await;

        let run = store
            .run(&"r".into())
            .await
            .expect(test.name)
            .expect("a run");
        assert_eq!(run.state, RunState::Success);
        assert_eq!((run.started_at, run.ended_at), (Some(at(2)), Some(at(4))));
        let tasks = store.tasks(&"r".into()).await.expect(test.name);
        assert_eq!(tasks[0].task_id, "b".into(), "in the DAG's order");
        assert_eq!(tasks[0].counts.expect("counts").read, 2);
        assert_eq!(tasks[0].outputs["file"], "a\u{0}b");
        assert_eq!(
            (tasks[0].started_at, tasks[0].ended_at),
            (Some(at(2)), Some(at(3)))
        );
        assert_eq!(tasks[1].state, TaskState::Skipped);
        let tries = store.tries(&"r".into(), None).await.expect(test.name);
        let states: Vec<_> = tries
            .iter()
            .map(|t| (t.task_id.as_str(), t.state))
            .collect();
        assert_eq!(states, [("b", TryState::Success), ("a", TryState::Skipped)]);
    }
}

#[tokio::test]
async fn what_cannot_follow_is_refused_and_the_rest_goes_on() {
    for test in databases().await {
        let store = store(&test).await;
        apply(&store, 1, vec![Change::CreateRun(new_run("r", 1, &["a"]))]).await;
        let results = try_apply(
            &store,
            2,
            vec![
                Change::CreateRun(new_run("r", 1, &["a"])),
                run_event("r", EventKind::RunSucceeded),
                run_event("nowhere", EventKind::RunStarted),
                task_event("r", "nothing", EventKind::TaskScheduled),
                Change::RegisterDag(new_version("demo", "demo 1")),
                run_event("r", EventKind::RunStarted),
                run_event("r", EventKind::TaskScheduled),
            ],
        )
        .await;
        let texts: Vec<String> = results
            .iter()
            .map(|result| match result {
                Ok(event) => format!("{} {}", event.seq, event.kind),
                Err(refusal) => refusal.to_string(),
            })
            .collect();
        assert_eq!(
            texts,
            [
                "run `r` exists already".to_owned(),
                "`run_succeeded` cannot follow state `queued` of run".to_owned(),
                "run `nowhere` does not exist".to_owned(),
                "task `nothing` does not exist".to_owned(),
                format!("version `{}` is current already", version()),
                "3 run_started".to_owned(),
                "`task_scheduled` cannot follow state `running` of run".to_owned(),
            ]
        );
        assert_eq!(
            store.position().await.expect(test.name),
            3,
            "refusals leave no event"
        );
    }
}

#[tokio::test]
async fn failures_interruptions_and_deferrals_are_counted_apart() {
    for test in databases().await {
        let store = store(&test).await;
        apply(&store, 1, vec![Change::CreateRun(new_run("r", 1, &["a"]))]).await;
        apply(&store, 1, claim("r", "a", 1)).await;
        let retry = EventKind::TaskRetryPlanned {
            error: "gone\u{0}".to_owned(),
            at: at(9),
        };
        apply(&store, 2, vec![task_event("r", "a", retry)]).await;
        let task = store.tasks(&"r".into()).await.expect(test.name).remove(0);
        assert_eq!(
            (task.state, task.failures, task.next_at),
            (TaskState::UpForRetry, 1, Some(at(9)))
        );

        apply(&store, 9, claim("r", "a", 2)).await;
        let interrupted = EventKind::TaskInterrupted {
            reason: "killed".to_owned(),
        };
        apply(&store, 10, vec![task_event("r", "a", interrupted)]).await;
        let again = [EventKind::TaskQueued, started(3)].map(|kind| task_event("r", "a", kind));
        apply(&store, 11, again.into()).await;
        let deferred = EventKind::TaskDeferred { until: at(20) };
        apply(&store, 12, vec![task_event("r", "a", deferred)]).await;
        apply(&store, 20, claim("r", "a", 3)).await;
        let failed = EventKind::TaskFailed {
            error: "no".to_owned(),
            hint: Some("yes".to_owned()),
        };
        apply(&store, 21, vec![task_event("r", "a", failed)]).await;

        let task = store.tasks(&"r".into()).await.expect(test.name).remove(0);
        assert_eq!(
            (task.state, task.try_number, task.failures),
            (TaskState::Failed, 3, 2)
        );
        assert_eq!(
            (task.started_at, task.ended_at),
            (Some(at(11)), Some(at(21)))
        );
        assert_eq!(
            (task.error.as_deref(), task.hint.as_deref()),
            (Some("no"), Some("yes"))
        );
        let tries = store
            .tries(&"r".into(), Some(&"a".into()))
            .await
            .expect(test.name);
        let seen: Vec<_> = tries
            .iter()
            .map(|t| (t.try_number, t.state, t.started_at))
            .collect();
        let expected = [
            (1, TryState::Failed, at(1)),
            (2, TryState::Interrupted, at(9)),
            (3, TryState::Failed, at(11)),
        ];
        assert_eq!(seen, expected, "{}", test.name);

        apply(
            &store,
            30,
            vec![task_event("r", "a", EventKind::TaskCleared)],
        )
        .await;
        let task = store.tasks(&"r".into()).await.expect(test.name).remove(0);
        assert_eq!(
            (task.state, task.try_number, task.failures),
            (TaskState::None, 3, 0)
        );
        assert_eq!(
            (task.error, task.started_at, task.ended_at),
            (None, None, None)
        );
    }
}

#[tokio::test]
async fn of_two_that_claim_one_task_one_is_refused() {
    for test in databases().await {
        let store = store(&test).await;
        let tasks: Vec<String> = (0..20).map(|n| format!("t{n}")).collect();
        let names: Vec<&str> = tasks.iter().map(String::as_str).collect();
        apply(&store, 1, vec![Change::CreateRun(new_run("r", 1, &names))]).await;
        // two processes: two stores, each with its own connections
        let claimers = (0..2).map(|_| {
            let settings = test.settings();
            let tasks = tasks.clone();
            tokio::spawn(async move {
                let store = galen::store::Store::open(&settings).expect("a store");
                let mut won = 0;
                for task in &tasks {
                    let results = try_apply(&store, 2, claim("r", task, 1)).await;
                    won += usize::from(results.iter().all(Result::is_ok));
                    assert!(
                        results.iter().all(Result::is_ok) || results.iter().all(Result::is_err)
                    );
                }
                won
            })
        });
        let won = futures::future::join_all(claimers).await;
        let won: usize = won.into_iter().map(|won| won.expect("a claimer")).sum();
        assert_eq!(won, tasks.len(), "{}", test.name);
        let tries = store.tries(&"r".into(), None).await.expect(test.name);
        assert_eq!(tries.len(), tasks.len(), "{}", test.name);
        assert_eq!(
            store.verify_events().await.expect(test.name).first_break,
            None
        );
    }
}

#[tokio::test]
async fn a_version_is_kept_once_and_becomes_current_again() {
    for test in databases().await {
        let store = store(&test).await;
        apply(
            &store,
            1,
            vec![Change::RegisterDag(new_version("demo", "demo 2"))],
        )
        .await;
        let pause = Change::Event(galen::base::Subject::Dag(dag()), EventKind::DagPaused);
        apply(&store, 2, vec![pause]).await;
        apply(
            &store,
            3,
            vec![Change::RegisterDag(new_version("demo", "demo 1"))],
        )
        .await;
        let dags = store.dags().await.expect(test.name);
        assert_eq!(dags.len(), 1);
        assert_eq!((dags[0].version, dags[0].paused), (version(), true));
        let stored = store
            .version(&version())
            .await
            .expect(test.name)
            .expect("a version");
        assert_eq!(stored.registered_at, at(0), "when it was first seen");
        assert_eq!(&*stored.files["dag.yaml"], "demo 1");
        assert_eq!(stored.files.len(), 2);
        assert_eq!(
            store.version(&Default::default()).await.expect(test.name),
            None
        );
        let missing = Change::Event(galen::base::Subject::Dag("x".into()), EventKind::DagPaused);
        let results = try_apply(&store, 4, vec![missing]).await;
        assert_eq!(
            results[0],
            Err(Refusal::NotFound {
                kind: "dag",
                id: "x".to_owned()
            })
        );
    }
}
