//! A `clean` task with its rules, fitted to the columns of the table that it reads.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde::de::DeserializeOwned;

use super::{Clean, convert, first, parents};
use crate::base::{Problem, Result};
use crate::dag::{Dag, DagFiles};
use crate::db::quote;
use crate::lake::{self, ORDER, QUARANTINE};
use crate::operators::merge::Merge;
use crate::operators::models::known_columns;
use crate::operators::rule_tables::rule_tables;
use crate::rules::tables::{Cleaning, RuleTables};

/// Column that tells the order of records while a table is written, when the later of two is kept.
pub(super) const PLACE: &str = "_place";

/// Rules and columns of a task.
pub(in crate::operators) struct Prepared {
    pub cleaning: Cleaning,
    /// Columns that go along as they are: where a record came from.
    pub carried: Vec<Field>,
}

impl Prepared {
    /// For a table with the columns `stored`.
    ///
    /// # Errors
    /// When the rule tables are wrong or do not fit.
    pub fn new(clean: &Clean, files: &DagFiles, stored: &Schema) -> Result<Self> {
        let tables = clean.tables(files).map_err(first)?;
        Self::of(clean, &tables, stored).map_err(first)
    }

    fn of(clean: &Clean, tables: &RuleTables, stored: &Schema) -> Result<Self, Vec<Problem>> {
        let fields = stored.fields().iter().map(|field| field.as_ref().clone());
        let (carried, columns): (Vec<Field>, Vec<Field>) =
            fields.partition(|field| field.name().starts_with('_'));
        let names: Vec<String> = columns.iter().map(|field| field.name().clone()).collect();
        Ok(Self {
            cleaning: Cleaning::compile(tables, clean.table(), &names)?,
            carried,
        })
    }

    /// Names of the columns that rules are for.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        let columns = self.cleaning.columns().iter();
        columns.map(|(name, _)| name.as_str())
    }

    /// The query for the records of `from`.
    pub fn select(&self, from: &str) -> String {
        let texts = self.columns().map(as_text);
        let carried = self.carried.iter().map(|field| quote(field.name()));
        select(texts.chain(carried), from)
    }

    /// The query for the columns `names` of the records of `from`.
    pub fn select_texts(&self, from: &str, names: &[String]) -> String {
        select(names.iter().map(|name| as_text(name)), from)
    }

    /// The columns that tell the order of delivery, as far as records have them.
    pub fn order(&self) -> Vec<&'static str> {
        let known = |name: &&str| self.carried.iter().any(|field| field.name() == name);
        ORDER.into_iter().filter(known).collect()
    }

    /// The table that is written.
    pub fn clean(&self) -> SchemaRef {
        let columns = self.cleaning.columns().iter();
        let typed = columns.map(|(name, of)| Field::new(name, convert::arrow_type(*of), true));
        let carried = self.carried.iter().cloned();
        Arc::new(Schema::new(typed.chain(carried).collect::<Vec<Field>>()))
    }

    /// The same with the place of each record in the order of delivery.
    pub fn placed(&self) -> SchemaRef {
        let clean = self.clean();
        let fields = clean.fields().iter().map(|field| field.as_ref().clone());
        let place = Field::new(PLACE, DataType::Int64, true);
        Arc::new(Schema::new(fields.chain([place]).collect::<Vec<Field>>()))
    }

    /// The table of what was rejected.
    pub fn rejected(&self) -> SchemaRef {
        lake::rejected(self.carried.iter().cloned())
    }
}

fn as_text(name: &str) -> String {
    let name = quote(name);
    format!("CAST({name} AS TEXT) AS {name}")
}

fn select(columns: impl Iterator<Item = String>, from: &str) -> String {
    let columns: Vec<String> = columns.collect();
    let parts: Vec<String> = from.split('.').map(quote).collect();
    format!("SELECT {} FROM {}", columns.join(", "), parts.join("."))
}

impl Clean {
    /// Its rule tables.
    pub(super) fn tables(&self, files: &DagFiles) -> Result<Arc<RuleTables>, Vec<Problem>> {
        rule_tables(self.folder(), self.compatibility, files)
    }

    /// What is wrong with its rule tables, as far as the columns of the tables are known.
    pub(super) fn check_rules(&self, dag: &Dag, files: &DagFiles) -> Vec<Problem> {
        let tables = match self.tables(files) {
            Ok(tables) => tables,
            Err(problems) => return problems,
        };
        let siblings = cleans(dag);
        let mut siblings: Vec<&Clean> = siblings.iter().filter(|c| c.rules == self.rules).collect();
        siblings.push(self);
        let known: Vec<&str> = siblings.iter().map(|clean| clean.table()).collect();
        let mut problems = match siblings[0].from == self.from {
            true => tables.check_tables(&known),
            false => Vec::new(), // said once, by the first task with these rules
        };
        let known = known_columns(dag, files);
        let Some(columns) = known.get(&self.from) else {
            return problems;
        };
        match Prepared::of(self, &tables, columns) {
            Ok(prepared) => problems.extend(parents::check(&prepared.cleaning, self, dag, &known)),
            Err(more) => problems.extend(more),
        }
        problems
    }
}

/// The `clean` tasks of a DAG whose parameters hold no template.
pub(in crate::operators) fn cleans(dag: &Dag) -> Vec<Clean> {
    of(dag, "clean")
}

/// Its `merge` tasks, likewise.
pub(in crate::operators) fn merges(dag: &Dag) -> Vec<Merge> {
    of(dag, "merge")
}

fn of<T: DeserializeOwned>(dag: &Dag, operator: &str) -> Vec<T> {
    let tasks = dag.tasks.iter().filter(|task| task.operator == operator);
    tasks
        .filter_map(|task| serde_json::from_value(task.with.clone()).ok())
        .collect()
}

/// The tables that `clean` and `merge` tasks write, with their columns where those are known: `known` are the columns of other tables. Tasks
/// that read what others write come after them.
pub(in crate::operators) fn made(
    dag: &Dag,
    files: &DagFiles,
    known: &BTreeMap<String, SchemaRef>,
) -> BTreeMap<String, Option<SchemaRef>> {
    let (mut cleans, mut merges) = (cleans(dag), merges(dag));
    let mut made: BTreeMap<String, Option<SchemaRef>> = BTreeMap::new();
    for clean in &cleans {
        made.insert(clean.into.clone(), None);
        made.insert(format!("{}{QUARANTINE}", clean.into), None);
    }
    for merge in &merges {
        made.insert(merge.into.clone(), None);
    }
    // one reads what another has made: round after round until none is left that can be told
    loop {
        let columns = |made: &BTreeMap<String, Option<SchemaRef>>, from: &String| {
            let stored = made.get(from).cloned();
            stored.unwrap_or_else(|| known.get(from).cloned())
        };
        let before = cleans.len() + merges.len();
        cleans.retain(|clean| {
            let Some(stored) = columns(&made, &clean.from) else {
                return true;
            };
            let Ok(tables) = clean.tables(files) else {
                return false;
            };
            if let Ok(prepared) = Prepared::of(clean, &tables, &stored) {
                made.insert(clean.into.clone(), Some(prepared.clean()));
                let quarantine = format!("{}{QUARANTINE}", clean.into);
                made.insert(quarantine, Some(prepared.rejected()));
            }
            false
        });
        merges.retain(|merge| {
            let stored = columns(&made, &merge.from);
            let told = stored.is_some();
            if told {
                made.insert(merge.into.clone(), stored);
            }
            !told
        });
        if cleans.len() + merges.len() == before {
            return made;
        }
    }
}
