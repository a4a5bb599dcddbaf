//! The rule tables of a folder, for the operators that go by them.

use std::sync::Arc;

use super::kept::Kept;
use crate::base::{Problem, Result};
use crate::dag::DagFiles;
use crate::rules::tables::{Compatibility, RuleTables};

/// A folder, how its rules are meant, and the files among which it is.
type Asked = (String, Compatibility, DagFiles);

/// The rule tables in folder `folder` of `files`.
///
/// # Errors
/// Every problem of every table, with its line.
pub(super) fn rule_tables(
    folder: &str,
    compatibility: Compatibility,
    files: &DagFiles,
) -> Result<Arc<RuleTables>, Vec<Problem>> {
    static KEPT: Kept<Asked, Arc<RuleTables>> = Kept::new();
    let asked = (folder.to_owned(), compatibility, files.clone());
    KEPT.answer(asked, |_| {
        RuleTables::load(folder, files.iter(), compatibility).map(Arc::new)
    })
}
