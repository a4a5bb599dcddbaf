//! A generated file: written beside its place and put there whole, or not at all.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::{Compression, GzBuilder, write::GzEncoder};

use crate::base::{Error, Result};

/// Files begun by this process.
static PARTS: AtomicU64 = AtomicU64::new(0);

/// A file on its way. Dropped before [`NewFile::finish`], it leaves nothing behind.
pub struct NewFile {
    place: PathBuf,
    part: PathBuf,
    out: Option<Out>,
}

enum Out {
    Plain(BufWriter<File>),
    /// No time and no name in the header, so that the same rows give the same bytes.
    Gzip(Box<GzEncoder<BufWriter<File>>>),
}

impl NewFile {
    /// Starts the file that shall be at `place`, compressed when its name ends in `.gz`.
    pub fn create(place: PathBuf) -> Result<Self> {
        // a name of its own, as another process or try may be making the same file
        let number = PARTS.fetch_add(1, Ordering::Relaxed);
        let mut part = place.clone().into_os_string();
        part.push(format!(".{}-{number}.part", std::process::id()));
        let part = PathBuf::from(part);
        let file = File::create(&part).map_err(|error| io_error(&part, error))?;
        let file = BufWriter::with_capacity(1 << 16, file);
        let out = match place.extension().is_some_and(|end| end == "gz") {
            true => Out::Gzip(Box::new(
                GzBuilder::new().write(file, Compression::default()),
            )),
            false => Out::Plain(file),
        };
        Ok(Self {
            place,
            part,
            out: Some(out),
        })
    }

    /// Appends `bytes`.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        match &mut self.out {
            Some(Out::Plain(out)) => out.write_all(bytes),
            Some(Out::Gzip(out)) => out.write_all(bytes),
            None => Ok(()),
        }
        .map_err(|error| io_error(&self.part, error))
    }

    /// Puts the file in its place. `false` when the same bytes are there already; then that file is left alone.
    pub fn finish(mut self) -> Result<bool> {
        self.close().map_err(|error| io_error(&self.part, error))?;
        if same_bytes(&self.place, &self.part).map_err(|error| io_error(&self.place, error))? {
            return Ok(false);
        }
        std::fs::rename(&self.part, &self.place).map_err(|error| io_error(&self.place, error))?;
        Ok(true)
    }

    fn close(&mut self) -> std::io::Result<()> {
        let Some(out) = self.out.take() else {
            return Ok(());
        };
        let file = match out {
            Out::Plain(file) => file,
            Out::Gzip(out) => out.finish()?,
        };
        file.into_inner()?.sync_all()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // after a rename there is nothing left to remove
        let _ = std::fs::remove_file(&self.part);
    }
}

fn same_bytes(old: &Path, new: &Path) -> std::io::Result<bool> {
    let Ok(old) = File::open(old) else {
        return Ok(false);
    };
    let new = File::open(new)?;
    if old.metadata()?.len() != new.metadata()?.len() {
        return Ok(false);
    }
    let (mut old, mut new) = (BufReader::new(old), BufReader::new(new));
    let (mut left, mut right) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let count = old.read(&mut left)?;
        if count == 0 {
            return Ok(true);
        }
        new.read_exact(&mut right[..count])?;
        if left[..count] != right[..count] {
            return Ok(false);
        }
    }
}

/// What went wrong with the file or folder at `path`; a full disk may have room later.
pub fn io_error(path: &Path, error: std::io::Error) -> Error {
    use std::io::ErrorKind;
    let full = matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded
    );
    let message = format!("file `{}` cannot be written", path.display());
    let wrapped = Error::new(message).because(error);
    if full {
        wrapped.transient().hint("make room on the disk")
    } else {
        wrapped.hint("does the folder exist, and may Galen write to it?")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(place: &Path, text: &str) -> bool {
        let mut file = NewFile::create(place.to_owned()).expect("created");
        file.write(text.as_bytes()).expect("written");
        file.finish().expect("finished")
    }

    #[test]
    fn says_whether_the_bytes_were_there_already() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["a.csv", "a.csv.gz"] {
            let place = folder.path().join(name);
            assert!(write(&place, "one"));
            assert!(!write(&place, "one"));
            assert!(write(&place, "two"));
            assert!(write(&place, "three"));
        }
        let plain = std::fs::read(folder.path().join("a.csv")).expect("readable");
        assert_eq!(plain, b"three");
    }

    #[test]
    fn two_at_the_same_time_do_not_meet() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().join("a.csv");
        let mut first = NewFile::create(place.clone()).expect("created");
        let mut second = NewFile::create(place.clone()).expect("created");
        first.write(b"rows").expect("written");
        second.write(b"rows").expect("written");
        assert!(first.finish().expect("finished"));
        assert!(!second.finish().expect("finished"));
        assert_eq!(std::fs::read(place).expect("readable"), b"rows");
    }

    #[test]
    fn leaves_nothing_behind_when_it_is_given_up() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().join("a.csv");
        let mut file = NewFile::create(place).expect("created");
        file.write(b"half").expect("written");
        drop(file);
        assert_eq!(folder.path().read_dir().expect("readable").count(), 0);
    }
}
