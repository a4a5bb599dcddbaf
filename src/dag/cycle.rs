//! Tasks that wait for each other.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};

use petgraph::graph::{DiGraph, NodeIndex};

use super::graph::build;
use crate::base::{Error, Result, TaskId};

/// The path of every cycle that shares no task with another, its first task repeated at the end.
///
/// # Errors
/// A name in `depends_on` that is no task.
pub(super) fn find_cycles<'a>(
    tasks: impl Iterator<Item = (&'a TaskId, &'a [TaskId])> + Clone,
) -> Result<Vec<Vec<TaskId>>> {
    Ok(cycles(&build(tasks)?.0))
}

/// How a cycle is told.
pub(super) fn describe_cycle(path: &[TaskId]) -> String {
    let names: Vec<&str> = path.iter().map(TaskId::as_str).collect();
    format!("tasks form a cycle: `{}`", names.join("` → `"))
}

/// The way out of a cycle.
pub(super) const CYCLE_HINT: &str = "remove one of these dependencies";

/// The error of a graph with `cycles`.
pub(super) fn cycle_error(cycles: &[Vec<TaskId>]) -> Error {
    let first = cycles.first().map_or(&[][..], Vec::as_slice);
    Error::new(describe_cycle(first)).hint(CYCLE_HINT)
}

/// Of each strongly connected component the shortest cycle through its first task, in task order.
pub(super) fn cycles(graph: &DiGraph<TaskId, ()>) -> Vec<Vec<TaskId>> {
    let mut starts: Vec<NodeIndex> = petgraph::algo::tarjan_scc(graph)
        .into_iter()
        .filter(|nodes| nodes.len() > 1 || graph.contains_edge(nodes[0], nodes[0]))
        .filter_map(|nodes| nodes.into_iter().min())
        .collect();
    starts.sort_unstable();
    let path = |start| shortest_cycle(graph, start).into_iter();
    let names = |start| path(start).map(|node| graph[node].clone()).collect();
    starts.into_iter().map(names).collect()
}

fn shortest_cycle(graph: &DiGraph<TaskId, ()>, start: NodeIndex) -> Vec<NodeIndex> {
    let mut came_from: HashMap<NodeIndex, NodeIndex> = HashMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(node) = queue.pop_front() {
        for next in graph.neighbors(node) {
            if next == start {
                return walk_back(&came_from, start, node);
            }
            if let Entry::Vacant(entry) = came_from.entry(next) {
                entry.insert(node);
                queue.push_back(next);
            }
        }
    }
    Vec::new()
}

fn walk_back(
    came_from: &HashMap<NodeIndex, NodeIndex>,
    start: NodeIndex,
    last: NodeIndex,
) -> Vec<NodeIndex> {
    let mut path = vec![start, last];
    let mut node = last;
    while node != start {
        node = came_from[&node];
        path.push(node);
    }
    path.reverse();
    path
}
