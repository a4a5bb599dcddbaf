//! The archive: the bytes of every delivered file, kept once, by their SHA-256.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::part::Part;
use crate::base::{Digest, Error, Result};

/// Bytes moved at a time.
const CHUNK: usize = 1 << 20;

/// `state/archive/<aa>/<sha256>`: files in it never change, whatever becomes of the delivered ones.
///
/// Everything here blocks: call it on a blocking thread.
#[derive(Debug, Clone)]
pub struct Archive {
    folder: PathBuf,
}

/// A file in the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Of its bytes, which is also its name.
    pub digest: Digest,
    /// Its size.
    pub bytes: u64,
}

impl Archive {
    /// The archive in the folder `state`.
    pub fn under(state: &Path) -> Self {
        Self {
            folder: state.join("archive"),
        }
    }

    /// Where the file of `digest` is, if it is kept.
    pub fn path(&self, digest: Digest) -> PathBuf {
        let name = digest.to_string();
        self.folder.join(&name[..2]).join(name)
    }

    /// Keeps a copy of the file at `path`, named `name` in errors. A file that is kept already is only read.
    ///
    /// # Errors
    /// A transient one when the file changes while it is read, or the disk is full; then nothing is kept.
    pub fn keep(&self, path: &Path, name: &str) -> Result<Kept> {
        let seen = Seen::of(path, name)?;
        self.keep_seen(path, name, &seen)
    }

    fn keep_seen(&self, path: &Path, name: &str, seen: &Seen) -> Result<Kept> {
        if !self.path(seen.kept.digest).exists() {
            self.copy_in(path, name, seen.kept)?;
        }
        let after = fs::metadata(path).map_err(|error| read_error(name, error))?;
        if seen.kept.bytes != seen.before.len() || state(&seen.before) != state(&after) {
            return Err(changed(name));
        }
        Ok(seen.kept)
    }

    /// A file of this name to gather bytes in, for [`Archive::adopt`]; it may hold those of an earlier try. `None` when
    /// somebody else gathers in it.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn part(&self, name: &str) -> Result<Option<Part>> {
        let path = self.incoming(name)?;
        Part::try_at(path.clone()).map_err(|error| write_error(&path, error))
    }

    /// Takes a finished part into the archive.
    ///
    /// # Errors
    /// When it cannot be read or moved.
    pub fn adopt(&self, part: Part) -> Result<Kept> {
        let mut file = part.file();
        let adopted = file
            .rewind()
            .and_then(|()| copy(&mut file, &mut io::sink()))
            .and_then(|kept| self.move_in(&part, kept.digest).map(|()| kept));
        adopted.map_err(|error| write_error(part.path(), error))
    }

    fn incoming(&self, name: &str) -> Result<PathBuf> {
        let folder = self.folder.join("incoming");
        let path = folder.join(name);
        match fs::create_dir_all(&folder) {
            Ok(()) => Ok(path),
            Err(error) => Err(write_error(&path, error)),
        }
    }

    fn copy_in(&self, path: &Path, name: &str, expected: Kept) -> Result<()> {
        let at = self.incoming(&expected.digest.to_string())?;
        let failed = |error| write_error(&at, error);
        // somebody else may be at the same file; who comes second finds it kept
        let part = Part::wait(at.clone()).map_err(failed)?;
        if self.path(expected.digest).exists() {
            return part.remove().map_err(failed);
        }
        let mut source = open(path, name)?;
        let mut file = part.file();
        let copied = file
            .set_len(0)
            .and_then(|()| copy(&mut source, &mut file))
            .and_then(|copied| match copied == expected {
                true => self.move_in(&part, copied.digest).map(|()| true),
                false => Ok(false),
            });
        match copied {
            Ok(true) => Ok(()),
            Ok(false) => part.remove().map_err(failed).and(Err(changed(name))),
            Err(error) => {
                // what did not fit is of no use to anybody
                drop(part.remove());
                Err(failed(error))
            }
        }
    }

    fn move_in(&self, part: &Part, digest: Digest) -> io::Result<()> {
        part.file().sync_all()?;
        let to = self.path(digest);
        let folder = to.parent().unwrap_or(&self.folder);
        fs::create_dir_all(folder)?;
        fs::rename(part.path(), &to)?;
        // the name is on disk only when its folder is
        File::open(folder)?.sync_all()
    }
}

/// A delivered file after it was read once.
struct Seen {
    /// As it was before.
    before: Metadata,
    kept: Kept,
}

impl Seen {
    fn of(path: &Path, name: &str) -> Result<Self> {
        let mut source = open(path, name)?;
        let before = metadata(&source, name)?;
        let kept = copy(&mut source, &mut io::sink()).map_err(|error| read_error(name, error))?;
        Ok(Self { before, kept })
    }
}

