//! The tables that a DAG declares: their SQL runs again whenever it was edited.

use crate::base::Problem;
use crate::dag::{Dag, DagFiles, Flaw};
use crate::records::check_repeats;

/// What keeps the declared tables of `dag` from being edited later. SQL that does not run at all is told by the tasks that use it.
pub(super) fn check(dag: &Dag, files: &DagFiles) -> Option<Flaw> {
    let file = dag.tables.as_ref()?;
    let error = check_repeats(files.text(file).ok()?).err()?;
    Some(Flaw::from(Problem {
        file: file.clone(),
        line: 0,
        column: 0,
        message: error.to_string(),
        hint: error.hint_text().map(str::to_owned),
    }))
}
