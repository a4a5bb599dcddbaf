//! A task for each model.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::sources::models_of;
use super::{FULL_REFRESH, Models, NAME};
use crate::base::TaskId;
use crate::dag::template::is_template;
use crate::dag::{Dag, DagFiles, Flaw, Param, ParamType, Task};

/// Puts a task for each model in the place of every `models` task of `dag`, and gives the DAG the parameter `full_refresh`.
pub fn expand(dag: &mut Dag, files: &DagFiles) -> Vec<Flaw> {
    if !dag.tasks.iter().any(|task| task.operator == NAME) {
        return Vec::new();
    }
    let models = match models_of(dag, files) {
        Ok(known) => known.models.clone(),
        Err(error) => return vec![Flaw::of("", &error)],
    };
    let mut flaws = Vec::new();
    let mut groups: BTreeMap<TaskId, Vec<String>> = BTreeMap::new();
    for (index, task) in dag
        .tasks
        .iter()
        .enumerate()
        .filter(|(_, task)| task.operator == NAME)
    {
        let pointer = format!("/tasks/{index}/with/select");
        let select = task.with.get("select").and_then(Value::as_str);
        if select.is_some_and(is_template) {
            let flaw = Flaw::at(
                pointer,
                "`select` holds a template, but which tasks a run has is decided before it starts",
            );
            flaws.push(flaw.hint("write the selection out, or let a task be skipped with `when`"));
            continue;
        }
        let operator = Models {
            select: select.map(str::to_owned),
            full_refresh: false,
        };
        match operator.selected(&models) {
            Ok(selected) => {
                groups.insert(task.task_id.clone(), selected);
            }
            Err(error) => flaws.push(Flaw::of(pointer, &error)),
        }
    }
    if !flaws.is_empty() {
        return flaws;
    }
    let before_all = models.before();
    let names: BTreeSet<TaskId> = dag.tasks.iter().map(|task| task.task_id.clone()).collect();
    let mut tasks = Vec::new();
    for task in &dag.tasks {
        let before: Vec<TaskId> = task
            .depends_on
            .iter()
            .flat_map(|id| ends(id, &groups, &before_all))
            .collect();
        let Some(selected) = groups.get(&task.task_id) else {
            tasks.push(Task {
                depends_on: before,
                ..task.clone()
            });
            continue;
        };
        for name in selected {
            let mut depends_on = before.clone();
            depends_on.extend(waits_for(name, &task.task_id, &groups, &before_all));
            let full_refresh = task
                .with
                .get("full_refresh")
                .cloned()
                .unwrap_or(false.into());
            let model = task_of(&task.task_id, name);
            if names.contains(&model) {
                flaws.push(
                    Flaw::at(
                        "",
                        format!(
                            "task `{model}` is one that task `{}` makes for a model",
                            task.task_id
                        ),
                    )
                    .hint("give it another `task_id`"),
                );
            }
            tasks.push(Task {
                task_id: model,
                description: models
                    .get(name)
                    .map_or_else(String::new, |model| model.description.clone()),
                depends_on,
                with: json!({"select": name, "full_refresh": full_refresh}),
                ..task.clone()
            });
        }
    }
    dag.tasks = tasks;
    dag.params
        .entry(FULL_REFRESH.to_owned())
        .or_insert_with(|| Param {
            r#type: ParamType::Boolean,
            default: false.into(),
            minimum: None,
            maximum: None,
            r#enum: None,
            description: "whether incremental models are computed anew from their first row on"
                .to_owned(),
        });
    flaws
}

/// What comes before each model.
type Before<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

fn task_of(group: &TaskId, model: &str) -> TaskId {
    TaskId::new(format!("{group}.{model}"))
}

/// The tasks after which everything of `id` is done: its own, or those of a group on which no other of the group waits.
fn ends(id: &TaskId, groups: &BTreeMap<TaskId, Vec<String>>, before: &Before<'_>) -> Vec<TaskId> {
    let Some(selected) = groups.get(id) else {
        return vec![id.clone()];
    };
    let waited: BTreeSet<TaskId> = selected
        .iter()
        .flat_map(|name| waits_for(name, id, groups, before))
        .collect();
    let tasks = selected.iter().map(|name| task_of(id, name));
    tasks.filter(|task| !waited.contains(task)).collect()
}

/// The tasks of the models that come before `name`, themselves or by way of models that no task builds.
fn waits_for(
    name: &str,
    group: &TaskId,
    groups: &BTreeMap<TaskId, Vec<String>>,
    before: &Before<'_>,
) -> BTreeSet<TaskId> {
    let mut found = BTreeSet::new();
    let mut queue = vec![name.to_owned()];
    let mut seen = BTreeSet::new();
    while let Some(next) = queue.pop() {
        for upstream in before.get(next.as_str()).into_iter().flatten().copied() {
            let builds = |(_, selected): &(&TaskId, &Vec<String>)| {
                selected.iter().any(|one| one == upstream)
            };
            let own = groups.get_key_value(group).filter(builds);
            let builders: Vec<&TaskId> = match own {
                Some((own, _)) => vec![own],
                None => groups.iter().filter(builds).map(|(id, _)| id).collect(),
            };
            match builders.is_empty() {
                false => found.extend(builders.into_iter().map(|id| task_of(id, upstream))),
                true if seen.insert(upstream.to_owned()) => queue.push(upstream.to_owned()),
                true => {}
            }
        }
    }
    found
}
