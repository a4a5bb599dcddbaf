//! `pipeline_config.csv`: the files that are read, each into a table.

use std::collections::BTreeMap;

use super::place::{Place, Problems, unknown};
use super::sheet;
use crate::base::{Error, Result};

/// The file's name.
pub(super) const FILE: &str = "pipeline_config.csv";
const COLUMNS: [&str; 10] = [
    "layer",
    "table_name",
    "file_path",
    "file_format",
    "catalog_name",
    "schema_name",
    "infer_schema",
    "has_header",
    "seq_no",
    "is_active",
];
const FORMATS: [(&str, SourceFormat); 3] = [
    ("csv", SourceFormat::Csv),
    ("json", SourceFormat::Json),
    ("ndjson", SourceFormat::Ndjson),
];

/// A file that is read into a table.
#[derive(Debug, Clone)]
pub struct Source {
    /// Where it is declared.
    pub place: Place,
    /// The layer it is read into.
    pub layer: String,
    /// The table it is read into.
    pub table: String,
    /// The file's path below the folder that all sources have in common. Where that folder is, is a setting.
    pub path: String,
    /// How the file is written.
    pub format: SourceFormat,
    /// Whether a CSV file begins with its columns' names.
    pub has_header: bool,
    /// Sources are read in this order.
    pub order: i64,
}

/// How a source is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceFormat {
    /// Comma-separated values.
    Csv,
    /// A list of objects, or one object.
    Json,
    /// An object a line.
    Ndjson,
}

/// The active sources in their order.
pub(super) fn read(file: &str, text: &str, problems: &mut Problems) -> Vec<Source> {
    let mut sources: Vec<Source> = Vec::new();
    let mut orders = BTreeMap::new();
    for record in sheet::read(file, text, &COLUMNS, &[], problems) {
        let Some(source) = problems.take(&record.place, source(&record)).flatten() else {
            continue;
        };
        if let Some(other) = sources.iter().find(|other| other.table == source.table) {
            let error = Error::new(format!(
                "table `{}` has a source already, on line {}",
                source.table, other.place.line
            ));
            problems.add(&source.place, &error);
        }
        let key = (source.layer.clone(), source.order);
        if let Some(line) = orders.insert(key, source.place.line) {
            problems.add(&source.place, &duplicate_order(source.order, line));
        }
        sources.push(source);
    }
    shorten(&mut sources);
    sources.sort_by_key(|source| source.order);
    sources
}

fn source(record: &sheet::Record) -> Result<Option<Source>> {
    if !record.is_active()? {
        return Ok(None);
    }
    let word = record.text("file_format")?;
    let known = FORMATS.iter().map(|(name, _)| *name);
    let format = FORMATS
        .iter()
        .find(|(name, _)| *name == word)
        .ok_or_else(|| unknown(format!("unknown file format `{word}`"), &word, known))?
        .1;
    // accepted and without effect: values are read as text and converted by rules
    record.flag("infer_schema", &["true"], &["false"])?;
    Ok(Some(Source {
        place: record.place.clone(),
        layer: record.text("layer")?,
        table: record.text("table_name")?,
        path: record.text("file_path")?.replace('\\', "/"),
        format,
        has_header: record.flag("has_header", &["true"], &["false"])?,
        order: record.required_order()?,
    }))
}

/// An error about a place in an order that line `line` has already.
pub(super) fn duplicate_order(order: i64, line: u32) -> Error {
    Error::new(format!("`seq_no` {order} is also on line {line}"))
        .hint("each number once, so that the order is certain")
}

/// Takes the folder that all paths have in common off each of them.
fn shorten(sources: &mut [Source]) {
    let folder = |path: &str| path.rfind('/').map_or(0, |slash| slash + 1);
    let Some(first) = sources.first().map(|source| source.path.clone()) else {
        return;
    };
    let mut common = &first[..folder(&first)];
    for source in sources.iter() {
        while !source.path.starts_with(common) {
            common = &common[..folder(&common[..common.len() - 1])];
        }
    }
    let length = common.len();
    for source in sources {
        source.path.drain(..length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "layer,table_name,file_path,file_format,catalog_name,schema_name,infer_schema,has_header,seq_no,is_active\n";

    fn read_all(lines: &str) -> (Vec<Source>, Vec<String>) {
        let mut problems = Problems::default();
        let sources = read(FILE, &format!("{HEADER}{lines}"), &mut problems);
        (
            sources,
            problems.0.iter().map(ToString::to_string).collect(),
        )
    }

    #[test]
    fn paths_lose_the_folder_they_have_in_common() {
        let (sources, problems) = read_all(
            "bronze,b,/in/day/b.csv,csv,c,s,true,true,2,Y\nbronze,a,/in/a.json,json,c,s,true,true,1,Y\n\
             bronze,x,/elsewhere/x.csv,csv,c,s,true,true,3,N\n",
        );
        assert_eq!(problems, [""; 0]);
        let paths: Vec<&str> = sources.iter().map(|s| s.path.as_str()).collect();
        assert_eq!(paths, ["a.json", "day/b.csv"]);
    }

    #[test]
    fn every_mistake_has_its_line() {
        let (_, problems) = read_all(
            "bronze,a,/in/a.csv,csw,c,s,true,true,1,Y\nbronze,b,/in/b.csv,csv,c,s,true,true,1,Y\n\
             bronze,b,/in/b.csv,csv,c,s,true,true,1,Y\nbronze,c,/in/c.csv,csv,c,s,yes,true,4,Y\nbronze,d,,csv,c,s,true,true,x,Y\n",
        );
        assert_eq!(
            problems,
            [
                "pipeline_config.csv:2: unknown file format `csw`\n  hint: did you mean `csv`?",
                "pipeline_config.csv:4: table `b` has a source already, on line 3",
                "pipeline_config.csv:4: `seq_no` 1 is also on line 3\n  hint: each number once, so that the order is certain",
                "pipeline_config.csv:5: `infer_schema` is `yes`, expected `true` or `false`",
                "pipeline_config.csv:6: `file_path` is empty, expected a name",
            ]
        );
    }
}
