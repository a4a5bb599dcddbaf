//! Folders and files as tests read and lay them out.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

/// Copies a folder with all that is in it.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in from.read_dir().expect("a folder") {
        let path = entry.expect("an entry").path();
        let place = to.join(path.file_name().expect("a name"));
        match path.is_dir() {
            true => copy(&path, &place),
            false => drop(std::fs::copy(&path, &place).expect("copied")),
        }
    }
}

/// The rows of a CSV text with a header, by column.
pub fn csv_rows(text: impl Read) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_reader(text);
    let header = reader.headers().expect("a header").clone();
    let row = |record: csv::Result<csv::StringRecord>| {
        let record = record.expect("a record");
        let cells = header.iter().zip(record.iter());
        cells.map(|(a, b)| (a.to_owned(), b.to_owned())).collect()
    };
    reader.records().map(row).collect()
}
