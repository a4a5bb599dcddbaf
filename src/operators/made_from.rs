//! The tables that the tasks of a DAG make of others.

use super::clean::{self, cleans, merges};
use super::models::known_columns;
use crate::dag::{Dag, DagFiles};
use crate::lake::MadeFrom;

/// What each table is made of that a `clean` or `merge` task writes, by full names.
pub fn made_from(dag: &Dag, files: &DagFiles) -> MadeFrom {
    let known = known_columns(dag, files);
    let mut made = MadeFrom::new();
    for clean in cleans(dag) {
        let mut from = clean::parent_tables(&clean, dag, files, &known);
        from.insert(clean.from);
        made.insert(clean.into, from);
    }
    for merge in merges(dag) {
        made.entry(merge.into).or_default().insert(merge.from);
    }
    made
}
