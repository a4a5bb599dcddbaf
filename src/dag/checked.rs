//! What was found sound before: to check a DAG again whose files are as they were takes most of the time of a command that looks at it.

use std::fs;
use std::path::PathBuf;

use super::{Catalog, DagFiles, Version};
use crate::base::{Digest, sha256, write_whole};

/// Sound DAGs, kept in a folder with what each was made from, where and by which program. It holds nothing that a check does not find again: it
/// may be deleted, and whatever cannot be read or written there is checked instead.
pub struct Checked {
    folder: PathBuf,
    program: String,
}

impl Checked {
    /// Those kept in `folder` by the program that runs; `None` when it cannot be told from another, which may check otherwise.
    pub fn new(folder: PathBuf) -> Option<Self> {
        let program = std::env::current_exe().ok()?;
        let about = fs::metadata(&program).ok()?;
        Some(Self {
            folder,
            program: format!("{} {:?}", about.len(), about.modified().ok()?),
        })
    }

    /// The one DAG with this name, made from these files where there are the pools of `catalog`.
    pub(super) fn of(
        &self,
        name: &str,
        text: &str,
        files: &DagFiles,
        catalog: &dyn Catalog,
    ) -> CheckedDag {
        let mut made_from = format!("{}\n{name}\n{:?}\n", self.program, catalog.pools());
        for (path, text) in files
            .iter()
            .map(|(path, text)| (path, &**text))
            .chain([("", text)])
        {
            made_from.push_str(&format!("{path}\n{}\n", text.len()));
            made_from.push_str(text);
        }
        CheckedDag {
            path: self.folder.join(name),
            made_from: sha256(made_from),
        }
    }
}

/// A DAG that may have been found sound before.
pub(super) struct CheckedDag {
    path: PathBuf,
    made_from: Digest,
}

impl CheckedDag {
    /// Its version, if it was; `files` are those it is made from.
    pub fn find(&self, files: &DagFiles) -> Option<Version> {
        let kept = fs::read_to_string(&self.path).ok()?;
        let (made_from, definition) = kept.split_once('\n')?;
        if Digest::parse(made_from)? != self.made_from {
            return None;
        }
        Version::from_json(definition, files.clone()).ok()
    }

    /// Keeps that it is sound, in place of what was kept of the DAG before.
    pub fn keep(&self, version: &Version) {
        let Ok(definition) = version.json() else {
            return;
        };
        // who cannot keep it checks again next time
        let _ = write_whole(&self.path, format!("{}\n{definition}", self.made_from));
    }
}
