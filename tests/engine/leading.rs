//! Two schedulers on one store.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use galen::base::{EventKind, RunState, Subject, SystemClock};
use tokio_util::sync::CancellationToken;

use super::world::World;
use crate::support::databases;

const PARALLELISM: u32 = 4;

#[tokio::test]
async fn no_task_is_started_twice_and_no_limit_is_passed() {
    for database in databases().await {
        let name = database.name;
        let world = World::with_clock(database, Arc::new(SystemClock), |settings| {
            settings.engine.lease_ttl = Duration::from_millis(100);
            settings.engine.parallelism = PARALLELISM;
        })
        .await;
        let tasks: Vec<String> = (0..12).map(|n| format!("task_id: t{n}")).collect();
        let tasks: Vec<&str> = tasks.iter().map(String::as_str).collect();
        world.dag("wide", "max_active_runs: 3", &tasks);
        let mut runs = BTreeSet::new();
        for _ in 0..6 {
            runs.insert(world.trigger("wide").await);
        }
        // three processes take turns: each dies while the others wait for its lease to run out
        let stop = CancellationToken::new();
        for round in 0..3 {
            let (first, second) = (world.another(), world.another());
            let life = Duration::from_millis(150 + 50 * round);
            tokio::select! {
                _ = first.schedule(&stop) => {}
                _ = second.schedule(&stop) => {}
                () = tokio::time::sleep(life) => {}
            }
        }
        for run in &runs {
            world.drive(run).await;
            assert_eq!(world.state(run).await, RunState::Success, "{name}");
        }
        let events = world
            .handle
            .store()
            .events_after(0, u32::MAX)
            .await
            .expect("events");
        let mut tries = BTreeSet::new();
        let mut at_work: BTreeMap<String, u32> = BTreeMap::new();
        for event in &events {
            let Subject::Task(_, run, task) = &event.subject else {
                continue;
            };
            match &event.kind {
                EventKind::TaskStarted { r#try, .. } => {
                    assert!(
                        tries.insert((run.clone(), task.clone(), *r#try)),
                        "{name}: twice"
                    );
                    at_work.insert(format!("{run}{task}"), 1);
                }
                EventKind::TaskSucceeded { .. } | EventKind::TaskInterrupted { .. } => {
                    at_work.remove(&format!("{run}{task}"));
                }
                _ => {}
            }
            assert!(
                at_work.len() <= PARALLELISM as usize,
                "{name}: {}",
                at_work.len()
            );
        }
        let leaders = events
            .iter()
            .filter(|e| matches!(e.kind, EventKind::LeaseTaken { .. }));
        assert!(leaders.count() >= 2, "{name}: nobody took over");
    }
}
