//! `models`: SQL models built and tested, each as a task of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Operator, Outcome, TaskContext, TaskError, Verdict, clean};
use crate::base::{Error, Result, TaskId};
use crate::dag::template::is_template;
use crate::dag::{Dag, DagFiles, Flaw, Param, ParamType, Task};
use crate::lake::{self, Planned, Request, Sources, TestResult, Warehouse, select};
use crate::records::schema_from_sql;

/// Builds the models under `models/` that `select` names and tests them. In the run each model is a task of its own, called
/// `<task_id>.<layer>.<name>`: it waits for the models that its SQL reads and for the task's own `depends_on`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Models {
    /// As dbt users know it: `name`, `+name` (and what it needs), `name+` (and what needs it), `tag:daily`, `layer:gold`; several
    /// separated by commas or spaces. All models when absent.
    #[serde(default)]
    select: Option<String>,
    /// Whether incremental models are computed anew from their first row on; the run's parameter `full_refresh` says the same.
    #[serde(default)]
    full_refresh: bool,
}

/// Name of the operator.
const NAME: &str = "models";
/// The run parameter that `galen run --full-refresh` sets.
pub const FULL_REFRESH: &str = "full_refresh";

#[async_trait]
impl Operator for Models {
    fn check(&self, dag: &Dag, files: &DagFiles) -> Vec<Flaw> {
        let (models, problems) = match models_of(dag, files) {
            Ok(read) => read,
            Err(error) => return vec![flaw("", &error)],
        };
        let sound = problems.is_empty();
        let mut flaws: Vec<Flaw> = problems.into_iter().map(in_file).collect();
        if sound {
            match Planned::new(&models) {
                Ok((_, problems)) => flaws.extend(problems.into_iter().map(in_file)),
                Err(error) => flaws.push(flaw("", &error)),
            }
            if let Err(error) = self.selected(&models) {
                flaws.push(flaw("/select", &error));
            }
        }
        flaws
    }

    async fn run(&self, context: &TaskContext) -> Result<Verdict, TaskError> {
        let work = self.build(context);
        tokio::select! {
            biased;
            () = context.cancel.cancelled() => Err(TaskError::Cancelled),
            done = work => Ok(Verdict::Done(done?)),
        }
    }
}

impl Models {
    /// Full names of the models, each after those it reads.
    fn selected(&self, models: &lake::Models) -> Result<Vec<String>> {
        let all = || models.iter().map(lake::Model::full_name);
        if models.is_empty() {
            return Err(Error::new("the DAG's folder has no models")
                .hint("a model is a file `models/<layer>/<name>.sql` with one SELECT"));
        }
        match self.select.as_deref() {
            None => Ok(all().collect()),
            Some(text) => {
                let chosen = select(models, text)?;
                Ok(all().filter(|name| chosen.contains(name)).collect())
            }
        }
    }

    async fn build(&self, context: &TaskContext) -> Result<Outcome> {
        let models = Arc::new(sound_models(&context.dag, &context.files)?);
        let warehouse = Warehouse::new(
            context.settings.clone(),
            context.records.clone(),
            models.clone(),
        );
        let selected = self.selected(&models)?;
        let warehouse = match selected.iter().any(|name| models.reads_op(name)) {
            true => {
                let group = group(&context.task_id, &selected);
                warehouse.with_snapshot(context.snapshots.of(&group, &context.records).await?)
            }
            false => warehouse,
        };
        let asked = context.params.get(FULL_REFRESH).and_then(Value::as_bool);
        let request = Request {
            full_refresh: self.full_refresh || asked.unwrap_or(false),
            as_of: context.interval.end,
        };
        let mut outcome = Outcome::default();
        for name in &selected {
            let built = warehouse.build(name, request).await?;
            let fields = json!({
                "model": name, "counts": built.counts, "closed": built.closed, "rows": built.rows, "version": built.version,
            });
            context.log.info("model built", fields);
            for dead_end in &built.dead_ends {
                context
                    .log
                    .warn(&dead_end.to_string(), json!({"model": name}));
            }
            let results = warehouse
                .test(name, &built.dead_ends, context.clock.now())
                .await?;
            log_tests(context, &results);
            outcome.counts += built.counts;
            outcome.tables.insert(name.clone(), built.counts);
            outcome.outputs.insert("rows".to_owned(), json!(built.rows));
            outcome
                .outputs
                .insert("dead_ends".to_owned(), json!(built.dead_ends.len()));
            if let Some(failed) = results.iter().find(|result| result.stops()) {
                return Err(stopped(context, failed));
            }
        }
        Ok(outcome)
    }
}

