//! Holds the source against DESIGN §3: who may import whom, how long a file may be, and that no domain is named in it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Rooms in reading order, each with the rooms it may import. `*` is every room above it.
const ROOMS: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("config", &["base"]),
    ("schedule", &["base"]),
    ("dag", &["base", "schedule"]),
    ("db", &["base", "config"]),
    ("store", &["base", "config", "dag", "db"]),
    ("records", &["base", "config", "db"]),
    ("sources", &["base", "config"]),
    ("rules", &["base"]),
    ("lake", &["base", "config", "db", "records"]),
    ("generate", &["base", "sources"]),
    (
        "operators",
        &[
            "base", "config", "dag", "schedule", "db", "records", "sources", "rules", "lake",
            "generate",
        ],
    ),
    ("engine", &["*"]),
    ("cli", &["*"]),
];

const MEDIAN_LIMIT: usize = 150;
const SOFT_LIMIT: usize = 400;
const HARD_LIMIT: usize = 700;
const MAIN_LIMIT: usize = 40;

/// Words that belong to one health system or data set; they live in `dags/`.
const DOMAIN_WORDS: &[&str] = &[
    "padchest",
    "efiche",
    "nih",
    "synthea",
    "patient",
    "patients",
    "patient_id",
    "patientid",
    "encounter",
    "encounters",
    "procedure_id",
    "diagnosis",
    "diagnoses",
    "icd10",
    "icd_10",
    "snomed",
    "radiology",
    "radiograph",
    "xray",
    "x_ray",
    "chestxray",
    "pharma",
    "hcp",
    "dim_patient",
    "treatment",
    "imageid",
    "studyid",
    "studydate",
    "reportid",
];

struct Source {
    path: String,
    /// Without unit tests.
    code: String,
}

/// Every file under `src/`, without what follows `#[cfg(test)]` when that is its module of unit tests.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let pattern = format!("{}/**/*.rs", root.display());
    glob::glob(&pattern)
        .expect("pattern")
        .map(|entry| {
            let file = entry.expect("entry");
            let text = std::fs::read_to_string(&file).expect("source");
            let path = file
                .strip_prefix(&root)
                .expect("inside")
                .display()
                .to_string();
            Source {
                path,
                code: without_tests(&text),
            }
        })
        .filter(|source| !source.path.ends_with("/tests.rs"))
        .collect()
}

fn without_tests(text: &str) -> String {
    let end = text
        .match_indices("#[cfg(test)]")
        .find(|(at, _)| {
            text[*at..]
                .lines()
                .nth(1)
                .is_some_and(|line| line.starts_with("mod tests {"))
        })
        .map_or(text.len(), |(at, _)| at);
    text[..end].to_owned()
}

/// The rooms that `code` names after `crate::`, in paths and in `use crate::{…}` lists.
fn imports(code: &str) -> BTreeSet<String> {
    let code: String = code
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n");
    let mut rooms = BTreeSet::new();
    for (at, found) in code.match_indices("crate::") {
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + found.len()..];
        match rest.strip_prefix('{') {
            Some(list) => rooms.extend(heads(list)),
            None => rooms.extend(head(rest)),
        }
    }
    rooms
}

/// First names of the items of a `{…}` list, whose opening brace is already taken.
fn heads(list: &str) -> BTreeSet<String> {
    let mut depth = 0;
    let mut start = true;
    let mut names = BTreeSet::new();
    for (at, c) in list.char_indices() {
        match c {
            '}' if depth == 0 => break,
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => start = true,
            c if start && !c.is_whitespace() => {
                names.extend(head(&list[at..]));
                start = false;
            }
            _ => {}
        }
    }
    names
}

fn head(path: &str) -> Option<String> {
    let name: String = path
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect();
    name.starts_with(char::is_lowercase).then_some(name)
}

fn allowed(room: &str) -> BTreeSet<&'static str> {
    let place = ROOMS
        .iter()
        .position(|(name, _)| *name == room)
        .expect("known room");
    let (own, list) = ROOMS[place];
    let above = ROOMS[..place].iter().map(|(name, _)| *name);
    match list {
        ["*"] => above.chain([own]).collect(),
        list => list.iter().copied().chain([own]).collect(),
    }
}

#[test]
fn rooms_import_only_what_the_design_allows() {
    let names: BTreeSet<&str> = ROOMS.iter().map(|(name, _)| *name).collect();
    let mut wrong = Vec::new();
    for source in sources() {
        let Some((room, _)) = source.path.split_once('/') else {
            continue; // lib.rs and main.rs
        };
        assert!(
            names.contains(room),
            "room `{room}` is not in the table of DESIGN §3"
        );
        let allowed = allowed(room);
        for import in imports(&source.code) {
            if names.contains(import.as_str()) && !allowed.contains(import.as_str()) {
                wrong.push(format!(
                    "src/{}: room `{room}` may not import `{import}`",
                    source.path
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn files_are_short() {
    let lengths: BTreeMap<usize, Vec<String>> =
        sources()
            .into_iter()
            .fold(BTreeMap::new(), |mut all, source| {
                all.entry(source.code.lines().count())
                    .or_insert_with(Vec::new)
                    .push(source.path);
                all
            });
    for (length, files) in lengths.range(SOFT_LIMIT + 1..) {
        println!(
            "{length} lines: {} (soft limit {SOFT_LIMIT})",
            files.join(", ")
        );
    }
    let too_long: Vec<_> = lengths.range(HARD_LIMIT + 1..).collect();
    assert!(too_long.is_empty(), "over {HARD_LIMIT} lines: {too_long:?}");
    let sorted: Vec<usize> = lengths
        .iter()
        .flat_map(|(length, files)| vec![*length; files.len()])
        .collect();
    let median = sorted[sorted.len() / 2];
    assert!(
        median <= MEDIAN_LIMIT,
        "median file has {median} lines, at most {MEDIAN_LIMIT} are allowed"
    );
}

#[test]
fn main_is_short() {
    let main = sources()
        .into_iter()
        .find(|source| source.path == "main.rs")
        .expect("main.rs");
    assert!(main.code.lines().count() < MAIN_LIMIT);
}

#[test]
fn no_domain_is_named() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (number, line) in source.code.lines().enumerate() {
            let lower = line.to_lowercase();
            let words = lower.split(|c: char| !c.is_alphanumeric() && c != '_');
            for word in words.filter(|word| DOMAIN_WORDS.contains(word)) {
                wrong.push(format!("src/{}:{}: `{word}`", source.path, number + 1));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "names of a domain belong in `dags/`:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn imports_are_read_from_paths_and_nested_lists() {
    let code = "use crate::base::{Error, Result};\nuse crate::{dag::{self, Dag}, store, Top};\n// crate::lake::x\n\
                fn f(x: &crate::records::Records) { my_crate::engine::go() }";
    let expected = ["base", "dag", "records", "store"].map(str::to_owned);
    assert_eq!(imports(code), BTreeSet::from(expected));
}
