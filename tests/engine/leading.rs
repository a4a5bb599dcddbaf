//! Several processes on one store: who leads, and for how long.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use galen::base::{EventKind, RunState, Subject, SystemClock, TaskState};
use galen::engine::Goal;
use tokio::sync::mpsc::unbounded_channel;
use tokio_util::sync::CancellationToken;

use super::world::{World, schedule};
use crate::support::databases;

/// Longer than any of these tests may take to come to its end.
const PATIENCE: Duration = Duration::from_secs(8);

#[tokio::test]
async fn a_hook_that_hangs_keeps_nobody_from_leading() {
    for database in databases().await {
        let world = World::with_clock(database, Arc::new(SystemClock), |settings| {
            settings.engine.grace = Duration::from_millis(50);
        })
        .await;
        let hook = "on_success: {operator: shell, with: {ends: [hang]}}";
        world.dag("hooked", hook, &["task_id: t"]);
        world.dag("plain", "", &["task_id: t"]);
        let run = world.trigger("hooked").await;
        let goal = Goal::Runs(BTreeSet::from([run.clone()]));
        let stop = CancellationToken::new();
        let (sender, _receiver) = unbounded_channel();
        let other = async {
            while world.state(&run).await != RunState::Success {
                tokio::task::yield_now().await;
            }
            let plain = world.trigger("plain").await;
            let goal = Goal::Runs(BTreeSet::from([plain.clone()]));
            let (sender, _receiver) = unbounded_channel();
            let driven = world.another();
            let driven = driven.drive(&goal, sender, &stop);
            let driven = tokio::time::timeout(PATIENCE, driven).await;
            driven.expect("the lead to be free").expect("driven");
            stop.cancel();
        };
        let driven = world.handle.drive(&goal, sender, &stop);
        let both = async { tokio::join!(driven, other) };
        let (driven, ()) = tokio::time::timeout(PATIENCE * 2, both)
            .await
            .expect("the hook to be stopped");
        driven.expect("driven");
    }
}

#[tokio::test]
async fn a_command_whose_run_has_ended_hands_back_what_else_it_drives() {
    for database in databases().await {
        let world = World::with_clock(database, Arc::new(SystemClock), |settings| {
            settings.engine.lease_ttl = Duration::from_millis(100);
            settings.engine.grace = Duration::from_millis(50);
        })
        .await;
        world.dag("endless", "", &["task_id: hangs, with: {ends: [hang]}"]);
        world.dag("plain", "", &["task_id: t"]);
        let endless = world.trigger("endless").await;
        let dies = world.another();
        let begun = async {
            while world.tasks(&endless).await["hangs"] != TaskState::Running {
                tokio::task::yield_now().await;
            }
        };
        let never = CancellationToken::new();
        tokio::select! {
            () = schedule(&dies, &never) => {}
            () = begun => {}
        }
        let plain = world.trigger("plain").await;
        tokio::time::timeout(PATIENCE, world.drive(&plain))
            .await
            .expect("the command to end with its run");
        assert_eq!(world.state(&plain).await, RunState::Success);
        assert_eq!(world.state(&endless).await, RunState::Running);
        let tasks = world.tasks(&endless).await;
        assert_eq!(tasks["hangs"], TaskState::Scheduled);
    }
}

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
                () = schedule(&first, &stop) => {}
                () = schedule(&second, &stop) => {}
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

#[tokio::test]
async fn a_scheduler_with_nothing_to_do_is_woken_by_what_another_process_queues() {
    for database in databases().await {
        let world = World::with_clock(database, Arc::new(SystemClock), |settings| {
            // it looks by itself every twenty minutes
            settings.engine.lease_ttl = Duration::from_secs(3600);
        })
        .await;
        world.dag("plain", "", &["task_id: t"]);
        let stop = CancellationToken::new();
        let scheduler = world.another();
        let other = async {
            for _ in 0..2 {
                let run = world.trigger("plain").await;
                while world.state(&run).await != RunState::Success {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                // until nothing that the scheduler wrote itself can wake it
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            stop.cancel();
        };
        let both = async { tokio::join!(schedule(&scheduler, &stop), other) };
        tokio::time::timeout(PATIENCE * 2, both)
            .await
            .expect("both runs to be taken up");
    }
}
