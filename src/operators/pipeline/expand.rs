//! Tasks in the place of a `pipeline` task.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::parts::{self, Part};
use super::{NAME, Pipeline};
use crate::base::{TaskId, TriggerRule};
use crate::dag::template::is_template;
use crate::dag::{Dag, DagFiles, Flaw, Task};

/// A DAG with the tasks of rule tables in the place of its `pipeline` tasks.
pub(in crate::operators) struct Unfolded<'a> {
    /// The DAG.
    pub dag: Cow<'a, Dag>,
    /// For each of its tasks the index of the one in whose place it is; `None` when nothing was replaced.
    origins: Option<Vec<usize>>,
    /// Why a `pipeline` task was left as it is.
    pub flaws: Vec<Flaw>,
}

impl Unfolded<'_> {
    /// A flaw of a task (`/tasks/4/…`), told of the task in whose place it is.
    pub fn told(&self, mut flaw: Flaw) -> Flaw {
        let Some(origins) = &self.origins else {
            return flaw;
        };
        let rest = flaw.pointer.strip_prefix("/tasks/").map(str::to_owned);
        if let Some(rest) = rest {
            let (index, below) = rest.split_once('/').unwrap_or((&rest, ""));
            let origin = index
                .parse()
                .ok()
                .and_then(|index: usize| origins.get(index));
            if let Some(origin) = origin {
                flaw.pointer = match below {
                    "" => format!("/tasks/{origin}"),
                    below => format!("/tasks/{origin}/{below}"),
                };
            }
        }
        flaw
    }
}

/// Puts tasks in the place of the `pipeline` tasks of `dag`. One whose parameters or rule tables are wrong stays, as its own check tells.
pub(in crate::operators) fn unfolded<'a>(dag: &'a Dag, files: &DagFiles) -> Unfolded<'a> {
    let mut groups: BTreeMap<&TaskId, Vec<Task>> = BTreeMap::new();
    let mut flaws = Vec::new();
    let pipelines = dag.tasks.iter().enumerate();
    for (index, task) in pipelines.filter(|(_, task)| task.operator == NAME) {
        for key in ["rules", "compatibility", "optimize", "vacuum"] {
            let value = task.with.get(key).and_then(Value::as_str);
            if value.is_some_and(is_template) {
                let message = format!(
                    "`{key}` holds a template, but which tasks a run has is decided before it starts"
                );
                let flaw = Flaw::at(format!("/tasks/{index}/with/{key}"), message);
                flaws.push(flaw.hint("write it out; `base_path` may be a template"));
            }
        }
        let read = serde_json::from_value::<Pipeline>(task.with.clone()).ok();
        let tables = read
            .as_ref()
            .and_then(|pipeline| pipeline.tables(files).ok());
        if let (Some(pipeline), Some(tables)) = (read, tables) {
            let group = tasks(task, parts::of(&pipeline, &tables));
            let taken = |id: &TaskId| dag.tasks.iter().any(|task| task.task_id == *id);
            for part in group.iter().filter(|part| taken(&part.task_id)) {
                let message = format!("task `{}` is one that this task makes", part.task_id);
                let flaw = Flaw::at(format!("/tasks/{index}/task_id"), message);
                flaws.push(flaw.hint("give one of them another `task_id`"));
            }
            groups.insert(&task.task_id, group);
        }
    }
    if groups.is_empty() {
        return Unfolded {
            dag: Cow::Borrowed(dag),
            origins: None,
            flaws,
        };
    }
    let (mut tasks, mut origins) = (Vec::new(), Vec::new());
    for (index, task) in dag.tasks.iter().enumerate() {
        let before: Vec<TaskId> = task
            .depends_on
            .iter()
            .flat_map(|id| groups.get(id).map_or(vec![id.clone()], |group| ends(group)))
            .collect();
        let Some(group) = groups.get(&task.task_id) else {
            let depends_on = before;
            tasks.push(Task {
                depends_on,
                ..task.clone()
            });
            origins.push(index);
            continue;
        };
        for part in group {
            let mut part = part.clone();
            if part.depends_on.is_empty() {
                part.depends_on.clone_from(&before);
                part.trigger_rule = task.trigger_rule;
                part.when.clone_from(&task.when);
            }
            tasks.push(part);
            origins.push(index);
        }
    }
    let dag = Dag {
        tasks,
        ..dag.clone()
    };
    Unfolded {
        dag: Cow::Owned(dag),
        origins: Some(origins),
        flaws,
    }
}

/// The tasks of `parts`; those that wait for none of the others have nothing before them yet.
fn tasks(of: &Task, parts: Vec<Part>) -> Vec<Task> {
    let id = |into: &str| TaskId::new(format!("{}.{into}", of.task_id));
    let made: BTreeSet<String> = parts.iter().map(|part| part.into.clone()).collect();
    let task = |part: Part| {
        let needed = part
            .reads
            .iter()
            .filter(|read| made.contains(*read) && **read != part.into);
        Task {
            task_id: id(&part.into),
            operator: part.operator.to_owned(),
            depends_on: needed.map(|read| id(read)).collect(),
            trigger_rule: TriggerRule::AllSuccess,
            when: None,
            with: part.with,
            ..of.clone()
        }
    };
    parts.into_iter().map(task).collect()
}

/// The tasks after which everything of the group is done.
fn ends(group: &[Task]) -> Vec<TaskId> {
    let waited: BTreeSet<&TaskId> = group.iter().flat_map(|task| &task.depends_on).collect();
    let ends = group.iter().map(|task| &task.task_id);
    ends.filter(|id| !waited.contains(id)).cloned().collect()
}
