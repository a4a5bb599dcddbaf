//! A file that is being gathered for the archive, and who may write it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A file in the archive's folder `incoming`, locked for as long as this lives.
///
/// Who had it before may have renamed or removed it while we waited, and then our lock is on a file that the
/// archive holds, or nobody. So a part is only what still has its name once it is locked.
#[derive(Debug)]
pub struct Part {
    path: PathBuf,
    file: File,
}

impl Part {
    /// The part at `path`, made where there is none; waits for whoever has it.
    pub(super) fn wait(path: PathBuf) -> io::Result<Self> {
        let part = Self::open(path, |file| file.lock().map(|()| true))?;
        part.ok_or_else(|| io::ErrorKind::WouldBlock.into())
    }

    /// The part at `path`, made where there is none; `None` when somebody has it.
    pub(super) fn try_at(path: PathBuf) -> io::Result<Option<Self>> {
        Self::open(path, |file| match file.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        })
    }

    fn open(
        path: PathBuf,
        mut lock: impl FnMut(&File) -> io::Result<bool>,
    ) -> io::Result<Option<Self>> {
        loop {
            let file = OpenOptions::new()
                .create(true)
                .truncate(false)
                .read(true)
                .write(true)
                .open(&path)?;
            if !lock(&file)? {
                return Ok(None);
            }
            if is_at(&file, &path)? {
                return Ok(Some(Self { path, file }));
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// To read and write it; what an earlier try gathered is there already.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Takes it away.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn remove(self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }
}

fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let ours = file.metadata()?;
    match fs::metadata(path) {
        Ok(there) => Ok((ours.dev(), ours.ino()) == (there.dev(), there.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_has_one_holder_at_a_time() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("a.part");
        let held = Part::try_at(path.clone()).expect("a part").expect("free");
        // who writes through another handle holds it too
        let writing = held.file().try_clone().expect("a handle");
        assert!(Part::try_at(path.clone()).expect("a part").is_none());
        held.remove().expect("removed");
        drop(writing);
        assert!(Part::try_at(path).expect("a part").is_some());
    }

    #[test]
    fn what_was_renamed_or_removed_before_the_lock_came_is_no_part() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("a.part");
        fs::write(&path, "whole").expect("file");
        let mut turn = 0;
        let part = Part::open(path.clone(), |file| {
            turn += 1;
            match turn {
                1 => fs::rename(&path, folder.path().join("kept"))?,
                2 => fs::remove_file(&path)?,
                _ => {}
            }
            file.lock().map(|()| true)
        });
        let part = part.expect("a part").expect("locked");
        part.file().set_len(0).expect("written");
        assert_eq!(turn, 3);
        assert!(is_at(part.file(), &path).expect("looked"));
        let kept = fs::read(folder.path().join("kept")).expect("kept");
        assert_eq!(kept, b"whole");
    }
}
