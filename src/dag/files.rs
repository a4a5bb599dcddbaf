//! The files of a DAG's folder, as they were when the version was read.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::{Error, Result, nearest};

/// The text files of one DAG folder by their path within it, `/`-separated, as `targets/clinic.yaml`.
///
/// A run reads its definition files from here and never from the disk, so that an edit cannot reach a run in flight.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DagFiles {
    files: BTreeMap<String, Arc<str>>,
}

impl DagFiles {
    /// Adds or replaces a file.
    pub fn insert(&mut self, path: impl Into<String>, text: impl Into<Arc<str>>) {
        self.files.insert(path.into(), text.into());
    }

    /// The text of `path`.
    ///
    /// # Errors
    /// When the folder has no such file; the hint names the nearest one.
    pub fn text(&self, path: &str) -> Result<&Arc<str>> {
        self.files.get(path).ok_or_else(|| {
            let error = Error::new(format!("file `{path}` is not in the DAG's folder"));
            match nearest(path, self.files.keys().map(String::as_str)) {
                Some(name) => error.hint(format!("did you mean `{name}`?")),
                None => error.hint("paths of definition files are relative to the DAG's folder"),
            }
        })
    }

    /// Whether the folder has `path`.
    pub fn contains(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// Paths and texts in path order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Arc<str>)> {
        self.files.iter().map(|(path, text)| (path.as_str(), text))
    }
}

impl FromIterator<(String, Arc<str>)> for DagFiles {
    fn from_iter<I: IntoIterator<Item = (String, Arc<str>)>>(files: I) -> Self {
        Self {
            files: files.into_iter().collect(),
        }
    }
}
