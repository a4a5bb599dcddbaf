//! A small file that is written anew.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Writes a file, and its folder where that is not there. It appears whole or not at all, and of several who write it at the same time one wins.
///
/// # Errors
/// When the folder or the file cannot be written.
pub fn write_whole(path: &Path, bytes: impl AsRef<[u8]>) -> io::Result<()> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let part = path.with_added_extension(format!("{}-{number}.part", std::process::id()));
    let written = fs::write(&part, bytes).and_then(|()| fs::rename(&part, path));
    if written.is_err() {
        // what is said is why it could not be written
        let _ = fs::remove_file(&part);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_who_write_at_once_one_wins_and_nothing_is_left() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("inside/kept.json");
        std::thread::scope(|scope| {
            for writer in 0..4_u8 {
                let path = &path;
                scope.spawn(move || {
                    for _ in 0..200 {
                        write_whole(path, [writer; 1000]).expect("written");
                        let found = fs::read(path).expect("there");
                        assert!(found.len() == 1000 && found.iter().all(|byte| *byte == found[0]));
                    }
                });
            }
        });
        let left = fs::read_dir(home.path().join("inside")).expect("a folder");
        assert_eq!(left.count(), 1);
    }

    #[test]
    fn where_it_cannot_be_written_nothing_is_left() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("kept.json");
        fs::create_dir(&path).expect("in its place");
        assert!(write_whole(&path, "text").is_err());
        assert_eq!(fs::read_dir(home.path()).expect("a folder").count(), 1);
    }
}
