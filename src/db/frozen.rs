//! A SQLite file that is read as it was found, by somebody who may not write beside it.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::base::{Error, Result};

/// A file as it was when it was opened without a look at who writes: whoever reads it must look whether it still is.
#[derive(Debug)]
pub(super) struct Frozen {
    path: PathBuf,
    found: Option<(u64, SystemTime)>,
}

impl Frozen {
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            found: state(path),
        }
    }

    /// Makes sure that nobody has written the file.
    ///
    /// # Errors
    /// A transient one when somebody has.
    pub fn check(&self) -> Result<()> {
        match self.found.is_some() && self.found == state(&self.path) {
            true => Ok(()),
            false => Err(Error::new(format!(
                "database `{}` was written while it was read",
                self.path.display()
            ))
            .hint("ask again; a user who may write beside it can read while others write")
            .transient()),
        }
    }
}

/// Length and time of the last change.
fn state(path: &Path) -> Option<(u64, SystemTime)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.len(), metadata.modified().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_is_seen() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.db");
        std::fs::write(&path, "one").expect("written");
        let frozen = Frozen::new(&path);
        frozen.check().expect("as it was");
        std::fs::write(&path, "two and more").expect("written");
        let error = frozen.check().expect_err("written");
        assert!(
            error.is_transient() && error.to_string().contains("was written"),
            "{error}"
        );
        assert!(Frozen::new(&folder.path().join("none")).check().is_err());
    }
}
