//! The tables that rules of relationship refer to.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::arrow::datatypes::SchemaRef;
use polars::prelude::{Column, DataFrame, DataType};

use super::convert::column;
use super::prepared::{Prepared, cleans, merges};
use super::{Clean, next};
use crate::base::{Error, Problem, Result};
use crate::dag::{Dag, DagFiles};
use crate::db::quote;
use crate::lake::Warehouse;
use crate::rules::tables::{Cleaning, Known, Parent};

/// The full name of the table that a rule names: a name with a layer as it is, any other that of the task which cleans it, or else what
/// jobs and sources say, or the table of that name in the layer of `clean`.
fn full_name(parent: &Parent, clean: &Clean, dag: &Dag) -> String {
    let table = parent.table.as_str();
    if table.contains('.') {
        return table.to_owned();
    }
    let bare = |name: &str| name.split_once('.').is_some_and(|(_, bare)| bare == table);
    let cleaned = cleans(dag);
    let found = cleaned.iter().find(|other| bare(&other.into));
    let found = found.or_else(|| cleaned.iter().find(|other| bare(&other.from)));
    match (found, &parent.kept) {
        (Some(other), _) => other.into.clone(),
        (None, Some(kept)) => kept.clone(),
        (None, None) => {
            let layer = clean.into.split_once('.').map_or("", |(layer, _)| layer);
            format!("{layer}.{table}")
        }
    }
}

/// Full names of the tables that rules of `clean` refer to, once each.
pub(super) fn names(cleaning: &Cleaning, clean: &Clean, dag: &Dag) -> BTreeSet<String> {
    let parents = cleaning.parents().iter();
    parents
        .map(|parent| full_name(parent, clean, dag))
        .collect()
}

/// Full names of the tables that rules of `clean` refer to; none while the columns that it cleans are unknown.
pub(in crate::operators) fn tables(
    clean: &Clean,
    dag: &Dag,
    files: &DagFiles,
    known: &BTreeMap<String, SchemaRef>,
) -> BTreeSet<String> {
    let prepared = known
        .get(&clean.from)
        .and_then(|columns| Prepared::new(clean, files, columns).ok());
    prepared
        .map(|prepared| names(&prepared.cleaning, clean, dag))
        .unwrap_or_default()
}

/// What is wrong with the tables and columns that rules refer to. Of a table that only a run will make the columns are not held against
/// anything.
pub(super) fn check(
    cleaning: &Cleaning,
    clean: &Clean,
    dag: &Dag,
    known: &BTreeMap<String, SchemaRef>,
) -> Vec<Problem> {
    let columns_of = |table: &str| {
        let parents = cleaning.parents().iter();
        let named: Vec<&Parent> = parents.filter(|parent| parent.table == table).collect();
        let full_name = full_name(named.first()?, clean, dag);
        match known.get(&full_name) {
            Some(columns) => Some(columns.fields().iter().map(|f| f.name().clone()).collect()),
            None => {
                let cleaned = cleans(dag).iter().any(|other| other.into == full_name);
                let made = cleaned || merges(dag).iter().any(|other| other.into == full_name);
                let columns = named.iter().flat_map(|parent| parent.columns.clone());
                made.then(|| columns.collect())
            }
        }
    };
    cleaning.check_parents(&columns_of)
}

/// The keys of all tables that rules of `cleaning` refer to.
pub(super) async fn known(
    cleaning: &Cleaning,
    clean: &Clean,
    dag: &Dag,
    warehouse: &Warehouse,
) -> Result<Known> {
    let mut known = Known::default();
    for (number, parent) in cleaning.parents().iter().enumerate() {
        let name = full_name(parent, clean, dag);
        known.add(number, parent, &empty(parent)?)?;
        let columns: Vec<String> = parent.columns.iter().map(|name| quote(name)).collect();
        let parts: Vec<String> = name.split('.').map(quote).collect();
        let sql = format!("SELECT {} FROM {}", columns.join(", "), parts.join("."));
        let mut chunks = warehouse.batches(&sql).await?;
        while let Some(chunk) = next(&mut chunks).await? {
            let columns = parent.columns.iter().zip(chunk.columns());
            let columns = columns.map(|(name, array)| column(name, array));
            let columns = columns.collect::<Result<Vec<Column>>>()?;
            known.add(number, parent, &frame(chunk.num_rows(), columns)?)?;
        }
    }
    Ok(known)
}

/// No row of `parent`: a table without rows is known as well.
fn empty(parent: &Parent) -> Result<DataFrame> {
    let column = |name: &String| Column::new_empty(name.as_str().into(), &DataType::String);
    frame(0, parent.columns.iter().map(column).collect())
}

fn frame(rows: usize, columns: Vec<Column>) -> Result<DataFrame> {
    DataFrame::new(rows, columns)
        .map_err(|error| Error::new("the keys of a table cannot be read").because(error))
}
