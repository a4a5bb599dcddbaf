//! Random changes: the tables say what the events say.

use std::collections::BTreeMap;

use galen::base::{EventKind, RunId, RunState, Subject, TaskId, TaskState};
use galen::store::{Change, Store, TryState};
use proptest::prelude::*;

use super::scenario::*;
use crate::support::databases;

/// A change to one of two runs of three tasks.
fn change() -> impl Strategy<Value = Change> {
    let run = prop_oneof![Just("r1"), Just("r2")];
    let task = prop_oneof![Just("a"), Just("b"), Just("c")];
    (run, task, 0..20_usize, 1..4_u32).prop_map(|(run, task, kind, number)| {
        let text = || "why".to_owned();
        match kind {
            0 => Change::CreateRun(new_run(run, 1, &["a", "b", "c"])),
            1 => run_event(run, EventKind::RunStarted),
            2 => run_event(run, EventKind::RunSucceeded),
            3 => run_event(run, EventKind::RunFailed { reason: text() }),
            4 => run_event(run, EventKind::RunReopened { tasks: 1 }),
            5 | 6 => task_event(run, task, EventKind::TaskScheduled),
            7 | 8 => task_event(run, task, EventKind::TaskQueued),
            9..=11 => task_event(run, task, started(number)),
            12 => task_event(run, task, succeeded()),
            13 => task_event(
                run,
                task,
                EventKind::TaskFailed {
                    error: text(),
                    hint: None,
                },
            ),
            14 => task_event(
                run,
                task,
                EventKind::TaskRetryPlanned {
                    error: text(),
                    at: at(9),
                },
            ),
            15 => task_event(run, task, EventKind::TaskDeferred { until: at(9) }),
            16 => task_event(run, task, EventKind::TaskSkipped { reason: text() }),
            17 => task_event(run, task, EventKind::TaskInterrupted { reason: text() }),
            18 => task_event(run, task, EventKind::TaskCancelled),
            _ => task_event(run, task, EventKind::TaskCleared),
        }
    })
}

/// States as the events alone tell them.
async fn told(
    store: &Store,
) -> (
    BTreeMap<RunId, RunState>,
    BTreeMap<(RunId, TaskId), TaskState>,
) {
    let mut runs = BTreeMap::new();
    let mut tasks = BTreeMap::new();
    for event in store.events_after(0, u32::MAX).await.expect("events") {
        match (event.subject, &event.kind) {
            (Subject::Run(_, run), EventKind::RunCreated { .. }) => {
                for task in ["a", "b", "c"] {
                    tasks.insert((run.clone(), task.into()), TaskState::None);
                }
                runs.insert(run, RunState::Queued);
            }
            (Subject::Run(_, run), kind) => {
                let state = runs.get_mut(&run).expect("created before");
                *state = state.apply(kind).expect("only what may follow is recorded");
            }
            (Subject::Task(_, run, task), kind) => {
                let state = tasks.get_mut(&(run, task)).expect("created before");
                *state = state.apply(kind).expect("only what may follow is recorded");
            }
            _ => {}
        }
    }
    (runs, tasks)
}

async fn check(store: &Store) {
    let (runs, tasks) = told(store).await;
    for (run_id, state) in &runs {
        let run = store.run(run_id).await.expect("read").expect("a run");
        assert_eq!(run.state, *state);
        for task in store.tasks(run_id).await.expect("read") {
            assert_eq!(task.state, tasks[&(run_id.clone(), task.task_id.clone())]);
            let tries = store
                .tries(run_id, Some(&task.task_id))
                .await
                .expect("read");
            let open = tries
                .iter()
                .filter(|t| t.state == TryState::Running)
                .count();
            assert_eq!(open, usize::from(task.state == TaskState::Running));
        }
    }
    let active = store.active_runs().await.expect("read").len();
    assert_eq!(
        active,
        runs.values().filter(|state| !state.is_terminal()).count()
    );
    assert_eq!(store.verify_events().await.expect("read").first_break, None);
}

#[test]
fn tables_equal_the_fold_of_the_events() {
    let groups = prop::collection::vec(prop::collection::vec(change(), 1..30), 1..8);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let config = ProptestConfig {
        cases: 24,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    proptest!(config, |(groups in groups)| {
        runtime.block_on(async {
            for test in databases().await {
                let store = store(&test).await;
                for (minute, changes) in (1..).zip(groups.clone()) {
                    try_apply(&store, minute, changes).await;
                }
                check(&store).await;
            }
        });
    });
}
