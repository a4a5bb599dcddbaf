//! What a DAG's models can read: operational tables, and what its `ingest`, `clean` and `merge` tasks write.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::{Arc, OnceLock};

use datafusion::arrow::datatypes::SchemaRef;
use serde_json::Value;

use super::{Models, NAME};
use crate::base::{Problem, Result, Schema};
use crate::dag::{Dag, DagFiles, Task};
use crate::lake::{self, Planned, Sources};
use crate::operators::clean;
use crate::operators::kept::Kept;
use crate::records::{own_tables, schema_from_sql};

/// What models and their sources follow from: the declared tables, the tasks that write tables, and the files.
#[derive(PartialEq)]
struct Asked {
    tables: Option<String>,
    /// Operator and parameters.
    tasks: Vec<(String, Value)>,
    files: DagFiles,
}

impl Asked {
    fn of(dag: &Dag, files: &DagFiles) -> Self {
        let writes = |task: &&Task| ["ingest", "clean", "merge"].contains(&task.operator.as_str());
        let tasks = dag.tasks.iter().filter(writes);
        Self {
            tables: dag.tables.clone(),
            tasks: tasks
                .map(|task| (task.operator.clone(), task.with.clone()))
                .collect(),
            files: files.clone(),
        }
    }
}

/// Models as they are written.
pub(super) struct Known {
    pub models: Arc<lake::Models>,
    /// What is wrong with them.
    pub problems: Vec<Problem>,
    /// What else is wrong, as far as planning those that can be read tells.
    planning: OnceLock<Vec<Problem>>,
}

impl Known {
    /// What planning the models tells.
    ///
    /// # Errors
    /// None in practice: when the engine cannot start.
    pub fn planning(&self) -> Result<&[Problem]> {
        if let Some(problems) = self.planning.get() {
            return Ok(problems);
        }
        let (_, problems) = Planned::new(&self.models)?;
        Ok(self.planning.get_or_init(|| problems))
    }
}

/// The DAG's models, which must be sound.
///
/// # Errors
/// The first thing that is wrong with them.
pub fn sound_models(dag: &Dag, files: &DagFiles) -> Result<Arc<lake::Models>> {
    let known = models_of(dag, files)?;
    match known.problems.first() {
        None => Ok(known.models.clone()),
        Some(problem) => Err(problem.clone().into()),
    }
}

/// The DAG's models and what is wrong with them.
///
/// # Errors
/// When the declared tables cannot be read.
pub(super) fn models_of(dag: &Dag, files: &DagFiles) -> Result<Arc<Known>> {
    static KEPT: Kept<Asked, Arc<Known>> = Kept::new();
    KEPT.answer(Asked::of(dag, files), |_| {
        let mut op = match &dag.tables {
            Some(file) => schema_from_sql(files.text(file)?)?,
            None => Schema::default(),
        };
        own_tables().for_each(|table| op.insert(table));
        let sources = Sources {
            op,
            open: open_tables(dag),
            stored: known_columns(dag, files).as_ref().clone(),
        };
        let (models, problems) = lake::Models::read(texts(files), sources);
        Ok(Arc::new(Known {
            models: Arc::new(models),
            problems,
            planning: OnceLock::new(),
        }))
    })
}

fn texts(files: &DagFiles) -> impl Iterator<Item = (&str, &str)> {
    files.iter().map(|(path, text)| (path, &**text))
}

/// Full names of the tables that `ingest`, `clean` and `merge` tasks write.
fn open_tables(dag: &Dag) -> BTreeSet<String> {
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
    let merged = of("merge").filter_map(into);
    staged.chain(cleaned).chain(merged).collect()
}

/// The columns of the Delta tables that `ingest`, `clean` and `merge` tasks write, as far as they are known before anything ran.
pub(in crate::operators) fn known_columns(
    dag: &Dag,
    files: &DagFiles,
) -> Arc<BTreeMap<String, SchemaRef>> {
    static KEPT: Kept<Asked, Arc<BTreeMap<String, SchemaRef>>> = Kept::new();
    let work = |_: &Asked| Ok::<_, Infallible>(Arc::new(stored_columns(dag, files)));
    let Ok(known) = KEPT.answer(Asked::of(dag, files), work);
    known
}

fn stored_columns(dag: &Dag, files: &DagFiles) -> BTreeMap<String, SchemaRef> {
    let tasks = dag.tasks.iter().filter(|task| task.operator == "ingest");
    let into = tasks.filter_map(|task| task.with.get("into").and_then(Value::as_str));
    let landing: BTreeSet<&str> = into.filter(|into| into.contains('.')).collect();
    let makes = |task: &Task| ["clean", "merge"].contains(&task.operator.as_str());
    if landing.is_empty() && !dag.tasks.iter().any(makes) {
        return BTreeMap::new();
    }
    let described = lake::described(texts(files));
    let mut known = BTreeMap::new();
    for name in landing {
        known.insert(format!("{name}{}", lake::QUARANTINE), lake::unread());
        if let Some(columns) = described.get(name).filter(|columns| !columns.is_empty()) {
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
pub(in crate::operators) fn model_reads(
    task: &Task,
    dag: &Dag,
    files: &DagFiles,
) -> BTreeSet<String> {
    let Ok(known) = models_of(dag, files) else {
        return BTreeSet::new();
    };
    let models = &known.models;
    let selected = |task: &Task| {
        let select = task.with.get("select").and_then(Value::as_str);
        let operator = Models {
            select: select.map(str::to_owned),
            full_refresh: false,
        };
        operator.selected(models).unwrap_or_default()
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
