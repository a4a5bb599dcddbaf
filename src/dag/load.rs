//! Reads the folders under `dags/`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, OnceLock};
use std::thread;

use serde::Serialize;

use super::check::Checker;
use super::report::DAG_FILE;
use super::{Catalog, Checked, DagFiles, Version};
use crate::base::{DagId, Error, Problem, Result};

/// Every folder of a `dags` directory, sound or broken, each list in the order of names.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The sound ones.
    pub dags: Vec<Version>,
    /// The broken ones.
    pub broken: Vec<Broken>,
}

/// A folder whose DAG cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Broken {
    /// The folder's name.
    pub dag_id: DagId,
    /// All that is wrong, in file order.
    pub problems: Vec<Problem>,
}

/// Kept beside a DAG for its tests; no run reads them.
const FIXTURES: &str = "fixtures";

/// A definition file larger than this is data in the wrong place.
const LARGEST_FILE: u64 = 5_000_000;

/// Reads every folder of `dags_dir`; those in which `checked` finds nothing changed are not checked again. A broken one stops no other.
///
/// # Errors
/// When the directory itself cannot be read; one that is not there is empty.
pub fn load(dags_dir: &Path, catalog: &dyn Catalog, checked: Option<&Checked>) -> Result<Loaded> {
    let folders = folders(dags_dir).map_err(|error| {
        Error::new(format!("cannot read `{}`", dags_dir.display())).because(error)
    })?;
    // made by the first who needs it
    let checker = LazyLock::new(|| Checker::new(catalog));
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let Some(folder) = folders.get(next.fetch_add(1, Ordering::Relaxed)) {
            done.push(version(folder, catalog, checked, || &checker));
        }
        done
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let results = thread::scope(|scope| {
        let handles: Vec<_> = (1..threads.min(folders.len()))
            .map(|_| scope.spawn(work))
            .collect();
        let mut results = work();
        for handle in handles {
            match handle.join() {
                Ok(more) => results.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        results
    });
    let mut loaded = Loaded::default();
    for result in results {
        match result {
            Ok(version) => loaded.dags.push(version),
            Err(broken) => loaded.broken.push(broken),
        }
    }
    loaded.dags.sort_by(|a, b| a.dag.dag_id.cmp(&b.dag.dag_id));
    loaded.broken.sort_by(|a, b| a.dag_id.cmp(&b.dag_id));
    Ok(loaded)
}

/// Reads one DAG's folder, and checks it unless `checked` finds nothing changed.
///
/// # Errors
/// All that is wrong with it.
pub fn load_folder(
    folder: &Path,
    catalog: &dyn Catalog,
    checked: Option<&Checked>,
) -> Result<Version, Broken> {
    let checker = OnceLock::new();
    version(folder, catalog, checked, || {
        checker.get_or_init(|| Checker::new(catalog))
    })
}

fn version<'a, 'c: 'a>(
    folder: &Path,
    catalog: &dyn Catalog,
    checked: Option<&Checked>,
    checker: impl FnOnce() -> &'a Checker<'c>,
) -> Result<Version, Broken> {
    let name = file_name(folder);
    let broken = |problems| Broken {
        dag_id: DagId::new(name.as_str()),
        problems,
    };
    let shown = match folder.parent().map(file_name) {
        Some(parent) if !parent.is_empty() => format!("{parent}/{name}"),
        _ => name.clone(),
    };
    let mut reader = FolderReader {
        root: folder,
        shown: &shown,
        files: DagFiles::default(),
        dag_file: None,
        problems: Vec::new(),
    };
    reader.read("");
    let FolderReader {
        files,
        dag_file,
        mut problems,
        ..
    } = reader;
    let Some(text) = dag_file else {
        if problems.is_empty() {
            problems.push(problem(&shown, format!("the folder has no `{DAG_FILE}`")));
        }
        return Err(broken(problems));
    };
    // nothing was kept of a folder that cannot be read in full
    let checked = checked.filter(|_| problems.is_empty());
    let checked = checked.map(|checked| checked.of(&name, &text, &files, catalog));
    let known = checked.as_ref().and_then(|checked| checked.find(&files));
    if let Some(version) = known {
        return Ok(version);
    }
    match checker().check(&shown, &name, &text, &files) {
        Ok(dag) if problems.is_empty() => {
            let version = Version::new(dag, files)
                .map_err(|error| broken(vec![problem(&shown, error.to_string())]))?;
            if let Some(checked) = checked {
                checked.keep(&version);
            }
            Ok(version)
        }
        Ok(_) => Err(broken(problems)),
        Err(more) => {
            problems.extend(more);
            Err(broken(problems))
        }
    }
}

/// The folders of `dags_dir`, hidden ones left out, in the order of names.
fn folders(dags_dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(dags_dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut folders = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() && !is_hidden(&file_name(&path)) {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}

struct FolderReader<'a> {
    root: &'a Path,
    shown: &'a str,
    files: DagFiles,
    dag_file: Option<String>,
    problems: Vec<Problem>,
}

impl FolderReader<'_> {
    /// Reads the files below `inside` (a path within the folder, empty for itself).
    fn read(&mut self, inside: &str) {
        let entries = match fs::read_dir(self.root.join(inside)) {
            Ok(entries) => entries,
            Err(error) => return self.add(inside, format!("cannot be read: {error}")),
        };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if inside.is_empty() {
                name.clone()
            } else {
                format!("{inside}/{name}")
            };
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_hidden(&name) || (is_folder && path == FIXTURES) {
                continue;
            }
            if is_folder {
                self.read(&path);
            } else {
                self.read_file(path);
            }
        }
    }

    fn read_file(&mut self, path: String) {
        let full = self.root.join(&path);
        match fs::metadata(&full) {
            Ok(about) if !about.is_file() => return,
            Ok(about) if about.len() > LARGEST_FILE => {
                let size = about.len();
                return self.add(&path, format!("has {size} bytes, expected at most {LARGEST_FILE}; data does not belong into a DAG's folder"));
            }
            Ok(_) => {}
            Err(error) => return self.add(&path, format!("cannot be read: {error}")),
        }
        match fs::read(&full).map(String::from_utf8) {
            Ok(Ok(text)) if path == DAG_FILE => self.dag_file = Some(text),
            Ok(Ok(text)) => self.files.insert(path, text),
            Ok(Err(error)) => {
                let at = error.utf8_error().valid_up_to();
                let lines = error.as_bytes()[..at]
                    .iter()
                    .filter(|byte| **byte == b'\n')
                    .count();
                self.add(
                    &path,
                    format!(
                        "is not UTF-8 text (line {}), expected a definition file",
                        lines + 1
                    ),
                );
            }
            Err(error) => self.add(&path, format!("cannot be read: {error}")),
        }
    }

    fn add(&mut self, path: &str, message: String) {
        let file = match path {
            "" => self.shown.to_owned(),
            path => format!("{}/{path}", self.shown),
        };
        self.problems.push(problem(&file, message));
    }
}

fn problem(file: &str, message: String) -> Problem {
    Problem {
        file: file.to_owned(),
        line: 0,
        column: 0,
        message,
        hint: None,
    }
}

fn is_hidden(name: &str) -> bool {
    name.starts_with('.')
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}
