//! What is due, with a clock that is set by hand.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use galen::base::{Clock, ManualClock, RunKind, RunState};
use galen::store::{Run, RunFilter};
use tokio_util::sync::CancellationToken;

use super::world::{World, schedule};
use crate::support::databases;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

/// Lets a scheduler work until `runs` runs have ended and nothing is under way; gives them, oldest interval first.
async fn schedule_until(world: &World, runs: usize) -> Vec<Run> {
    let stop = CancellationToken::new();
    let filter = RunFilter {
        kinds: vec![RunKind::Scheduled],
        ..RunFilter::default()
    };
    let watch = async {
        loop {
            let found = world.handle.store().runs(&filter).await.expect("runs");
            let ended = found.iter().filter(|run| run.state.is_terminal()).count();
            assert!(
                found.len() <= runs,
                "more runs than expected: {}",
                found.len()
            );
            if ended == runs {
                // time for one more, were it due
                tokio::time::sleep(Duration::from_millis(50)).await;
                stop.cancel();
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::join!(schedule(&world.handle, &stop), watch);
    let mut found = world.handle.store().runs(&filter).await.expect("runs");
    assert_eq!(found.len(), runs);
    found.reverse();
    found
}

const DAILY: &str = r#"schedule: {cron: "0 3 * * *", timezone: Europe/Madrid, start_date: 2026-03-01, catchup: CATCHUP}"#;

#[tokio::test]
async fn a_week_of_downtime_is_caught_up_or_not_as_the_dag_says() {
    for database in databases().await {
        let clock = Arc::new(ManualClock::new(at("2026-03-02T12:00:00Z")));
        let world = World::with_clock(database, clock.clone(), |_| {}).await;
        world.dag(
            "caught_up",
            &DAILY.replace("CATCHUP", "true"),
            &["task_id: t"],
        );
        let first = schedule_until(&world, 1).await;
        assert_eq!(first[0].interval.start, at("2026-03-01T02:00:00Z"));
        clock.set(at("2026-03-09T12:00:00Z"));
        let runs = schedule_until(&world, 8).await;
        let order: Vec<_> = runs.iter().map(|run| run.created_at).collect();
        assert!(order.is_sorted(), "oldest first");
        assert!(runs.iter().all(|run| run.state == RunState::Success));
        assert!(
            runs.windows(2)
                .all(|pair| pair[0].interval.end == pair[1].interval.start)
        );
        assert_eq!(runs[7].interval.end, at("2026-03-09T02:00:00Z"));
    }
    for database in databases().await {
        let clock = Arc::new(ManualClock::new(at("2026-03-02T12:00:00Z")));
        let world = World::with_clock(database, clock.clone(), |_| {}).await;
        world.dag(
            "latest_only",
            &DAILY.replace("CATCHUP", "false"),
            &["task_id: t"],
        );
        schedule_until(&world, 1).await;
        clock.set(at("2026-03-09T12:00:00Z"));
        let runs = schedule_until(&world, 2).await;
        assert_eq!(runs[1].interval.end, at("2026-03-09T02:00:00Z"));
    }
}

#[tokio::test]
async fn a_paused_dag_gets_no_runs_until_it_is_unpaused() {
    for database in databases().await {
        let clock = Arc::new(ManualClock::new(at("2026-03-02T12:00:00Z")));
        let world = World::with_clock(database, clock.clone(), |_| {}).await;
        world.dag("paused", &DAILY.replace("CATCHUP", "true"), &["task_id: t"]);
        world
            .handle
            .pause(&"paused".into(), true)
            .await
            .expect("a pause");
        world.dag("other", &DAILY.replace("CATCHUP", "true"), &["task_id: t"]);
        let runs = schedule_until(&world, 1).await;
        assert_eq!(runs[0].dag_id.as_str(), "other");
        world
            .handle
            .pause(&"paused".into(), false)
            .await
            .expect("no pause");
        schedule_until(&world, 2).await;
        assert!(clock.now() > runs[0].interval.end);
    }
}

#[tokio::test]
async fn a_bad_edit_keeps_the_last_good_version_over_a_restart() {
    for database in databases().await {
        let clock = Arc::new(ManualClock::new(at("2026-03-02T12:00:00Z")));
        let world = World::with_clock(database, clock.clone(), |_| {}).await;
        let daily = DAILY.replace("CATCHUP", "true");
        world.dag("edited", &daily, &["task_id: t"]);
        let before = schedule_until(&world, 1).await;
        world.dag("edited", "schedule: nonsense", &["task_id: t"]);
        world.dag("never_good", "schedule: nonsense", &["task_id: t"]);
        clock.set(at("2026-03-03T12:00:00Z"));
        // each scheduler reads the folder as a new process does
        let after = schedule_until(&world, 2).await;
        assert_eq!(after[1].state, RunState::Success);
        assert_eq!(after[1].version, before[0].version);
    }
}

#[tokio::test]
async fn files_that_change_are_taken_up_while_it_runs() {
    let database = crate::support::TestDatabase::sqlite();
    let clock = Arc::new(ManualClock::new(at("2026-03-02T12:00:00Z")));
    let world = World::with_clock(database, clock, |_| {}).await;
    let daily = DAILY.replace("CATCHUP", "true");
    world.dag("first", &daily, &["task_id: t"]);
    let stop = CancellationToken::new();
    let edits = async {
        let ended = |count: usize| {
            let world = &world;
            async move {
                let runs = world
                    .handle
                    .store()
                    .runs(&RunFilter::default())
                    .await
                    .expect("runs");
                runs.iter()
                    .filter(|run| run.state == RunState::Success)
                    .count()
                    >= count
            }
        };
        while !ended(1).await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        world.dag("second", &daily, &["task_id: t"]);
        world.dag("first", "schedule: nonsense", &["task_id: t"]);
        while !ended(2).await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stop.cancel();
    };
    let limit = Duration::from_secs(30);
    let both = async { tokio::join!(schedule(&world.handle, &stop), edits) };
    tokio::time::timeout(limit, both)
        .await
        .expect("the edit was taken up");
}
