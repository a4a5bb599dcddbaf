//! What the definition check must know about operators, without knowing the operators.

use serde_json::Value;

use super::{Dag, DagFiles};
use crate::base::{Error, Problem};

/// A problem inside a task's parameters or a file they name, before its place is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// Where in the task's `with`, as a JSON pointer (`/source/csv`); empty for the whole.
    pub pointer: String,
    /// The other file of the DAG's folder in which the problem is, with line and column (0: unknown).
    pub file: Option<(String, u32, u32)>,
    /// What is wrong and what was expected.
    pub message: String,
    /// The way out.
    pub hint: Option<String>,
}

impl Flaw {
    /// A flaw at `pointer` in the task's parameters.
    pub fn at(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            file: None,
            message: message.into(),
            hint: None,
        }
    }

    /// A flaw in another file of the folder.
    pub fn in_file(
        file: impl Into<String>,
        line: u32,
        column: u32,
        message: impl Into<String>,
    ) -> Self {
        Self {
            pointer: String::new(),
            file: Some((file.into(), line, column)),
            message: message.into(),
            hint: None,
        }
    }

    /// What `error` says of the value at `pointer`.
    pub fn of(pointer: impl Into<String>, error: &Error) -> Self {
        Self {
            hint: error.hint_text().map(str::to_owned),
            ..Self::at(pointer, error.to_string())
        }
    }

    /// Adds the way out.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<Problem> for Flaw {
    fn from(problem: Problem) -> Self {
        Self {
            hint: problem.hint,
            ..Self::in_file(problem.file, problem.line, problem.column, problem.message)
        }
    }
}

/// The operators as the definition check sees them, and what else of an installation a definition names.
pub trait Catalog: Send + Sync {
    /// Names of all operators.
    fn operators(&self) -> Vec<&'static str>;

    /// JSON Schema of an operator's `with`.
    fn schema(&self, operator: &str) -> Option<Value>;

    /// Every flaw of the parameters `with`, templates already rendered with sample values. A value that cannot be known before
    /// the run (as `{{ outputs.a.b }}`) arrives as [`UNKNOWN`] and fits every type.
    fn check(&self, operator: &str, with: &Value, dag: &Dag, files: &DagFiles) -> Vec<Flaw>;

    /// Names of the pools there are; `None` when that is not known, so that every name will do.
    fn pools(&self) -> Option<Vec<&str>> {
        None
    }

    /// Puts several tasks in the place of one, for operators whose work is many tasks. `dag` was checked; pointers of flaws start at its
    /// top.
    fn expand(&self, _dag: &mut Dag, _files: &DagFiles) -> Vec<Flaw> {
        Vec::new()
    }
}

/// The operators of another catalog, which are not asked what is wrong with what they are told: for those who look at what a DAG has made, which
/// takes neither a sound definition nor the time to find out whether it is one.
pub struct Unasked<'a>(pub &'a dyn Catalog);

impl Catalog for Unasked<'_> {
    fn operators(&self) -> Vec<&'static str> {
        self.0.operators()
    }

    fn schema(&self, operator: &str) -> Option<Value> {
        self.0.schema(operator)
    }

    fn check(&self, _: &str, _: &Value, _: &Dag, _: &DagFiles) -> Vec<Flaw> {
        Vec::new()
    }

    fn expand(&self, dag: &mut Dag, files: &DagFiles) -> Vec<Flaw> {
        // what it could not expand stays as it is
        self.0.expand(dag, files);
        Vec::new()
    }
}

/// The operators of another catalog, in an installation whose pools are known.
pub struct Installed<'a> {
    /// The operators.
    pub operators: &'a dyn Catalog,
    /// Names of the pools.
    pub pools: Vec<&'a str>,
}

impl Catalog for Installed<'_> {
    fn operators(&self) -> Vec<&'static str> {
        self.operators.operators()
    }

    fn schema(&self, operator: &str) -> Option<Value> {
        self.operators.schema(operator)
    }

    fn check(&self, operator: &str, with: &Value, dag: &Dag, files: &DagFiles) -> Vec<Flaw> {
        self.operators.check(operator, with, dag, files)
    }

    fn pools(&self) -> Option<Vec<&str>> {
        Some(self.pools.clone())
    }

    fn expand(&self, dag: &mut Dag, files: &DagFiles) -> Vec<Flaw> {
        self.operators.expand(dag, files)
    }
}

/// Stands for a template whose value is known only in the run.
pub const UNKNOWN: &str = "\u{1}unknown";
