//! How tries and runs end.

use std::collections::BTreeMap;

use galen::base::{RunState, TaskState};
use galen::engine::{RetryRequest, RetryWhat};

use super::world::{World, tries_made};
use crate::support::databases;

fn states(pairs: &[(&str, TaskState)]) -> BTreeMap<String, TaskState> {
    pairs
        .iter()
        .map(|(task, state)| ((*task).to_owned(), *state))
        .collect()
}

#[tokio::test]
async fn a_chain_runs_in_order() {
    for database in databases().await {
        let world = World::new(database).await;
        world.dag(
            "chain",
            "",
            &[
                "task_id: c, depends_on: [b]",
                "task_id: a",
                "task_id: b, depends_on: [a]",
            ],
        );
        let run = world.trigger("chain").await;
        world.drive(&run).await;
        assert_eq!(world.state(&run).await, RunState::Success);
        assert_eq!(tries_made(&run), ["a.1", "b.1", "c.1"]);
        let verified = world
            .handle
            .store()
            .verify_events()
            .await
            .expect("a report");
        assert_eq!(verified.first_break, None);
    }
}

#[tokio::test]
async fn failures_hold_back_and_skips_spread() {
    for database in databases().await {
        let world = World::new(database).await;
        world.dag(
            "mixed",
            "",
            &[
                "task_id: bad, with: {ends: [fatal]}",
                "task_id: held, depends_on: [bad]",
                "task_id: handler, depends_on: [bad], trigger_rule: one_failed",
                "task_id: none, with: {ends: [skip]}",
                "task_id: also_none, depends_on: [none]",
                "task_id: always, depends_on: [none, bad], trigger_rule: all_done",
                "task_id: not_now, when: '{{ 1 > 2 }}'",
            ],
        );
        let (state, tasks) = world.run("mixed").await;
        assert_eq!(state, RunState::Failed);
        assert_eq!(
            tasks,
            states(&[
                ("also_none", TaskState::Skipped),
                ("always", TaskState::Success),
                ("bad", TaskState::Failed),
                ("handler", TaskState::Success),
                ("held", TaskState::UpstreamFailed),
                ("none", TaskState::Skipped),
                ("not_now", TaskState::Skipped),
            ])
        );
    }
}

#[tokio::test]
async fn retries_are_made_only_where_they_can_help() {
    for database in databases().await {
        let world = World::new(database).await;
        world.dag(
            "retries",
            "default_args: {retries: 2, retry_delay: 1ms}",
            &[
                "task_id: recovers, with: {ends: [fail, fail, ok]}",
                "task_id: never, with: {ends: [fail]}",
                "task_id: fatal, with: {ends: [fatal]}",
                "task_id: waits, with: {ends: [defer]}",
                "task_id: panics, with: {ends: [panic]}",
                "task_id: loses, with: {ends: [lose]}",
            ],
        );
        let run = world.trigger("retries").await;
        world.drive(&run).await;
        assert_eq!(world.state(&run).await, RunState::Failed);
        let mut made = tries_made(&run);
        made.sort();
        assert_eq!(
            made,
            [
                "fatal.1",
                "loses.1",
                "never.1",
                "never.2",
                "never.3",
                "panics.1",
                "recovers.1",
                "recovers.2",
                "recovers.3",
                "waits.1",
                "waits.1"
            ]
        );
        let tasks = world.tasks(&run).await;
        assert_eq!(tasks["recovers"], TaskState::Success);
        assert_eq!(tasks["never"], TaskState::Failed);
        assert_eq!(tasks["waits"], TaskState::Success);
        assert_eq!(tasks["loses"], TaskState::Failed);
    }
}

