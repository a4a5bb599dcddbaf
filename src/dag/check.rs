//! Checks one DAG folder: everything that is wrong with it, in one report.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

use super::cycle::{CYCLE_HINT, describe_cycle, find_cycles};
use super::graph::unknown_upstream;
use super::report::{DAG_FILE, Report};
use super::spec::DagSpec;
use super::with::With;
use super::{Catalog, Dag, DagFiles, Graph, Hook, build, shape};
use crate::base::{Error, Problem, TaskId, nearest, yaml};

/// What every check needs; made once for all DAGs.
pub struct Checker<'a> {
    pub catalog: &'a dyn Catalog,
    spec: Value,
    schemas: BTreeMap<&'static str, Value>,
}

/// Schema names that PostgreSQL or Galen itself uses.
const RESERVED: [&str; 3] = ["galen", "public", "information_schema"];

/// Identifiers name schemas, files and log folders.
const LONGEST_DAG_ID: usize = 63;
const LONGEST_TASK_ID: usize = 250;

const HOOK_OPERATORS: [&str; 2] = ["shell", "http"];

impl<'a> Checker<'a> {
    pub fn new(catalog: &'a dyn Catalog) -> Self {
        let schema = |name: &'static str| Some((name, catalog.schema(name)?));
        Self {
            catalog,
            spec: schemars::schema_for!(DagSpec).to_value(),
            schemas: catalog.operators().into_iter().filter_map(schema).collect(),
        }
    }

    /// JSON Schema of an operator's `with`.
    pub fn schema(&self, operator: &str) -> Option<&Value> {
        self.schemas.get(operator)
    }

    /// The DAG of `text` (its `dag.yaml`) in a folder called `name` with `files`; `folder` is how messages name it.
    ///
    /// # Errors
    /// Every problem, in file order.
    pub fn check(
        &self,
        folder: &str,
        name: &str,
        text: &str,
        files: &DagFiles,
    ) -> Result<Dag, Vec<Problem>> {
        let node = yaml::parse(text).map_err(|(place, message)| {
            vec![Problem {
                file: format!("{folder}/{DAG_FILE}"),
                line: place.line,
                column: place.column,
                message: format!("not YAML: {message}"),
                hint: None,
            }]
        })?;
        let mut report = Report::new(folder, &node);
        for repeated in node.repeated_keys() {
            report.repeated(&repeated);
        }
        let mut json = node.to_json();
        for flaw in shape::check(&mut json, &self.spec) {
            report.flaw("", flaw);
        }
        if !json.is_object() {
            return Err(report.finish());
        }
        let spec = match serde_json::from_value::<DagSpec>(json) {
            Ok(spec) => spec,
            Err(error) => {
                report.message("", error.to_string());
                return Err(report.finish());
            }
        };
        let mut dag = build::build(spec, &mut report);
        self.check_dag(&dag, name, files, &mut report);
        if report.is_empty() {
            self.expand(&mut dag, files, &mut report);
        }
        if report.is_empty() {
            Ok(dag)
        } else {
            Err(report.finish())
        }
    }

    fn check_dag(&self, dag: &Dag, name: &str, files: &DagFiles, report: &mut Report<'_>) {
        check_dag_id(dag.dag_id.as_str(), name, report);
        if let Some(tables) = &dag.tables
            && let Err(error) = files.text(tables)
        {
            report.error("/tables", &error);
        }
        self.check_tasks(dag, report);
        let edges = check_dependencies(dag, report);
        let edges = || edges.iter().map(|(task, needs)| (task, &**needs));
        for cycle in find_cycles(edges()).unwrap_or_default() {
            let first = dag.tasks.iter().position(|task| task.task_id == cycle[0]);
            let pointer = format!("/tasks/{}/depends_on", first.unwrap_or_default());
            report.error(
                &pointer,
                &Error::new(describe_cycle(&cycle)).hint(CYCLE_HINT),
            );
        }
        let graph = Graph::from_edges(edges()).ok();
        With::new(self, dag, files, graph.as_ref()).check(report);
    }

    fn expand(&self, dag: &mut Dag, files: &DagFiles, report: &mut Report<'_>) {
        for flaw in self.catalog.expand(dag, files) {
            report.flaw("", flaw);
        }
        if let Err(error) = Graph::new(&dag.tasks) {
            report.error("/tasks", &error);
        }
    }

    fn check_tasks(&self, dag: &Dag, report: &mut Report<'_>) {
        let mut seen: HashMap<&str, usize> = HashMap::new();
        for (index, task) in dag.tasks.iter().enumerate() {
            let pointer = format!("/tasks/{index}");
            let task_id = task.task_id.as_str();
            if !task_id.is_empty() {
                check_id(
                    &format!("{pointer}/task_id"),
                    "task_id",
                    task_id,
                    LONGEST_TASK_ID,
                    report,
                );
                if let Some(first) = seen.insert(task_id, index) {
                    let line = report.line(&format!("/tasks/{first}/task_id"));
                    let message = format!(
                        "task `{task_id}` is defined a second time, the first is on line {line}"
                    );
                    report.message(&format!("{pointer}/task_id"), message);
                }
            }
            self.check_operator(&pointer, &task.operator, report);
            self.check_pool(&pointer, &task.pool, report);
            self.check_hooks(&pointer, [&task.on_failure, &task.on_success], report);
        }
        self.check_hooks("", [&dag.on_failure, &dag.on_success], report);
    }

