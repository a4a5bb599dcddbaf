//! The tasks of a DAG as a graph: neighbours, order, layers and selection.

use std::collections::{BTreeSet, HashMap};

use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::{Dfs, Reversed};

use super::Task;
use super::cycle::{cycle_error, cycles};
use crate::base::{Error, Result, TaskId, nearest};

/// Tasks by index (their place in the DAG file) and the edges between them.
#[derive(Debug, Clone)]
pub struct Graph {
    graph: DiGraph<TaskId, ()>,
    index: HashMap<TaskId, usize>,
    order: Vec<usize>,
    layers: Vec<Vec<usize>>,
}

impl Graph {
    /// The graph of `tasks`, in time linear in tasks and edges.
    ///
    /// # Errors
    /// A name in `depends_on` that is no task; a cycle, whose whole path the message gives.
    pub fn new(tasks: &[Task]) -> Result<Self> {
        Self::from_edges(tasks.iter().map(|task| (&task.task_id, &*task.depends_on)))
    }

    /// As [`Graph::new`], from task names with the names each depends on.
    ///
    /// # Errors
    /// As [`Graph::new`].
    pub fn from_edges<'a>(
        tasks: impl Iterator<Item = (&'a TaskId, &'a [TaskId])> + Clone,
    ) -> Result<Self> {
        let (graph, index) = build(tasks)?;
        let (order, layers) = match layers(&graph) {
            Some(found) => found,
            None => return Err(cycle_error(&cycles(&graph))),
        };
        Ok(Self {
            graph,
            index,
            order,
            layers,
        })
    }

    /// Number of tasks.
    pub fn len(&self) -> usize {
        self.graph.node_count()
    }

    /// Whether there is no task.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of edges.
    pub fn edges(&self) -> usize {
        self.graph.edge_count()
    }

    /// The index of `task_id`: its place in the DAG file.
    pub fn index(&self, task_id: &str) -> Option<usize> {
        self.index.get(task_id).copied()
    }

    /// The task at `index`.
    ///
    /// # Panics
    /// When `index` is out of range, as indexing a slice does.
    pub fn task_id(&self, index: usize) -> &TaskId {
        &self.graph[NodeIndex::new(index)]
    }

    /// Tasks directly before `index`.
    pub fn upstream(&self, index: usize) -> impl Iterator<Item = usize> + '_ {
        self.neighbours(index, Direction::Incoming)
    }

    /// Tasks directly after `index`.
    pub fn downstream(&self, index: usize) -> impl Iterator<Item = usize> + '_ {
        self.neighbours(index, Direction::Outgoing)
    }

    /// Every task before `index`, itself not among them, in index order.
    pub fn all_upstream(&self, index: usize) -> BTreeSet<usize> {
        let start = NodeIndex::new(index);
        let mut search = Dfs::new(Reversed(&self.graph), start);
        let found = std::iter::from_fn(|| search.next(Reversed(&self.graph)));
        found
            .filter(|node| *node != start)
            .map(NodeIndex::index)
            .collect()
    }

    /// Every task after `index`, itself not among them, in index order.
    pub fn all_downstream(&self, index: usize) -> BTreeSet<usize> {
        let start = NodeIndex::new(index);
        let mut search = Dfs::new(&self.graph, start);
        let found = std::iter::from_fn(|| search.next(&self.graph));
        found
            .filter(|node| *node != start)
            .map(NodeIndex::index)
            .collect()
    }

    /// Tasks that depend on none, in index order.
    pub fn roots(&self) -> Vec<usize> {
        self.ends(Direction::Incoming)
    }

    /// Tasks on which none depends, in index order.
    pub fn leaves(&self) -> Vec<usize> {
        self.ends(Direction::Outgoing)
    }

    /// All tasks, each after every task it depends on; among equals in index order.
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// Tasks by their distance from the roots: layer 0 depends on none, and each task stands one layer below the lowest
    /// task it depends on.
    pub fn layers(&self) -> &[Vec<usize>] {
        &self.layers
    }

    /// The tasks that `selector` names, in index order: `name`, `+name` (and what it needs), `name+` (and what needs
    /// it), `+name+`; several separated by commas or spaces. A task in whose place others stand, called `name.…`, is all of them.
    ///
    /// # Errors
    /// A name that is no task; nothing selected.
    pub fn select(&self, selector: &str) -> Result<BTreeSet<usize>> {
        let mut selected = BTreeSet::new();
        for part in selector.split([',', ' ']).filter(|part| !part.is_empty()) {
            let name = part.strip_prefix('+').unwrap_or(part);
            let name = name.strip_suffix('+').unwrap_or(name);
            let named = self.named(name);
            if named.is_empty() {
                return Err(self.unknown(name));
            }
            for index in named {
                selected.insert(index);
                if part.starts_with('+') {
                    selected.extend(self.all_upstream(index));
                }
                if part.ends_with('+') {
                    selected.extend(self.all_downstream(index));
                }
            }
        }
        if selected.is_empty() {
            return Err(Error::new("the selection names no task")
                .hint("write a task, `+task` (and what it needs) or `task+` (and what needs it)"));
        }
        Ok(selected)
    }

    /// The task called `name`, else those of its group.
    fn named(&self, name: &str) -> Vec<usize> {
        if let Some(index) = self.index(name) {
            return vec![index];
        }
        let of_group = |id: &TaskId| {
            let rest = id.as_str().strip_prefix(name);
            !name.is_empty() && rest.is_some_and(|rest| rest.starts_with(GROUP))
        };
        let all = 0..self.len();
        all.filter(|index| of_group(self.task_id(*index))).collect()
    }

    fn unknown(&self, name: &str) -> Error {
        let error = Error::new(format!("no task `{name}` in this DAG"));
        let tasks = || self.graph.node_weights().map(TaskId::as_str);
        let groups = tasks().filter_map(|id| id.split_once(GROUP).map(|(group, _)| group));
        match nearest(name, tasks().chain(groups)) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error.hint("`galen dags show <dag>` lists its tasks"),
        }
    }

    fn neighbours(&self, index: usize, direction: Direction) -> impl Iterator<Item = usize> + '_ {
        self.graph
            .neighbors_directed(NodeIndex::new(index), direction)
            .map(NodeIndex::index)
    }

    fn ends(&self, direction: Direction) -> Vec<usize> {
        let mut ends: Vec<usize> = self
            .graph
            .externals(direction)
            .map(NodeIndex::index)
            .collect();
        ends.sort_unstable();
        ends
    }
}

