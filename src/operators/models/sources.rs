//! What a DAG's models can read: operational tables, and what its `ingest`, `clean` and `merge` tasks write.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::arrow::datatypes::SchemaRef;
use serde_json::Value;

use super::{Models, NAME};
use crate::base::{Problem, Result, Schema};
use crate::dag::{Dag, DagFiles, Task};
use crate::lake::{self, Sources};
use crate::operators::clean;
use crate::records::{own_tables, schema_from_sql};

/// The DAG's models, which must be sound.
///
/// # Errors
/// The first thing that is wrong with them.
pub fn sound_models(dag: &Dag, files: &DagFiles) -> Result<lake::Models> {
    let (models, problems) = models_of(dag, files)?;
    match problems.into_iter().next() {
        None => Ok(models),
        Some(problem) => Err(problem.into()),
    }
}

/// The DAG's models and what is wrong with them.
pub(super) fn models_of(dag: &Dag, files: &DagFiles) -> Result<(lake::Models, Vec<Problem>)> {
    let mut op = match &dag.tables {
        Some(file) => schema_from_sql(files.text(file)?)?,
        None => Schema::default(),
    };
    own_tables().for_each(|table| op.insert(table));
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
    let texts = || files.iter().map(|(path, text)| (path, &**text));
    let sources = Sources {
        op,
        open: staged.chain(cleaned).chain(merged).collect(),
        stored: stored_columns(dag, files, texts()),
    };
    Ok(lake::Models::read(texts(), sources))
}

/// The columns of the Delta tables that `ingest`, `clean` and `merge` tasks write, as far as they are known before anything ran.
pub(in crate::operators) fn known_columns(
    dag: &Dag,
    files: &DagFiles,
) -> BTreeMap<String, SchemaRef> {
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
    let makes = |task: &Task| ["clean", "merge"].contains(&task.operator.as_str());
    if landing.is_empty() && !dag.tasks.iter().any(makes) {
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
pub(in crate::operators) fn model_reads(
    task: &Task,
    dag: &Dag,
    files: &DagFiles,
) -> BTreeSet<String> {
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