fn log_tests(context: &TaskContext, results: &[TestResult]) {
    for result in results {
        let fields = json!({
            "model": result.model, "test": result.test, "status": result.status, "checked": result.counted.checked,
            "failed": result.counted.failed, "severity": result.severity,
        });
        match result.status {
            lake::TestStatus::Fail | lake::TestStatus::Error => {
                context.log.warn("test did not pass", fields)
            }
            _ => context.log.info("test done", fields),
        }
    }
}

fn stopped(context: &TaskContext, failed: &TestResult) -> Error {
    let what = match &failed.counted.error {
        Some(error) => format!("could not be evaluated: {error}"),
        None => format!(
            "fails for {} of {} rows",
            failed.counted.failed, failed.counted.checked
        ),
    };
    Error::new(format!(
        "model `{}`: test `{}` {what}",
        failed.model, failed.test
    ))
    .hint(format!(
        "`galen tests {}` shows thresholds and keys; `severity: warn` lets the run go on",
        context.dag_id()
    ))
}

/// The name that the tasks of one `models` task share: the task's id, without the model that was appended to it.
fn group(task_id: &TaskId, selected: &[String]) -> String {
    let id = task_id.as_str();
    let own = selected
        .first()
        .and_then(|name| id.strip_suffix(&format!(".{name}")));
    own.unwrap_or(id).to_owned()
}

/// The DAG's models, which must be sound.
///
/// # Errors
/// The first thing that is wrong with them.
pub fn sound_models(dag: &Dag, files: &DagFiles) -> Result<lake::Models> {
    let (models, problems) = models_of(dag, files)?;
    match problems.into_iter().next() {
        None => Ok(models),
        Some(problem) => {
            let place = match problem.line {
                0 => problem.file,
                line => format!("{}:{line}:{}", problem.file, problem.column),
            };
            let error = Error::new(format!("{place}: {}", problem.message));
            Err(match problem.hint {
                Some(hint) => error.hint(hint),
                None => error,
            })
        }
    }
}

/// The DAG's models and what is wrong with them.
fn models_of(dag: &Dag, files: &DagFiles) -> Result<(lake::Models, Vec<crate::base::Problem>)> {
    let op = match &dag.tables {
        Some(file) => schema_from_sql(files.text(file)?)?,
        None => crate::base::Schema::default(),
    };
    let into = |task: &Task| {
        task.with
            .get("into")
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    let of = |operator: &'static str| {
        dag.tasks
            .iter()
            .filter(move |task| task.operator == operator)
    };
    let staged = of("ingest").filter_map(into);
    let staged = staged.map(|into| match into.contains('.') {
        true => into,
        false => format!("{}.{into}", lake::OP),
    });
    let cleaned = of("clean").filter_map(into);
    let cleaned = cleaned.flat_map(|into| [format!("{into}{}", lake::QUARANTINE), into]);
    let texts = || files.iter().map(|(path, text)| (path, &**text));
    let sources = Sources {
        op,
        open: staged.chain(cleaned).collect(),
        stored: stored_columns(dag, files, texts()),
    };
    Ok(lake::Models::read(texts(), sources))
}

/// The columns of the Delta tables that `ingest` and `clean` tasks write, as far as they are known before anything ran.
pub(super) fn known_columns(dag: &Dag, files: &DagFiles) -> BTreeMap<String, SchemaRef> {
    stored_columns(dag, files, files.iter().map(|(path, text)| (path, &**text)))
}

fn stored_columns<'a>(
    dag: &Dag,
    files: &DagFiles,
    texts: impl Iterator<Item = (&'a str, &'a str)>,
) -> BTreeMap<String, SchemaRef> {
    let tasks = dag.tasks.iter().filter(|task| task.operator == "ingest");
    let into = tasks.filter_map(|task| task.with.get("into").and_then(Value::as_str));
    let landing: BTreeSet<&str> = into.filter(|into| into.contains('.')).collect();
    if landing.is_empty() && !dag.tasks.iter().any(|task| task.operator == "clean") {
        return BTreeMap::new();
    }
    let (described, _) = lake::Models::read(texts, Sources::default());
    let mut known = BTreeMap::new();
    for name in landing {
        known.insert(format!("{name}{}", lake::QUARANTINE), lake::unread());
        if let Some((_, columns)) = described
            .declared(name)
            .filter(|(_, columns)| !columns.is_empty())
        {
            let columns = columns.iter().map(|column| column.name.as_str());
            let own = columns.filter(|name| !name.starts_with('_'));
            known.insert(name.to_owned(), lake::landed(own));
        }
    }
    let made = clean::made(dag, files, &known);
    known.extend(
        made.into_iter()
            .filter_map(|(name, columns)| Some((name, columns?))),
    );
    known
}