/// Stands between the name of a task and those of the tasks in its place.
const GROUP: char = '.';

/// Kahn's algorithm, layer by layer; `None` when there is a cycle.
fn layers(graph: &DiGraph<TaskId, ()>) -> Option<(Vec<usize>, Vec<Vec<usize>>)> {
    let count = |node| graph.neighbors_directed(node, Direction::Incoming).count();
    let mut waiting: Vec<usize> = graph.node_indices().map(count).collect();
    let mut layer: Vec<usize> = (0..waiting.len()).filter(|i| waiting[*i] == 0).collect();
    let mut order = Vec::with_capacity(waiting.len());
    let mut layers = Vec::new();
    while !layer.is_empty() {
        let mut next = Vec::new();
        for index in &layer {
            for after in graph.neighbors(NodeIndex::new(*index)) {
                waiting[after.index()] -= 1;
                if waiting[after.index()] == 0 {
                    next.push(after.index());
                }
            }
        }
        next.sort_unstable();
        order.extend_from_slice(&layer);
        layers.push(std::mem::replace(&mut layer, next));
    }
    (order.len() == waiting.len()).then_some((order, layers))
}

/// The error of a dependency on a task that is not there.
pub(super) fn unknown_upstream<'a>(
    task: &TaskId,
    upstream: &TaskId,
    known: impl Iterator<Item = &'a TaskId>,
) -> Error {
    let error = Error::new(format!(
        "task `{task}` depends on `{upstream}`, which is no task of this DAG"
    ));
    match nearest(upstream.as_str(), known.map(TaskId::as_str)) {
        Some(name) => error.hint(format!("did you mean `{name}`?")),
        None => error,
    }
}

type Edges = (DiGraph<TaskId, ()>, HashMap<TaskId, usize>);

