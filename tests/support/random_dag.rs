//! Random DAGs, for what must hold of every one.

use std::collections::BTreeMap;
use std::time::Duration;

use galen::base::{TaskId, TriggerRule};
use galen::dag::{Dag, Task};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::json;

/// A random DAG of 1 to `most` `noop` tasks without a schedule: up to five dependencies each, all trigger rules, some retries,
/// pools `small` and `default_pool`, one to three slots, priorities and limits. Smaller ones come first when a test shrinks.
pub fn random_dag(most: usize) -> impl Strategy<Value = Dag> {
    let tasks = prop::collection::vec(random_task(), 1..=most);
    let limits = (1_u32..5, prop::option::of(1_u32..10), 0_u32..2);
    (tasks, limits).prop_map(|(drafts, (runs, tasks_at_once, dag_retries))| {
        let tasks = drafts.into_iter().enumerate();
        Dag {
            tasks: tasks.map(|(number, draft)| draft.finish(number)).collect(),
            max_active_runs: runs,
            max_active_tasks: tasks_at_once,
            dag_retries,
            ..empty_dag("random")
        }
    })
}

/// A DAG without tasks that runs when asked.
fn empty_dag(dag_id: &str) -> Dag {
    Dag {
        dag_id: dag_id.into(),
        description: String::new(),
        owner: String::new(),
        tags: Vec::new(),
        schedule: None,
        max_active_runs: 16,
        max_active_tasks: None,
        dagrun_timeout: None,
        dag_retries: 0,
        params: BTreeMap::new(),
        tables: None,
        tasks: Vec::new(),
        on_failure: None,
        on_success: None,
    }
}

/// A `noop` task called `task_id`, all settings at their defaults.
fn noop_task(task_id: &str, depends_on: &[&str]) -> Task {
    Task {
        task_id: task_id.into(),
        operator: "noop".to_owned(),
        description: String::new(),
        depends_on: depends_on.iter().map(|name| TaskId::new(*name)).collect(),
        trigger_rule: TriggerRule::AllSuccess,
        when: None,
        pool: "default_pool".to_owned(),
        pool_slots: 1,
        priority_weight: 1,
        retries: 0,
        retry_delay: Duration::from_secs(300),
        retry_exponential_backoff: false,
        max_retry_delay: None,
        execution_timeout: None,
        with: json!({}),
        on_failure: None,
        on_success: None,
    }
}

/// A task whose dependencies are not yet bound to the tasks before it.
#[derive(Debug, Clone)]
struct Draft {
    needs: Vec<Index>,
    task: Task,
}

impl Draft {
    fn finish(self, number: usize) -> Task {
        let mut task = self.task;
        task.task_id = TaskId::new(format!("t{number}"));
        if number > 0 {
            let needs = self.needs.iter().map(|index| index.index(number));
            task.depends_on = needs
                .map(|index| TaskId::new(format!("t{index}")))
                .collect();
            task.depends_on.sort();
            task.depends_on.dedup();
        }
        task
    }
}

fn random_task() -> impl Strategy<Value = Draft> {
    let rule = prop_oneof![
        3 => Just(TriggerRule::AllSuccess),
        2 => prop::sample::select(TriggerRule::ALL),
    ];
    let needs = prop::collection::vec(any::<Index>(), 0..=5);
    (needs, rule, 0_u32..3, 1_u32..=3, -2_i32..3, any::<bool>()).prop_map(
        |(needs, trigger_rule, retries, pool_slots, priority_weight, small)| Draft {
            needs,
            task: Task {
                trigger_rule,
                retries,
                pool_slots,
                priority_weight,
                pool: if small { "small" } else { "default_pool" }.to_owned(),
                ..noop_task("", &[])
            },
        },
    )
}
