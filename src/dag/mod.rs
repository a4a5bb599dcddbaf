//! The definition of a DAG: from YAML text to a checked value, and the graph and templates on it.
//!
//! Belongs here: everything that can be known from the files under `dags/` alone.
//! Does not belong here: what an operator does, what is due when, any state of a run.

mod catalog;
mod definition;
mod files;
mod graph;
pub mod template;

pub use catalog::{Catalog, Flaw, UNKNOWN};
pub use definition::{Dag, Hook, Param, ParamType, Task};
pub use files::DagFiles;
pub use graph::Graph;