/// Tasks and their edges, with the place of each.
pub(super) fn build<'a>(
    tasks: impl Iterator<Item = (&'a TaskId, &'a [TaskId])> + Clone,
) -> Result<Edges> {
    let mut graph = DiGraph::new();
    let mut index = HashMap::new();
    for (task_id, _) in tasks.clone() {
        index.insert(task_id.clone(), graph.add_node(task_id.clone()).index());
    }
    let names = || tasks.clone().map(|(task_id, _)| task_id);
    for (number, (task_id, depends_on)) in tasks.clone().enumerate() {
        for upstream in depends_on.iter().collect::<BTreeSet<_>>() {
            let from = *index
                .get(upstream)
                .ok_or_else(|| unknown_upstream(task_id, upstream, names()))?;
            graph.add_edge(NodeIndex::new(from), NodeIndex::new(number), ());
        }
    }
    Ok((graph, index))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[(&str, &[&str])]) -> Result<Graph> {
        let tasks: Vec<(TaskId, Vec<TaskId>)> = edges
            .iter()
            .map(|(name, needs)| ((*name).into(), needs.iter().map(|n| (*n).into()).collect()))
            .collect();
        Graph::from_edges(tasks.iter().map(|(name, needs)| (name, &**needs)))
    }

    fn diamond() -> Graph {
        graph(&[
            ("end", &["left", "right"]),
            ("left", &["start"]),
            ("right", &["start"]),
            ("start", &[]),
            ("alone", &[]),
        ])
        .expect("graph")
    }

    fn names(graph: &Graph, indices: impl IntoIterator<Item = usize>) -> String {
        let names: Vec<&str> = indices
            .into_iter()
            .map(|index| graph.task_id(index).as_str())
            .collect();
        names.join(" ")
    }

    #[test]
    fn orders_and_layers() {
        let graph = diamond();
        let layers: Vec<String> = graph
            .layers()
            .iter()
            .map(|layer| names(&graph, layer.iter().copied()))
            .collect();
        assert_eq!(layers, ["start alone", "left right", "end"]);
        assert_eq!(
            names(&graph, graph.order().iter().copied()),
            "start alone left right end"
        );
        assert_eq!(names(&graph, graph.roots()), "start alone");
        assert_eq!(names(&graph, graph.leaves()), "end alone");
    }

    #[test]
    fn knows_neighbours_near_and_far() {
        let graph = diamond();
        let end = graph.index("end").expect("end");
        let start = graph.index("start").expect("start");
        let mut near: Vec<usize> = graph.upstream(end).collect();
        near.sort_unstable();
        assert_eq!(names(&graph, near), "left right");
        assert_eq!(names(&graph, graph.all_upstream(end)), "left right start");
        assert_eq!(names(&graph, graph.all_downstream(start)), "end left right");
        assert_eq!(graph.downstream(end).count(), 0);
    }

    #[test]
    fn selects_as_dbt_does() {
        let graph = diamond();
        let select = |text| names(&graph, graph.select(text).expect("selection"));
        assert_eq!(select("left"), "left");
        assert_eq!(select("+left"), "left start");
        assert_eq!(select("left+"), "end left");
        assert_eq!(select("+left+"), "end left start");
        assert_eq!(select("alone, left"), "left alone");
        let error = graph.select("lift").expect_err("no such task");
        assert_eq!(error.hint_text(), Some("did you mean `left`?"));
        assert!(graph.select(" ").is_err());
    }

    #[test]
    fn a_group_is_all_of_its_tasks() {
        let graph = graph(&[
            ("house.gold.b", &["house.gold.a"]),
            ("house.gold.a", &["load"]),
            ("house.core.c", &["load"]),
            ("household", &[]),
            ("load", &[]),
            ("load.more", &[]),
        ])
        .expect("graph");
        let select = |text| names(&graph, graph.select(text).expect("selection"));
        assert_eq!(select("house"), "house.gold.b house.gold.a house.core.c");
        assert_eq!(select("house.gold"), "house.gold.b house.gold.a");
        assert_eq!(select("+house.core"), "house.core.c load");
        assert_eq!(
            select("load"),
            "load",
            "a task of that name is what is meant"
        );
        let error = graph.select("hause").expect_err("no such group");
        assert_eq!(error.hint_text(), Some("did you mean `house`?"));
        assert!(graph.select("house.").is_err());
        assert!(graph.select("+").is_err());
    }

    #[test]
    fn gives_the_whole_path_of_a_cycle() {
        let error = graph(&[
            ("a", &[]),
            ("b", &["a", "d"]),
            ("c", &["b"]),
            ("d", &["c"]),
            ("e", &["d"]),
        ]);
        let error = error.expect_err("cycle").to_string();
        assert_eq!(error, "tasks form a cycle: `b` → `c` → `d` → `b`");
        let itself = graph(&[("a", &["a"])]).expect_err("cycle").to_string();
        assert_eq!(itself, "tasks form a cycle: `a` → `a`");
        let unknown = graph(&[("load", &[]), ("b", &["lod"])]).expect_err("unknown");
        assert_eq!(unknown.hint_text(), Some("did you mean `load`?"));
    }

    #[test]
    fn a_repeated_dependency_is_one_edge() {
        let graph = graph(&[("a", &[]), ("b", &["a", "a"])]).expect("graph");
        assert_eq!(graph.edges(), 1);
        assert_eq!(graph.layers().len(), 2);
    }
}
