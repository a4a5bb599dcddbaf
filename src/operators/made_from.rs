//! The tables that the tasks of a DAG make of others.

use serde_json::Value;

use super::clean::{self, cleans, merges};
use super::models::known_columns;
use crate::dag::{Dag, DagFiles, Task};
use crate::lake::{MadeFrom, Making, Makings};
use crate::sources::Source;

/// What each table is made of that a `clean` or `merge` task writes, by full names.
pub fn made_from(dag: &Dag, files: &DagFiles) -> MadeFrom {
    let known = known_columns(dag, files);
    let mut made = MadeFrom::new();
    for clean in cleans(dag) {
        let mut from = clean::parent_tables(&clean, dag, files, &known);
        from.insert(clean.from);
        made.insert(clean.into, from);
    }
    for merge in merges(dag) {
        made.entry(merge.into).or_default().insert(merge.from);
    }
    made
}

/// How the `ingest`, `clean` and `merge` tasks of a DAG make Delta tables, by full names.
pub fn makings(dag: &Dag) -> Makings {
    let mut makings = Makings::new();
    for task in &dag.tasks {
        let text = |key: &str| task.with.get(key).and_then(Value::as_str);
        let from = match task.operator.as_str() {
            "clean" | "merge" => text("from"),
            "ingest" => None,
            _ => continue,
        };
        if let Some(into) = text("into") {
            makings.entry(into.to_owned()).or_default().push(Making {
                task: task.task_id.to_string(),
                from: from.map(str::to_owned),
                deliveries: deliveries(task),
            });
        }
    }
    makings
}

/// What an `ingest` task reads, its templates as they are written.
fn deliveries(task: &Task) -> Vec<String> {
    let source = task.with.get("source").cloned();
    let source = source.and_then(|source| serde_json::from_value::<Source>(source).ok());
    let resolved = source.as_ref().map(|source| source.resolve(usize::MAX));
    match resolved {
        Some(Ok((locations, _))) => locations.shown(),
        _ => Vec::new(),
    }
}
