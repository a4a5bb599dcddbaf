//! Files that a process was writing when it was killed.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use deltalake::DeltaTable;

use crate::base::{Error, Result};

/// Removes them from the folder of `table` when they are older than `age`. On a disk a file is written under a name with `#` and a number
/// at its end, which becomes its own when it is whole; such names no listing of the table's files shows. An object store has none.
pub(super) fn remove_unfinished(table: &DeltaTable, age: Duration) -> Result<()> {
    match table.log_store().root_url().to_file_path() {
        Ok(folder) => remove_from(&folder, age).map_err(|error| {
            Error::new("files that were left half written cannot be removed")
                .because(error)
                .transient()
        }),
        Err(()) => Ok(()),
    }
}

fn remove_from(folder: &Path, age: Duration) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_from(&entry.path(), age)?;
        } else if is_unfinished(&entry.file_name().to_string_lossy()) {
            match remove_old(&entry.path(), age) {
                // another writer has come to its end
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                removed => removed?,
            }
        }
    }
    Ok(())
}

fn remove_old(file: &Path, age: Duration) -> std::io::Result<()> {
    // written in the future: as good as now
    let old = file.metadata()?.modified()?.elapsed().unwrap_or_default();
    match old >= age {
        true => std::fs::remove_file(file),
        false => Ok(()),
    }
}

fn is_unfinished(name: &str) -> bool {
    let number = name.split_once('#').map(|(_, number)| number);
    number.is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_that_a_file_is_unfinished() {
        for name in [
            "part-00000-a.snappy.parquet#1",
            "00000000000000000001.json#12",
        ] {
            assert!(is_unfinished(name), "{name}");
        }
        for name in [
            "part-00000-a.snappy.parquet",
            "a#",
            "a#b1",
            "room#1.parquet",
        ] {
            assert!(!is_unfinished(name), "{name}");
        }
    }
}
