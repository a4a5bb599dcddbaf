//! Retry, clear, cancel and backfill.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use galen::base::{RunState, TaskState};
use galen::engine::{
    Asked, BackfillRequest, Goal, Reprocess, RetryRequest, RetryWhat, TriggerRequest,
};
use serde_json::Map;
use tokio::sync::mpsc::unbounded_channel;
use tokio_util::sync::CancellationToken;

use super::world::{World, tries_made};
use crate::support::databases;

fn retry(what: RetryWhat, dry_run: bool) -> RetryRequest {
    RetryRequest {
        what,
        task: None,
        downstream: false,
        dry_run,
    }
}

#[tokio::test]
async fn a_retry_runs_what_failed_and_what_it_held_back() {
    for database in databases().await {
        let world = World::new(database).await;
        world.dag(
            "broken",
            "",
            &[
                "task_id: good",
                "task_id: bad, depends_on: [good], with: {ends: [fatal, ok]}",
                "task_id: after, depends_on: [bad]",
            ],
        );
        let run = world.trigger("broken").await;
        world.drive(&run).await;
        assert_eq!(world.state(&run).await, RunState::Failed);
        let newest = RetryWhat::Newest("broken".into());
        let plan = world
            .handle
            .retry(&retry(newest.clone(), true))
            .await
            .expect("a plan");
        let names: Vec<&str> = plan[0].tasks.iter().map(|task| task.as_str()).collect();
        assert_eq!(names, ["bad", "after"]);
        assert_eq!(
            world.state(&run).await,
            RunState::Failed,
            "a dry run changes nothing"
        );
        world
            .handle
            .retry(&retry(newest, false))
            .await
            .expect("a retry");
        world.drive(&run).await;
        assert_eq!(world.state(&run).await, RunState::Success);
        assert_eq!(tries_made(&run), ["good.1", "bad.1", "bad.2", "after.1"]);

        let what = RetryWhat::Run(run.clone());
        let refused = world
            .handle
            .retry(&retry(what, false))
            .await
            .expect_err("it succeeded");
        assert!(
            refused.hint_text().expect("a hint").contains("tasks clear"),
            "{refused:?}"
        );
        let cleared = world
            .handle
            .clear(&run, "bad+", false)
            .await
            .expect("cleared");
        assert_eq!(cleared.tasks.len(), 2);
        world.drive(&run).await;
        assert_eq!(world.state(&run).await, RunState::Success);
        assert_eq!(tries_made(&run).len(), 6);
    }
}

#[tokio::test]
async fn a_cancelled_run_stops_and_can_be_retried() {
    for database in databases().await {
        let world = World::new(database).await;
        world.dag(
            "endless",
            "",
            &[
                "task_id: hangs, with: {ends: [hang, ok]}",
                "task_id: after, depends_on: [hangs]",
            ],
        );
        let run = world.trigger("endless").await;
        let cancel = async {
            while world.tasks(&run).await["hangs"] != TaskState::Running {
                tokio::task::yield_now().await;
            }
            world.another().cancel(&run).await.expect("a cancellation");
        };
        tokio::join!(world.drive(&run), cancel);
        assert_eq!(world.state(&run).await, RunState::Cancelled);
        let tasks = world.tasks(&run).await;
        assert_eq!(
            (tasks["hangs"], tasks["after"]),
            (TaskState::Failed, TaskState::Skipped)
        );
        let what = RetryWhat::Run(run.clone());
        world
            .handle
            .retry(&retry(what, false))
            .await
            .expect("a retry");
        world.drive(&run).await;
        assert_eq!(world.state(&run).await, RunState::Success);
    }
}

fn day(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 1, day).expect("a date")
}

fn backfill(from: u32, to: u32) -> BackfillRequest {
    BackfillRequest {
        dag_id: "days".into(),
        from: day(from),
        to: day(to),
        reprocess: Reprocess::None,
        max_active_runs: Some(2),
        backwards: false,
        params: Map::new(),
        dry_run: false,
    }
}

