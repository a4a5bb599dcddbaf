//! One version of a DAG: what a run keeps.

use std::sync::Arc;

use crate::base::{Digest, Error, Result, sha256};

use super::{Dag, DagFiles};

/// A checked DAG, the files of its folder, and the hash of both.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    /// The definition.
    pub dag: Arc<Dag>,
    /// The files of its folder, but not `dag.yaml`, which `dag` says in full.
    pub files: Arc<DagFiles>,
    /// Of the definition's JSON and of every file; a comment or the order of keys in `dag.yaml` does not change it.
    pub hash: Digest,
}

impl Version {
    /// The version of `dag` with `files`.
    ///
    /// # Errors
    /// When the definition cannot be written as JSON, as with a number that JSON does not have.
    pub fn new(dag: Dag, files: DagFiles) -> Result<Self> {
        let hash = hash(&dag, &files)?;
        Ok(Self {
            dag: Arc::new(dag),
            files: Arc::new(files),
            hash,
        })
    }

    /// The version that a store kept: [`Version::json`] and the files.
    ///
    /// # Errors
    /// When `definition` is not the JSON of a DAG, as after a downgrade of the program.
    pub fn from_json(definition: &str, files: DagFiles) -> Result<Self> {
        let dag = serde_json::from_str(definition).map_err(|error| {
            Error::new("a stored DAG version cannot be read")
                .because(error)
                .hint("it was stored by another version of galen; start a new run from the current file")
        })?;
        Self::new(dag, files)
    }

    /// The definition as JSON, keys in declaration order.
    ///
    /// # Errors
    /// As [`Version::new`].
    pub fn json(&self) -> Result<String> {
        json(&self.dag)
    }
}

fn json(dag: &Dag) -> Result<String> {
    serde_json::to_string(dag).map_err(|error| {
        Error::new(format!("DAG `{}` has no canonical form", dag.dag_id)).because(error)
    })
}

/// Of the canonical form: a line of JSON, then each file with its path and length in front.
fn hash(dag: &Dag, files: &DagFiles) -> Result<Digest> {
    let mut canonical = json(dag)?.into_bytes();
    canonical.push(b'\n');
    for (path, text) in files.iter() {
        canonical.extend_from_slice(format!("{path}\n{}\n", text.len()).as_bytes());
        canonical.extend_from_slice(text.as_bytes());
    }
    Ok(sha256(canonical))
}