    fn check_operator(&self, base: &str, operator: &str, report: &mut Report<'_>) {
        if operator.is_empty() || self.schemas.contains_key(operator) {
            return;
        }
        let error = Error::new(format!("unknown operator `{operator}`"));
        let error = match nearest(operator, self.schemas.keys().copied()) {
            Some(name) => error.hint(format!("did you mean `{name}`?")),
            None => {
                let known: Vec<&str> = self.schemas.keys().copied().collect();
                error.hint(format!("operators: {}", known.join(", ")))
            }
        };
        report.error(&format!("{base}/operator"), &error);
    }

    /// The pool of the task at `base`; one from `default_args` is told there.
    fn check_pool(&self, base: &str, pool: &str, report: &mut Report<'_>) {
        let Some(pools) = self.catalog.pools().filter(|pools| !pools.contains(&pool)) else {
            return;
        };
        let error = Error::new(format!("unknown pool `{pool}`"));
        let error = match nearest(pool, pools.iter().copied()) {
            Some(name) => error.hint(format!("did you mean `{name}`?")),
            None => error.hint(format!(
                "pools: {}; `[pools]` in `galen.toml` adds others",
                pools.join(", ")
            )),
        };
        report.error(&own_or_default(base, "pool", report), &error);
    }

    /// Hooks that are written at `base`; those from `default_args` are told there.
    fn check_hooks(&self, base: &str, hooks: [&Option<Hook>; 2], report: &mut Report<'_>) {
        for (key, hook) in ["on_failure", "on_success"].into_iter().zip(hooks) {
            let Some(hook) = hook else { continue };
            let base = own_or_default(base, key, report);
            if !hook.operator.is_empty() && !HOOK_OPERATORS.contains(&&*hook.operator) {
                let message = format!(
                    "`{}` cannot be a hook, expected `shell` or `http`",
                    hook.operator
                );
                report.message(&format!("{base}/operator"), message);
            }
        }
    }
}

/// Where `key` of the task at `base` is written: there or in `default_args`.
pub fn own_or_default(base: &str, key: &str, report: &Report<'_>) -> String {
    let own = format!("{base}/{key}");
    if report.has(&own) {
        own
    } else {
        format!("/default_args/{key}")
    }
}

fn check_dag_id(dag_id: &str, folder: &str, report: &mut Report<'_>) {
    if dag_id.is_empty() {
        return;
    }
    check_id("/dag_id", "dag_id", dag_id, LONGEST_DAG_ID, report);
    let lower = dag_id.to_ascii_lowercase();
    if RESERVED.contains(&&*lower) || lower.starts_with("pg_") {
        report.message(
            "/dag_id",
            format!("`{dag_id}` is reserved, expected another name"),
        );
    }
    if dag_id != folder {
        let error = Error::new(format!(
            "dag_id `{dag_id}` differs from the folder's name `{folder}`"
        ));
        report.error("/dag_id", &error.hint("rename one of them"));
    }
}

fn check_id(pointer: &str, key: &str, id: &str, longest: usize, report: &mut Report<'_>) {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let starts_well = id
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphanumeric());
    if !starts_well || !id.bytes().all(plain) || id.len() > longest {
        let message = format!(
            "`{id}` is not a {key}, expected up to {longest} letters, digits, `_`, `.` or `-`, a letter or digit first"
        );
        report.message(pointer, message);
    }
}

/// The edges between tasks that exist, each task once; every other one is reported.
fn check_dependencies(dag: &Dag, report: &mut Report<'_>) -> Vec<(TaskId, Vec<TaskId>)> {
    let known: HashSet<&TaskId> = dag.tasks.iter().map(|task| &task.task_id).collect();
    let mut seen = HashSet::new();
    let mut edges = Vec::with_capacity(dag.tasks.len());
    for (index, task) in dag.tasks.iter().enumerate() {
        let mut needs = Vec::new();
        for (position, upstream) in task.depends_on.iter().enumerate() {
            if known.contains(upstream) {
                needs.push(upstream.clone());
            } else {
                let names = dag.tasks.iter().map(|task| &task.task_id);
                let error = unknown_upstream(&task.task_id, upstream, names);
                report.error(&format!("/tasks/{index}/depends_on/{position}"), &error);
            }
        }
        if seen.insert(&task.task_id) {
            edges.push((task.task_id.clone(), needs));
        }
    }
    edges
}