async fn see_through(world: &World, request: &BackfillRequest) -> Vec<String> {
    let plan = world.handle.backfill(request).await.expect("a backfill");
    let id = plan.backfill_id.expect("its name");
    let (sender, _receiver) = unbounded_channel();
    let goal = Goal::Backfill(id.clone());
    world
        .handle
        .drive(&goal, sender, &CancellationToken::new())
        .await
        .expect("driven");
    let days = world.handle.backfill_days(&id).await.expect("its days");
    days.into_iter()
        .map(|day| match day.state {
            Some(state) => format!(
                "{} {} {state}",
                day.interval.start.format("%d"),
                day.outcome
            ),
            None => format!("{} {}", day.interval.start.format("%d"), day.outcome),
        })
        .collect()
}

#[tokio::test]
async fn a_backfill_runs_each_day_once() {
    for database in databases().await {
        let world = World::new(database).await;
        world.dag(
            "days",
            "schedule: {cron: '@daily', start_date: 2026-01-02}",
            &["task_id: t"],
        );
        let dry = BackfillRequest {
            dry_run: true,
            ..backfill(1, 3)
        };
        let plan = world.handle.backfill(&dry).await.expect("a plan");
        assert_eq!(plan.backfill_id, None);
        assert!(
            world
                .handle
                .store()
                .active_runs()
                .await
                .expect("runs")
                .is_empty()
        );

        let days = see_through(&world, &backfill(1, 3)).await;
        assert_eq!(
            days,
            [
                "01 skipped: outside start_date and end_date",
                "02 created success",
                "03 created success"
            ]
        );
        let again = see_through(&world, &backfill(2, 4)).await;
        assert_eq!(
            again,
            [
                "02 skipped: it exists (success) success",
                "03 skipped: it exists (success) success",
                "04 created success"
            ]
        );
        let completed = BackfillRequest {
            reprocess: Reprocess::Completed,
            ..backfill(2, 2)
        };
        assert_eq!(
            see_through(&world, &completed).await,
            ["02 created success"]
        );
    }
}

#[tokio::test]
async fn a_run_of_some_tasks_of_a_day_leaves_the_day_to_a_backfill() {
    for database in databases().await {
        let world = World::new(database).await;
        world.dag(
            "days",
            "schedule: {cron: '@daily', start_date: 2026-01-01}",
            &["task_id: first", "task_id: second, depends_on: [first]"],
        );
        for (on, select) in [(1, Some("first")), (2, None)] {
            let request = TriggerRequest {
                dag_id: "days".into(),
                asked: Asked::Date(day(on)),
                params: Map::new(),
                select: select.map(str::to_owned),
            };
            let run = world.handle.trigger(&request).await.expect("a run");
            world.drive(&run).await;
        }
        assert_eq!(
            see_through(&world, &backfill(1, 2)).await,
            [
                "01 created success",
                "02 skipped: it exists (success) success"
            ]
        );
    }
}

#[tokio::test]
async fn overlapping_backfills_are_refused_and_the_same_one_goes_on() {
    for database in databases().await {
        let world = World::new(database).await;
        world.dag(
            "days",
            "schedule: {cron: '@daily', start_date: 2026-01-01}",
            &["task_id: t"],
        );
        let first = world
            .handle
            .backfill(&backfill(1, 5))
            .await
            .expect("a backfill");
        let id = first.backfill_id.clone().expect("its name");
        let refused = world
            .handle
            .backfill(&backfill(5, 9))
            .await
            .expect_err("they overlap");
        assert!(refused.to_string().contains(id.as_str()), "{refused}");
        world
            .handle
            .backfill(&backfill(6, 9))
            .await
            .expect("a disjoint one may run");
        world.handle.pause_backfill(&id).await.expect("a pause");
        let days = see_through(&world, &backfill(1, 5)).await;
        assert_eq!(days.len(), 5);
        assert!(
            days.iter().all(|day| day.ends_with("created success")),
            "{days:?}"
        );
        let resumed: BTreeSet<_> = first.dates.iter().map(|day| day.interval).collect();
        assert_eq!(resumed.len(), 5);
    }
}
