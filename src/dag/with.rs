//! Checks what tasks and hooks hand to their operators: templates first, then the values they render to.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta};
use serde_json::{Map, Value};

use super::check::{Checker, own_or_default};
use super::report::Report;
use super::template::{self, NAMES, OUTPUTS, Scope};
use super::{Dag, DagFiles, Graph, Hook, Task, UNKNOWN, shape};
use crate::base::yaml::escape;
use crate::base::{Error, Interval, RunId, TaskId, nearest};

/// The parameters of every task and hook of a DAG.
pub struct With<'a> {
    checker: &'a Checker<'a>,
    dag: &'a Dag,
    files: &'a DagFiles,
    /// `None` when there is a cycle, so that nobody can say what is upstream.
    graph: Option<&'a Graph>,
    /// Sample values for every name but outputs; any other run or task would do.
    context: minijinja::Value,
}

/// Whose parameters are looked at; says which outputs a template may name.
#[derive(Clone, Copy)]
enum Of<'a> {
    Task(&'a Task),
    TaskHook(&'a Task),
    RunHook,
}

impl<'a> With<'a> {
    pub fn new(
        checker: &'a Checker<'a>,
        dag: &'a Dag,
        files: &'a DagFiles,
        graph: Option<&'a Graph>,
    ) -> Self {
        Self {
            checker,
            dag,
            files,
            graph,
            context: sample_context(dag),
        }
    }

    pub fn check(&self, report: &mut Report<'_>) {
        for (index, task) in self.dag.tasks.iter().enumerate() {
            let base = format!("/tasks/{index}");
            self.check_when(&format!("{base}/when"), task, report);
            self.check_with(
                &format!("{base}/with"),
                &task.operator,
                &task.with,
                Of::Task(task),
                report,
            );
            self.check_hooks(
                &base,
                [&task.on_failure, &task.on_success],
                Of::TaskHook(task),
                report,
            );
        }
        self.check_hooks(
            "",
            [&self.dag.on_failure, &self.dag.on_success],
            Of::RunHook,
            report,
        );
    }

    fn check_hooks(
        &self,
        base: &str,
        hooks: [&Option<Hook>; 2],
        of: Of<'_>,
        report: &mut Report<'_>,
    ) {
        for (key, hook) in ["on_failure", "on_success"].into_iter().zip(hooks) {
            if let Some(hook) = hook {
                let pointer = format!("{}/with", own_or_default(base, key, report));
                self.check_with(&pointer, &hook.operator, &hook.with, of, report);
            }
        }
    }

    fn check_when(&self, pointer: &str, task: &Task, report: &mut Report<'_>) {
        let Some(when) = &task.when else { return };
        let rendered = self.sample(pointer, &when.as_str().into(), Of::Task(task), report);
        if rendered != UNKNOWN
            && let Err(error) = template::condition(&rendered)
        {
            report.error(pointer, &error);
        }
    }

    fn check_with(
        &self,
        pointer: &str,
        operator: &str,
        with: &Value,
        of: Of<'_>,
        report: &mut Report<'_>,
    ) {
        let rendered = self.sample(pointer, with, of, report);
        let Some(schema) = self.checker.schema(operator) else {
            return;
        };
        let mut shaped = rendered.clone();
        let flaws = shape::check(&mut shaped, schema);
        let flaws = if flaws.is_empty() {
            self.checker
                .catalog
                .check(operator, &rendered, self.dag, self.files)
        } else {
            flaws
        };
        for flaw in flaws {
            if rendered
                .pointer(&flaw.pointer)
                .is_none_or(|value| value != UNKNOWN)
            {
                report.flaw(pointer, flaw);
            }
        }
    }

    /// `value` with every template rendered with sample values, or [`UNKNOWN`] in its place.
    fn sample(&self, pointer: &str, value: &Value, of: Of<'_>, report: &mut Report<'_>) -> Value {
        match value {
            Value::String(text) if template::is_template(text) => {
                self.sample_text(pointer, text, of, report)
            }
            Value::Array(items) => {
                let items = items.iter().enumerate();
                items
                    .map(|(index, item)| {
                        self.sample(&format!("{pointer}/{index}"), item, of, report)
                    })
                    .collect()
            }
            Value::Object(map) => {
                let items = map.iter();
                let items = items.map(|(key, item)| {
                    let pointer = format!("{pointer}/{}", escape(key));
                    (key.clone(), self.sample(&pointer, item, of, report))
                });
                items.collect::<Map<_, _>>().into()
            }
            other => other.clone(),
        }
    }

    fn sample_text(&self, pointer: &str, text: &str, of: Of<'_>, report: &mut Report<'_>) -> Value {
        let names = match template::references(text) {
            Ok(names) => names,
            Err(error) => {
                report.error(pointer, &error);
                return UNKNOWN.into();
            }
        };
        let wrong: Vec<Error> = names
            .iter()
            .filter_map(|name| self.wrong_name(name, of))
            .collect();
        for error in &wrong {
            report.error(pointer, error);
        }
        if !wrong.is_empty() || names_outputs(&names) {
            return UNKNOWN.into();
        }
        match template::render_text(text, &self.context) {
            Ok(value) => value,
            Err(error) => {
                report.error(pointer, &error);
                UNKNOWN.into()
            }
        }
    }

    /// What is wrong with looking up `name`, as `params.rows` or `outputs.load.rows`.
    fn wrong_name(&self, name: &str, of: Of<'_>) -> Option<Error> {
        let mut parts = name.split('.');
        let root = parts.next()?;
        match (root, parts.next()) {
            ("params", Some(param)) => self.wrong_param(param),
            (OUTPUTS, Some(task)) => self.wrong_output(task, of),
            _ if root == OUTPUTS || NAMES.contains(&root) => None,
            _ => {
                let error = Error::new(format!("template names `{root}`, which is not defined"));
                Some(match nearest(root, NAMES.into_iter().chain([OUTPUTS])) {
                    Some(near) => error.hint(format!("did you mean `{near}`?")),
                    None => error.hint(format!("defined are {} and {OUTPUTS}", NAMES.join(", "))),
                })
            }
        }
    }

    fn wrong_param(&self, param: &str) -> Option<Error> {
        if self.dag.params.contains_key(param) {
            return None;
        }
        let error = Error::new(format!(
            "template names `params.{param}`, which is no parameter of this DAG"
        ));
        Some(
            match nearest(param, self.dag.params.keys().map(String::as_str)) {
                Some(near) => error.hint(format!("did you mean `params.{near}`?")),
                None => error.hint("declare it under `params`, with a default"),
            },
        )
    }

    fn wrong_output(&self, from: &str, of: Of<'_>) -> Option<Error> {
        let mut tasks = self.dag.tasks.iter().map(|task| task.task_id.as_str());
        if !tasks.clone().any(|task| task == from) {
            let error = Error::new(format!(
                "template names `outputs.{from}`, but there is no task `{from}`"
            ));
            return Some(match nearest(from, &mut tasks) {
                Some(near) => error.hint(format!("did you mean `outputs.{near}`?")),
                None => error,
            });
        }
        let task_id = match of {
            Of::RunHook => return None,
            Of::TaskHook(task) if task.task_id.as_str() == from => return None,
            Of::Task(task) | Of::TaskHook(task) => &task.task_id,
        };
        if self.is_upstream(from, task_id) {
            return None;
        }
        let error = Error::new(format!(
            "template names `outputs.{from}`, but `{from}` need not be done before `{task_id}`"
        ));
        Some(error.hint(format!("add `{from}` to `depends_on` of `{task_id}`")))
    }

    fn is_upstream(&self, from: &str, task: &TaskId) -> bool {
        let Some(graph) = self.graph else {
            return true;
        };
        let (Some(from), Some(task)) = (graph.index(from), graph.index(task.as_str())) else {
            return true;
        };
        graph.upstream(task).any(|direct| direct == from)
            || graph.all_upstream(task).contains(&from)
    }
}

/// The first day of a year, the defaults of all parameters, and no outputs.
fn sample_context(dag: &Dag) -> minijinja::Value {
    let day = DateTime::from_timestamp(1_767_225_600, 0).unwrap_or_default();
    let defaults = dag.params.iter();
    let defaults = defaults.map(|(name, param)| (name.clone(), param.default.clone()));
    let scope = Scope {
        dag_id: &dag.dag_id,
        run_id: &RunId::new(format!("{}__manual__20260102T000000Z", dag.dag_id)),
        task_id: Some(&TaskId::new("task")),
        try_number: 1,
        interval: Interval {
            start: day,
            end: day + TimeDelta::days(1),
        },
        params: &defaults.collect(),
        outputs: &Map::new(),
    };
    scope.context()
}

fn names_outputs(names: &BTreeSet<String>) -> bool {
    names
        .iter()
        .any(|name| name.split('.').next() == Some(OUTPUTS))
}
