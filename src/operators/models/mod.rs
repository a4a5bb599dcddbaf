//! `models`: SQL models built and tested, each as a task of its own.

mod expand;
mod sources;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

pub use self::expand::expand;
use self::sources::models_of;
pub use self::sources::sound_models;
pub(super) use self::sources::{known_columns, model_reads};
use super::{Operator, Outcome, TaskContext, TaskError, Verdict};
use crate::base::{Error, Problem, Result, TaskId};
use crate::dag::{Dag, DagFiles, Flaw};
use crate::lake::{self, Request, TestResult, Warehouse, select};

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
        let known = match models_of(dag, files) {
            Ok(known) => known,
            Err(error) => return vec![Flaw::of("", &error)],
        };
        let told = |problems: &[Problem]| problems.iter().cloned().map(Flaw::from).collect();
        let mut flaws: Vec<Flaw> = told(&known.problems);
        flaws.extend(match known.planning() {
            Ok(problems) => told(problems),
            Err(error) => vec![Flaw::of("", &error)],
        });
        // what is chosen is known once every model can be read
        if known.problems.is_empty()
            && let Err(error) = self.selected(&known.models)
        {
            flaws.push(Flaw::of("/select", &error));
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
        let models = sound_models(&context.dag, &context.files)?;
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
        "`galen tests {}` shows thresholds, with `--json` the keys of failing rows too; `severity: warn` lets the run go on",
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