#[tokio::test]
async fn outputs_reach_later_templates() {
    for database in databases().await {
        let world = World::new(database).await;
        world.dag(
            "outputs",
            "",
            &[
                "task_id: first, with: {value: 41}",
                "task_id: second, depends_on: [first], with: {value: '{{ outputs.first.value + 1 }}'}",
            ],
        );
        let run = world.trigger("outputs").await;
        world.drive(&run).await;
        let tasks = world.handle.store().tasks(&run).await.expect("tasks");
        let second = tasks
            .iter()
            .find(|task| task.task_id.as_str() == "second")
            .expect("second");
        assert_eq!(second.outputs["value"], 42);
    }
}

#[tokio::test]
async fn time_limits_stop_the_work() {
    for database in databases().await {
        let world = World::new(database).await;
        world.dag(
            "slow_task",
            "",
            &["task_id: slow, execution_timeout: 20ms, with: {ends: [hang]}"],
        );
        let (state, tasks) = world.run("slow_task").await;
        assert_eq!(
            (state, tasks["slow"]),
            (RunState::Failed, TaskState::Failed)
        );
        world.dag(
            "slow_run",
            "dagrun_timeout: 30ms",
            &[
                "task_id: slow, with: {ends: [hang]}",
                "task_id: after, depends_on: [slow]",
            ],
        );
        let (state, tasks) = world.run("slow_run").await;
        assert_eq!(state, RunState::Failed);
        assert_eq!(tasks["after"], TaskState::Skipped);
    }
}

#[tokio::test]
async fn a_retry_of_a_run_that_took_too_long_runs_what_its_limit_skipped() {
    for database in databases().await {
        let world = World::new(database).await;
        world.dag(
            "too_long",
            "dagrun_timeout: 700ms\ndefault_args: {retry_delay: 1ms}",
            &[
                "task_id: bad, with: {ends: [fatal, ok]}",
                "task_id: again, retries: 1, with: {ends: [fail, hang, ok]}",
                "task_id: after, depends_on: [again]",
                "task_id: not_now, when: '{{ 1 > 2 }}'",
            ],
        );
        let run = world.trigger("too_long").await;
        world.drive(&run).await;
        let tasks = world.tasks(&run).await;
        assert_eq!(world.state(&run).await, RunState::Failed);
        assert_eq!(tasks["after"], TaskState::Skipped);
        let request = RetryRequest {
            what: RetryWhat::Run(run.clone()),
            task: None,
            downstream: false,
            dry_run: false,
        };
        let cleared = world.handle.retry(&request).await.expect("a retry");
        let names: Vec<&str> = cleared[0].tasks.iter().map(|task| task.as_str()).collect();
        assert_eq!(names, ["bad", "again", "after"]);
        world.drive(&run).await;
        assert_eq!(world.state(&run).await, RunState::Success);
        let tasks = world.tasks(&run).await;
        assert_eq!(tasks["after"], TaskState::Success);
        assert_eq!(tasks["not_now"], TaskState::Skipped);
    }
}

#[tokio::test]
async fn a_failed_run_is_run_again_as_often_as_its_dag_says() {
    for database in databases().await {
        let world = World::new(database).await;
        world.dag(
            "again",
            "dag_retries: 1",
            &[
                "task_id: good",
                "task_id: bad, depends_on: [good], with: {ends: [fatal, ok]}",
                "task_id: after, depends_on: [bad]",
            ],
        );
        let run = world.trigger("again").await;
        world.drive(&run).await;
        assert_eq!(world.state(&run).await, RunState::Success);
        assert_eq!(tries_made(&run), ["good.1", "bad.1", "bad.2", "after.1"]);
    }
}

#[tokio::test]
async fn a_run_keeps_the_dag_it_started_with() {
    for database in databases().await {
        let world = World::new(database).await;
        world.dag("edited", "", &["task_id: old"]);
        let run = world.trigger("edited").await;
        world.dag(
            "edited",
            "",
            &["task_id: new", "task_id: newer, depends_on: [new]"],
        );
        world.drive(&run).await;
        assert_eq!(tries_made(&run), ["old.1"]);
        let (_, tasks) = world.run("edited").await;
        assert_eq!(tasks.keys().collect::<Vec<_>>(), ["new", "newer"]);
    }
}
