//! Tasks that read a Delta table must come after the tasks that write it.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::arrow::datatypes::SchemaRef;
use serde_json::Value;

use super::clean::{self, Clean};
use super::models::{known_columns, model_reads};
use crate::base::TaskId;
use crate::dag::{Dag, DagFiles, Flaw, Task};
use crate::lake::QUARANTINE;

/// The tasks of `dag` that read what a task writes on which they do not wait, not even through others. Pointers start at the DAG's top.
pub(super) fn check(dag: &Dag, files: &DagFiles) -> Vec<Flaw> {
    let writers = writers(dag);
    if writers.is_empty() {
        return Vec::new();
    }
    let known = known_columns(dag, files);
    let mut flaws = Vec::new();
    for (index, task) in dag.tasks.iter().enumerate() {
        let before = ancestors(dag, task);
        for table in reads(task, dag, files, &known) {
            let missing = writers.get(&table).into_iter().flatten();
            for writer in missing.filter(|id| !before.contains(*id) && **id != task.task_id) {
                let message = format!(
                    "task `{}` reads `{table}`, which task `{writer}` writes, and does not wait for it",
                    task.task_id
                );
                let flaw = Flaw::at(format!("/tasks/{index}"), message);
                flaws.push(flaw.hint(format!("add `{writer}` to its `depends_on`")));
            }
        }
    }
    flaws
}

/// The tables that `ingest`, `clean` and `merge` tasks write, each with its tasks.
fn writers(dag: &Dag) -> BTreeMap<String, Vec<TaskId>> {
    let mut writers: BTreeMap<String, Vec<TaskId>> = BTreeMap::new();
    let tasks = dag.tasks.iter();
    for task in tasks.filter(|task| ["ingest", "clean", "merge"].contains(&task.operator.as_str()))
    {
        let into = task.with.get("into").and_then(Value::as_str);
        let Some(into) = into.filter(|into| into.contains('.')) else {
            continue;
        };
        for table in [into.to_owned(), format!("{into}{QUARANTINE}")] {
            writers.entry(table).or_default().push(task.task_id.clone());
        }
    }
    writers
}

/// Full names of the tables that a task reads.
fn reads(
    task: &Task,
    dag: &Dag,
    files: &DagFiles,
    known: &BTreeMap<String, SchemaRef>,
) -> BTreeSet<String> {
    match task.operator.as_str() {
        "clean" => {
            let Ok(clean) = serde_json::from_value::<Clean>(task.with.clone()) else {
                return BTreeSet::new();
            };
            let parents = clean::parent_tables(&clean, dag, files, known);
            parents.into_iter().chain([clean.from]).collect()
        }
        "merge" => {
            let from = task.with.get("from").and_then(Value::as_str);
            from.map(str::to_owned).into_iter().collect()
        }
        "models" => model_reads(task, dag, files),
        _ => BTreeSet::new(),
    }
}

/// The tasks on which `task` waits, itself or through others.
fn ancestors<'a>(dag: &'a Dag, task: &'a Task) -> BTreeSet<&'a TaskId> {
    let mut found = BTreeSet::new();
    let mut queue: Vec<&TaskId> = task.depends_on.iter().collect();
    while let Some(id) = queue.pop() {
        if found.insert(id) {
            let next = dag.tasks.iter().filter(|task| task.task_id == *id);
            queue.extend(next.flat_map(|task| &task.depends_on));
        }
    }
    found
}
