//! The definition of a DAG: from YAML text to a checked value, and the graph and templates on it.
//!
//! Belongs here: everything that can be known from the files under `dags/` and a [`Catalog`].
//! Does not belong here: what an operator does, what is due when, any state of a run.

mod build;
mod catalog;
mod check;
mod checked;
mod cycle;
mod dags;
mod definition;
mod files;
mod graph;
mod load;
mod params;
mod report;
mod schema;
mod shape;
pub mod show;
mod spec;
pub mod template;
mod version;
mod watch;
mod with;

pub use catalog::{Catalog, Flaw, Installed, UNKNOWN, Unasked};
pub use checked::Checked;
pub use dags::Dags;
pub use definition::{Dag, Hook, Param, ParamType, Task};
pub use files::DagFiles;
pub use graph::Graph;
pub use load::{Broken, Loaded, load, load_folder};
pub use schema::json_schema;
pub use version::Version;
pub use watch::DagWatcher;
