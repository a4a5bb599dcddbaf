//! What a `process` task works out once, before its first batch.

use std::sync::Arc;

use crate::base::{Digest, Error, Problem, Result, Schema, TableColumn};
use crate::dag::{Dag, DagFiles};
use crate::operators::TaskContext;
use crate::operators::blocking::blocking;
use crate::records::{Records, StagedColumns, schema_from_sql};
use crate::rules::{Plan, Target};

/// The plan of a targets file, bound to the DAG's tables and its staging table. Cheap to clone.
#[derive(Clone)]
pub struct Prepared {
    pub records: Records,
    pub plan: Arc<Plan>,
    pub schema: Arc<Schema>,
    pub columns: StagedColumns,
    pub rules: Digest,
    /// The plan's targets, parents before children.
    pub tables: Arc<[BoundTarget]>,
}

/// A target of the plan with what the writer must know about its table.
pub struct BoundTarget {
    /// Its number in the plan.
    pub target: usize,
    /// The columns it gives, key columns first.
    pub columns: Vec<TableColumn>,
    /// Numbers of the table's foreign keys whose parents may be missing.
    pub parents: Vec<usize>,
}

impl Prepared {
    /// Compiles `targets` and finds its columns in staging table `from`.
    pub async fn new(from: &str, targets: &str, context: &TaskContext) -> Result<Self> {
        let (dag, files, file) = (
            context.dag.clone(),
            context.files.clone(),
            targets.to_owned(),
        );
        let plan = blocking(move || compile(&file, &dag, &files).map_err(first)).await?;
        let records = context
            .records
            .with_tables(tables_sql(&context.dag, &context.files)?);
        let schema = records.schema().await?;
        let columns = records.staged_columns(from, &plan.staged).await?;
        for agreement in &plan.agreements {
            let (within, sources) = plan.places(agreement);
            records.index_groups(&columns, within, &sources).await?;
        }
        let text = context.files.text(targets)?;
        Ok(Self {
            rules: records.note_rules(targets, text, &plan.describe()).await?,
            tables: bind(&plan, &schema)?.into(),
            records,
            plan: Arc::new(plan),
            schema,
            columns,
        })
    }
}

/// Compiles the targets file `targets` against the tables that the DAG declares.
pub fn compile(targets: &str, dag: &Dag, files: &DagFiles) -> Result<Plan, Vec<Problem>> {
    let whole_file = |file: &str, error: Error| {
        vec![Problem {
            file: file.to_owned(),
            line: 0,
            column: 0,
            message: error.to_string(),
            hint: error.hint_text().map(str::to_owned),
        }]
    };
    let sql = tables_sql(dag, files).map_err(|error| whole_file("dag.yaml", error))?;
    let schema = schema_from_sql(&sql)
        .map_err(|error| whole_file(dag.tables.as_deref().unwrap_or("dag.yaml"), error))?;
    let text = files
        .text(targets)
        .map_err(|error| whole_file(targets, error))?;
    Plan::compile(targets, text, &schema, &|file| files.text(file).cloned())
}

fn tables_sql(dag: &Dag, files: &DagFiles) -> Result<Arc<str>> {
    match &dag.tables {
        Some(file) => files.text(file).cloned(),
        None => Err(Error::new(format!(
            "dag `{}` declares no tables to write to",
            dag.dag_id
        ))
        .hint("add `tables: tables.sql` and the file with its CREATE TABLE statements")),
    }
}

fn first(problems: Vec<Problem>) -> Error {
    let problem = problems.into_iter().next();
    let text = problem.map_or_else(String::new, |problem| problem.to_string());
    Error::new(text).hint("`galen dags validate` shows every problem")
}

/// Orders the targets so that parents come before children, otherwise as in the file.
fn bind(plan: &Plan, schema: &Schema) -> Result<Vec<BoundTarget>> {
    let mut left: Vec<usize> = (0..plan.targets.len()).collect();
    let mut bound = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let mut ready = None;
        for (place, number) in left.iter().enumerate() {
            let table = schema.table(&plan.targets[*number].table)?;
            let waits = |other: &usize| {
                let parent = &plan.targets[*other].table;
                *parent != table.name && table.foreign_keys.iter().any(|f| f.table == *parent)
            };
            if !left.iter().any(waits) {
                ready = Some(place);
                break;
            }
        }
        let Some(place) = ready else {
            return Err(
                Error::new("the tables of the targets refer to each other in a circle")
                    .hint("drop one of the foreign keys"),
            );
        };
        bound.push(bind_one(plan, schema, left.remove(place))?);
    }
    Ok(bound)
}

fn bind_one(plan: &Plan, schema: &Schema, number: usize) -> Result<BoundTarget> {
    let target = &plan.targets[number];
    let table = schema.table(&target.table)?;
    let columns = target
        .columns
        .iter()
        .map(|column| table.column(&column.name).cloned());
    let gives = |name: &String| target.columns.iter().any(|column| column.name == *name);
    let comes_along = |parent: &Target, foreign: &crate::base::ForeignKey| {
        parent.table == foreign.table
            && parent.always_comes_with(target, &foreign.columns, &foreign.parent_columns)
    };
    let parents = table
        .foreign_keys
        .iter()
        .enumerate()
        .filter(|(_, foreign)| foreign.columns.iter().all(gives))
        .filter(|(_, foreign)| {
            !plan
                .targets
                .iter()
                .any(|parent| comes_along(parent, foreign))
        })
        .map(|(number, _)| number);
    Ok(BoundTarget {
        target: number,
        parents: parents.collect(),
        columns: columns.collect::<Result<_>>()?,
    })
}