/// Copies all bytes and says what they were.
fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<Kept> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; CHUNK];
    let mut bytes = 0;
    loop {
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => {
                hasher.update(&buffer[..count]);
                to.write_all(&buffer[..count])?;
                bytes += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Kept {
        digest: Digest(hasher.finalize().into()),
        bytes,
    })
}

fn open(path: &Path, name: &str) -> Result<File> {
    let file = File::open(path).map_err(|error| read_error(name, error))?;
    if metadata(&file, name)?.is_dir() {
        return Err(
            Error::new(format!("`{name}` is a directory, expected a file")).hint(format!(
                "name the files in it with a pattern, as `{}/*.csv`",
                name.trim_end_matches('/')
            )),
        );
    }
    Ok(file)
}

fn metadata(file: &File, name: &str) -> Result<Metadata> {
    file.metadata().map_err(|error| read_error(name, error))
}

fn state(metadata: &Metadata) -> (u64, Option<std::time::SystemTime>) {
    (metadata.len(), metadata.modified().ok())
}

fn changed(name: &str) -> Error {
    Error::new(format!("file `{name}` changed while it was read"))
        .hint("let whoever writes it finish first: write under another name and rename, or put a `wait_for` before")
        .transient()
}

fn read_error(name: &str, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound => Error::new(format!("file `{name}` does not exist"))
            .hint("relative paths start at the home folder (`--home`)"),
        io::ErrorKind::PermissionDenied => Error::new(format!("cannot read `{name}`"))
            .because(error)
            .hint("give the user who runs galen the right to read it"),
        _ => Error::new(format!("cannot read `{name}`"))
            .because(error)
            .transient(),
    }
}

fn write_error(path: &Path, error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::StorageFull {
        return Error::new("the disk of the archive is full")
            .hint("make room under `state/`; a later try goes on by itself")
            .because(error)
            .transient();
    }
    Error::new(format!("cannot write `{}` in the archive", path.display()))
        .because(error)
        .hint("make `state/archive` writable for the user who runs galen")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::sha256;

    #[test]
    fn keeps_bytes_once_and_leaves_nothing_behind() {
        let home = tempfile::tempdir().expect("folder");
        let archive = Archive::under(home.path());
        for name in ["a", "b"] {
            let file = home.path().join(name);
            fs::write(&file, "bytes").expect("file");
            let kept = archive.keep(&file, name).expect("kept");
            assert_eq!((kept.digest, kept.bytes), (sha256("bytes"), 5));
            // an edit in place does not reach the archive
            fs::write(&file, "other").expect("file");
        }
        let kept = fs::read(archive.path(sha256("bytes"))).expect("kept");
        assert_eq!(kept, b"bytes");
        let incoming = fs::read_dir(home.path().join("archive/incoming")).expect("folder");
        assert_eq!(incoming.count(), 0);
    }

    #[test]
    fn a_part_of_a_killed_process_is_no_hindrance() {
        let home = tempfile::tempdir().expect("folder");
        let archive = Archive::under(home.path());
        let part = archive.part(&sha256("bytes").to_string());
        let part = part.expect("a part").expect("free");
        fs::write(part.path(), "something longer").expect("part");
        drop(part);
        let file = home.path().join("a");
        fs::write(&file, "bytes").expect("file");
        archive.keep(&file, "a").expect("kept");
        let kept = fs::read(archive.path(sha256("bytes"))).expect("kept");
        assert_eq!(kept, b"bytes");
    }

    #[test]
    fn a_file_that_changes_while_it_is_read_is_not_kept() {
        let home = tempfile::tempdir().expect("folder");
        let archive = Archive::under(home.path());
        let file = home.path().join("a");
        fs::write(&file, "a,b\n1,").expect("file");
        let seen = Seen::of(&file, "a").expect("readable");
        fs::write(&file, "a,b\n1,2\n").expect("file");
        let error = archive
            .keep_seen(&file, "a", &seen)
            .expect_err("it changed");
        assert_eq!(error.to_string(), "file `a` changed while it was read");
        assert!(error.is_transient());
        assert!(!archive.path(seen.kept.digest).exists());
    }

    #[test]
    fn a_directory_and_an_absent_file_are_named() {
        let home = tempfile::tempdir().expect("folder");
        let archive = Archive::under(home.path());
        let error = archive.keep(home.path(), "raw").expect_err("a directory");
        assert_eq!(error.to_string(), "`raw` is a directory, expected a file");
        let error = archive
            .keep(&home.path().join("x"), "x")
            .expect_err("absent");
        assert_eq!(error.to_string(), "file `x` does not exist");
    }
}
