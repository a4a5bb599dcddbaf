//! Tests: sources.

mod bad_input;
mod csv;
mod json;
mod profile;

use std::path::{Path, PathBuf};

use galen::base::{Result, TextBatch};
use galen::sources::{Format, Layout, Reader};

/// Longest record in these tests.
const MAX: usize = 64 * 1024;

/// A file in a folder of its own.
struct Sample {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

fn sample(bytes: impl AsRef<[u8]>) -> Sample {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("sample");
    std::fs::write(&path, bytes).expect("file");
    Sample {
        _folder: folder,
        path,
    }
}

fn layout(format: Format) -> Layout {
    Layout::of(format, MAX)
}

fn read(path: &Path, layout: &Layout) -> Result<Vec<TextBatch>> {
    let mut reader = Reader::open(path, "sample", layout)?;
    let mut batches = Vec::new();
    while let Some(batch) = reader.next_batch()? {
        batches.push(batch);
    }
    Ok(batches)
}

/// The cells of all records, null as `∅`, and `line reason` of all rejects.
fn rows(bytes: impl AsRef<[u8]>, layout: &Layout) -> (Vec<Vec<String>>, Vec<String>) {
    let file = sample(bytes);
    let batches = read(&file.path, layout).expect("readable");
    let cells = batches.iter().flat_map(records).collect();
    let rejects = batches
        .iter()
        .flat_map(|batch| &batch.rejects)
        .map(|reject| format!("{} {}", reject.line, reject.reason))
        .collect();
    (cells, rejects)
}

fn records(batch: &TextBatch) -> Vec<Vec<String>> {
    let row = |row| {
        (0..batch.columns().len())
            .map(|column| batch.cell(row, column).unwrap_or("∅").to_owned())
            .collect()
    };
    (0..batch.len()).map(row).collect()
}

/// The message with its hint.
fn failure(bytes: impl AsRef<[u8]>, layout: &Layout) -> String {
    let file = sample(bytes);
    format!("{:?}", read(&file.path, layout).expect_err("an error"))
}
