//! A file that a command writes.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::base::{Error, Result};

/// It appears under its name whole, when it is kept, or not at all.
pub struct OutFile {
    path: PathBuf,
    part: PathBuf,
    file: BufWriter<File>,
}

impl OutFile {
    /// Starts the file; what has its name stays until it is kept.
    ///
    /// # Errors
    /// When it cannot be written there.
    pub fn create(path: &Path) -> Result<Self> {
        let part = path.with_added_extension("part");
        let file = File::create(&part).map_err(|error| unwritable(path, error))?;
        Ok(Self {
            path: path.to_owned(),
            part,
            file: BufWriter::new(file),
        })
    }

    /// Ends it and gives it its name.
    ///
    /// # Errors
    /// When what is left cannot be written.
    pub fn keep(mut self) -> Result<()> {
        let kept = self.file.flush();
        let kept = kept.and_then(|()| std::fs::rename(&self.part, &self.path));
        kept.map_err(|error| unwritable(&self.path, error))
    }
}

impl Write for OutFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

impl Drop for OutFile {
    fn drop(&mut self) {
        // once it is kept there is nothing of this name; before, it is of no use
        let _ = std::fs::remove_file(&self.part);
    }
}

/// That `path` cannot be written.
pub fn unwritable(path: &Path, error: std::io::Error) -> Error {
    Error::new(format!("cannot write `{}`", path.display())).because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_appears_whole_or_not_at_all() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("rows.csv");
        let mut file = OutFile::create(&path).expect("created");
        file.write_all(b"half").expect("written");
        drop(file);
        let entries = || {
            std::fs::read_dir(folder.path())
                .expect("the folder")
                .count()
        };
        assert_eq!(entries(), 0);
        let mut file = OutFile::create(&path).expect("created");
        file.write_all(b"whole").expect("written");
        file.keep().expect("kept");
        assert_eq!(
            (std::fs::read(&path).expect("the file"), entries()),
            (b"whole".to_vec(), 1)
        );
    }
}
