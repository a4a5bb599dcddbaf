//! Collects the problems of one `dag.yaml`.

use super::Flaw;
use crate::base::yaml::{Node, RepeatedKey};
use crate::base::{Error, Place, Problem};

/// The problems of one file, found by their JSON pointers.
pub struct Report<'a> {
    /// The folder as messages name it, as `dags/sales`.
    folder: &'a str,
    node: &'a Node,
    problems: Vec<Problem>,
}

/// The file that makes a folder a DAG.
pub const DAG_FILE: &str = "dag.yaml";

impl<'a> Report<'a> {
    pub fn new(folder: &'a str, node: &'a Node) -> Self {
        Self {
            folder,
            node,
            problems: Vec::new(),
        }
    }

    /// Adds `error` at `pointer`.
    pub fn error(&mut self, pointer: &str, error: &Error) {
        let hint = error.hint_text().map(str::to_owned);
        self.add(pointer, error.to_string(), hint);
    }

    /// Adds a problem at `pointer` without a hint.
    pub fn message(&mut self, pointer: &str, message: impl Into<String>) {
        self.add(pointer, message.into(), None);
    }

    /// Adds `flaw`, whose pointer starts at `base`.
    pub fn flaw(&mut self, base: &str, flaw: Flaw) {
        match flaw.file {
            Some((file, line, column)) => self.problems.push(Problem {
                file: format!("{}/{file}", self.folder),
                line,
                column,
                message: flaw.message,
                hint: flaw.hint,
            }),
            None => self.add(&format!("{base}{}", flaw.pointer), flaw.message, flaw.hint),
        }
    }

    /// Adds a key that repeats an earlier one.
    pub fn repeated(&mut self, repeated: &RepeatedKey<'_>) {
        let (key, line) = (repeated.key, repeated.first.line);
        let message = format!("key `{key}` is given a second time, the first is on line {line}");
        self.at(repeated.place, message, None);
    }

    /// Whether the file has something at `pointer`.
    pub fn has(&self, pointer: &str) -> bool {
        self.node.has(pointer)
    }

    /// The line of `pointer`.
    pub fn line(&self, pointer: &str) -> u32 {
        self.node.place(pointer).line
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// Every problem once, in file order.
    pub fn finish(mut self) -> Vec<Problem> {
        self.problems.sort();
        self.problems.dedup();
        self.problems
    }

    fn add(&mut self, pointer: &str, message: String, hint: Option<String>) {
        self.at(self.node.place(pointer), message, hint);
    }

    fn at(&mut self, place: Place, message: String, hint: Option<String>) {
        let file = format!("{}/{DAG_FILE}", self.folder);
        self.problems.push(place.problem(file, message, hint));
    }
}
