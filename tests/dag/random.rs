//! What holds of every graph, on random ones.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use galen::base::TaskId;
use galen::dag::{Dag, Graph};
use proptest::prelude::*;

use super::folder::Folder;
use crate::support::random_dag;

/// Tasks before `index`, by following `depends_on` until nothing new is found.
fn before(dag: &Dag, graph: &Graph, index: usize) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut open = vec![index];
    while let Some(next) = open.pop() {
        for upstream in &dag.tasks[next].depends_on {
            let upstream = graph.index(upstream.as_str()).expect("known");
            if found.insert(upstream) {
                open.push(upstream);
            }
        }
    }
    found
}

/// `dag.yaml` as a person would write this DAG.
fn yaml(dag: &Dag) -> String {
    let mut text = format!(
        "dag_id: {}\nmax_active_runs: {}\ndag_retries: {}\n",
        dag.dag_id, dag.max_active_runs, dag.dag_retries
    );
    if let Some(limit) = dag.max_active_tasks {
        writeln!(text, "max_active_tasks: {limit}").expect("text");
    }
    text.push_str("tasks:\n");
    for task in &dag.tasks {
        let needs: Vec<&str> = task.depends_on.iter().map(TaskId::as_str).collect();
        writeln!(
            text,
            "  - {{task_id: {}, operator: shell, depends_on: [{}], trigger_rule: {}, retries: {}, pool: {}, pool_slots: {}, priority_weight: {}}}",
            task.task_id, needs.join(", "), task.trigger_rule, task.retries, task.pool, task.pool_slots, task.priority_weight,
        )
        .expect("text");
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn order_layers_and_reach_agree_with_the_edges(dag in random_dag(60)) {
        let graph = Graph::new(&dag.tasks).expect("no cycle");
        prop_assert_eq!(graph.len(), dag.tasks.len());
        let mut place = vec![usize::MAX; graph.len()];
        for (position, index) in graph.order().iter().enumerate() {
            place[*index] = position;
        }
        prop_assert!(place.iter().all(|position| *position < graph.len()));
        let mut layer_of = vec![0; graph.len()];
        for (number, layer) in graph.layers().iter().enumerate() {
            for index in layer {
                layer_of[*index] = number;
            }
        }
        for index in 0..graph.len() {
            let lowest = graph.upstream(index).map(|upstream| layer_of[upstream] + 1).max();
            prop_assert_eq!(layer_of[index], lowest.unwrap_or(0));
            for upstream in graph.upstream(index) {
                prop_assert!(place[upstream] < place[index]);
            }
            let all = before(&dag, &graph, index);
            prop_assert_eq!(&graph.all_upstream(index), &all);
            for other in 0..graph.len() {
                prop_assert_eq!(graph.all_downstream(other).contains(&index), all.contains(&other));
            }
            prop_assert_eq!(graph.roots().contains(&index), dag.tasks[index].depends_on.is_empty());
            prop_assert_eq!(graph.leaves().contains(&index), graph.downstream(index).next().is_none());
        }
    }

    #[test]
    fn one_edge_back_is_found_as_a_cycle(dag in random_dag(40), pick in any::<prop::sample::Index>()) {
        let graph = Graph::new(&dag.tasks).expect("no cycle");
        let last = pick.index(graph.len());
        let first = graph.all_upstream(last).into_iter().next().unwrap_or(last);
        let mut tasks = dag.tasks.clone();
        tasks[first].depends_on.push(dag.tasks[last].task_id.clone());
        let message = Graph::new(&tasks).expect_err("cycle").to_string();
        let path: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
        prop_assert!(path.len() >= 2 && path.first() == path.last(), "{}", message);
        for pair in path.windows(2) {
            let after = tasks.iter().find(|task| task.task_id.as_str() == pair[1]).expect("task");
            prop_assert!(after.depends_on.iter().any(|task| task.as_str() == pair[0]), "{}", message);
        }
    }

    #[test]
    fn what_is_written_is_what_is_read(dag in random_dag(60)) {
        let folder = Folder::new();
        folder.write("random/dag.yaml", yaml(&dag));
        let loaded = folder.load();
        prop_assert!(loaded.broken.is_empty(), "{}", folder.report());
        let mut expected = dag;
        for task in &mut expected.tasks {
            task.operator = "shell".to_owned();
        }
        prop_assert_eq!(&*loaded.dags[0].dag, &expected);
    }
}