/// Full names of the tables that the models of a `models` task read, themselves or through models that no task builds.
pub(super) fn model_reads(task: &Task, dag: &Dag, files: &DagFiles) -> BTreeSet<String> {
    let Ok((models, _)) = models_of(dag, files) else {
        return BTreeSet::new();
    };
    let selected = |task: &Task| {
        let select = task.with.get("select").and_then(Value::as_str);
        let operator = Models {
            select: select.map(str::to_owned),
            full_refresh: false,
        };
        operator.selected(&models).unwrap_or_default()
    };
    let groups = dag.tasks.iter().filter(|task| task.operator == NAME);
    let built: BTreeSet<String> = groups.flat_map(selected).collect();
    let mut queue = selected(task);
    let (mut seen, mut found) = (BTreeSet::new(), BTreeSet::new());
    while let Some(name) = queue.pop() {
        let Some(model) = models.get(&name) else {
            continue;
        };
        for read in model.reads() {
            if models.contains(&read) && !built.contains(&read) && seen.insert(read.clone()) {
                queue.push(read.clone());
            }
            found.insert(read);
        }
    }
    found
}

/// Puts a task for each model in the place of every `models` task of `dag`, and gives the DAG the parameter `full_refresh`.
pub fn expand(dag: &mut Dag, files: &DagFiles) -> Vec<Flaw> {
    if !dag.tasks.iter().any(|task| task.operator == NAME) {
        return Vec::new();
    }
    let models = match models_of(dag, files) {
        Ok((models, _)) => models,
        Err(error) => return vec![flaw("", &error)],
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
            Err(error) => flaws.push(flaw(&pointer, &error)),
        }
    }
    if !flaws.is_empty() {
        return flaws;
    }
    let names: BTreeSet<TaskId> = dag.tasks.iter().map(|task| task.task_id.clone()).collect();
    let mut tasks = Vec::new();
    for task in &dag.tasks {
        let before: Vec<TaskId> = task
            .depends_on
            .iter()
            .flat_map(|id| ends(id, &groups, &models))
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
            depends_on.extend(waits_for(name, &task.task_id, &groups, &models));
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

fn task_of(group: &TaskId, model: &str) -> TaskId {
    TaskId::new(format!("{group}.{model}"))
}

/// The tasks after which everything of `id` is done: its own, or those of a group on which no other of the group waits.
fn ends(id: &TaskId, groups: &BTreeMap<TaskId, Vec<String>>, models: &lake::Models) -> Vec<TaskId> {
    let Some(selected) = groups.get(id) else {
        return vec![id.clone()];
    };
    let waited: BTreeSet<TaskId> = selected
        .iter()
        .flat_map(|name| waits_for(name, id, groups, models))
        .collect();
    let tasks = selected.iter().map(|name| task_of(id, name));
    tasks.filter(|task| !waited.contains(task)).collect()
}

/// The tasks of the models that `name` reads, itself or through models that no task builds.
fn waits_for(
    name: &str,
    group: &TaskId,
    groups: &BTreeMap<TaskId, Vec<String>>,
    models: &lake::Models,
) -> BTreeSet<TaskId> {
    let mut found = BTreeSet::new();
    let mut queue = vec![name.to_owned()];
    let mut seen = BTreeSet::new();
    while let Some(next) = queue.pop() {
        for upstream in models.upstream(&next) {
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

fn flaw(pointer: &str, error: &Error) -> Flaw {
    let flaw = Flaw::at(pointer, error.to_string());
    match error.hint_text() {
        Some(hint) => flaw.hint(hint),
        None => flaw,
    }
}

pub(super) fn in_file(problem: crate::base::Problem) -> Flaw {
    let flaw = Flaw::in_file(problem.file, problem.line, problem.column, problem.message);
    match problem.hint {
        Some(hint) => flaw.hint(hint),
        None => flaw,
    }
}
