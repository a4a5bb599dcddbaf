//! Whatever moment the process dies at: start again, and the end is the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use galen::base::{Event, EventKind, RunId, RunState, Subject, SystemClock, TaskState};
use galen::engine::{Goal, News};
use tokio::sync::mpsc::unbounded_channel;
use tokio_util::sync::CancellationToken;

use super::world::World;
use crate::support::{TestDatabase, databases, die_after};

const TASKS: [&str; 7] = [
    "task_id: a, with: {value: 1}",
    "task_id: b, depends_on: [a], with: {ends: [fail, ok]}",
    "task_id: c, depends_on: [a], with: {ends: [defer]}",
    "task_id: none, depends_on: [a], with: {ends: [skip]}",
    "task_id: bad, depends_on: [b], with: {ends: [fatal]}",
    "task_id: held, depends_on: [bad]",
    "task_id: after, depends_on: [b, c, none], trigger_rule: none_failed, with: {value: '{{ outputs.a.value }}'}",
];

async fn world(database: TestDatabase) -> World {
    let world = World::with_clock(database, Arc::new(SystemClock), |settings| {
        settings.engine.lease_ttl = Duration::from_millis(60);
    })
    .await;
    world.dag(
        "fragile",
        "default_args: {retries: 3, retry_delay: 1ms}",
        &TASKS,
    );
    world
}

async fn end(world: &World, run: &RunId) -> (RunState, BTreeMap<String, TaskState>) {
    (world.state(run).await, world.tasks(run).await)
}

#[tokio::test]
async fn death_at_any_event_changes_nothing_in_the_end() {
    for database in databases().await {
        let name = database.name;
        let world = world(database).await;
        let undisturbed = world.trigger("fragile").await;
        world.drive(&undisturbed).await;
        let expected = end(&world, &undisturbed).await;
        assert_eq!(
            expected.0,
            RunState::Failed,
            "the last task was told to fail"
        );

        let mut deaths = 0;
        loop {
            let run = world.trigger("fragile").await;
            let died = die_after(&world.another(), &run, deaths + 1).await;
            world.drive(&run).await;
            assert_eq!(
                end(&world, &run).await,
                expected,
                "{name}: after event {deaths}"
            );
            assert_each_ends_once(&world, &run).await;
            if !died {
                break;
            }
            deaths += 1;
        }
        assert!(deaths > 20, "{name}: only {deaths} events");
        let verified = world
            .handle
            .store()
            .verify_events()
            .await
            .expect("a report");
        assert_eq!(verified.first_break, None, "{name}");
    }
}

/// A task ends well or for good once, and no try starts a second time unless it was deferred in between.
async fn assert_each_ends_once(world: &World, run: &RunId) {
    let events: Vec<Event> = world
        .handle
        .store()
        .events_after(0, u32::MAX)
        .await
        .expect("events");
    let mut ends: BTreeMap<String, u32> = BTreeMap::new();
    let mut started: BTreeSet<(String, u32)> = BTreeSet::new();
    for event in events {
        let Subject::Task(_, of, task) = &event.subject else {
            continue;
        };
        if of != run {
            continue;
        }
        match event.kind {
            EventKind::TaskSucceeded { .. } | EventKind::TaskFailed { .. } => {
                *ends.entry(task.to_string()).or_default() += 1;
            }
            EventKind::TaskStarted { r#try, .. } if task.as_str() != "c" => {
                assert!(
                    started.insert((task.to_string(), r#try)),
                    "{task} try {} twice",
                    r#try
                );
            }
            _ => {}
        }
    }
    assert!(ends.values().all(|times| *times == 1), "{ends:?}");
}

#[tokio::test]
async fn told_to_stop_it_hands_back_what_runs_without_using_up_a_retry() {
    for database in databases().await {
        let world = World::with_clock(database, Arc::new(SystemClock), |settings| {
            settings.engine.grace = Duration::from_millis(10);
        })
        .await;
        world.dag("patient", "", &["task_id: slow, with: {ends: [hang, ok]}"]);
        let run = world.trigger("patient").await;
        let stop = CancellationToken::new();
        let (sender, mut receiver) = unbounded_channel();
        let goal = Goal::Runs(BTreeSet::from([run.clone()]));
        let stopping = async {
            while let Some(news) = receiver.recv().await {
                if let News::Event(event) = news
                    && matches!(event.kind, EventKind::TaskStarted { .. })
                {
                    stop.cancel();
                }
            }
        };
        let (driven, ()) = tokio::join!(
            async {
                let driven = world.handle.drive(&goal, sender.clone(), &stop).await;
                drop(sender);
                driven
            },
            stopping
        );
        driven.expect("a stop in good order");
        assert_eq!(world.state(&run).await, RunState::Running);
        assert_eq!(world.tasks(&run).await["slow"], TaskState::Scheduled);
        world.drive(&run).await;
        assert_eq!(world.state(&run).await, RunState::Success);
        let tasks = world.handle.store().tasks(&run).await.expect("tasks");
        assert_eq!((tasks[0].try_number, tasks[0].failures), (2, 0));
    }
}
