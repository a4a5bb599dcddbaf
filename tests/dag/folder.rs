//! A `dags` directory for a test, and a catalogue of two operators.

use std::fs;
use std::path::PathBuf;

use galen::dag::{Catalog, Dag, DagFiles, Flaw, Loaded, load};
use serde_json::{Value, json};
use tempfile::TempDir;

/// `dags/` in a directory of its own.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("temporary directory");
        fs::create_dir(directory.path().join("dags")).expect("dags");
        Self(directory)
    }

    pub fn dags(&self) -> PathBuf {
        self.0.path().join("dags")
    }

    /// Writes `text` to `path` below `dags/`.
    pub fn write(&self, path: &str, text: impl AsRef<[u8]>) -> &Self {
        let path = self.dags().join(path);
        fs::create_dir_all(path.parent().expect("parent")).expect("folder");
        fs::write(path, text).expect("file");
        self
    }

    pub fn load(&self) -> Loaded {
        load(&self.dags(), &TwoOperators, None).expect("load")
    }

    /// Everything that is wrong, as it is printed.
    pub fn report(&self) -> String {
        let loaded = self.load();
        let problems = loaded.broken.iter().flat_map(|broken| &broken.problems);
        problems.map(|problem| format!("{problem}\n")).collect()
    }
}

/// `copy` takes a file of the folder and a few options; `shell` takes a command.
pub struct TwoOperators;

impl Catalog for TwoOperators {
    fn operators(&self) -> Vec<&'static str> {
        vec!["copy", "shell"]
    }

    fn schema(&self, operator: &str) -> Option<Value> {
        match operator {
            "copy" => Some(json!({
                "type": "object",
                "properties": {
                    "file": {"type": "string"},
                    "rows": {"type": ["integer", "null"], "format": "uint32", "minimum": 0},
                    "mode": {"oneOf": [{"const": "append", "type": "string"}, {"const": "replace", "type": "string"}]},
                    "source": {"oneOf": [
                        {"type": "object", "properties": {"csv": {"type": "string"}}, "required": ["csv"], "additionalProperties": false},
                        {"type": "object", "properties": {"json": {"$ref": "#/$defs/Json"}}, "required": ["json"], "additionalProperties": false},
                    ]},
                },
                "$defs": {"Json": {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"], "additionalProperties": false}},
                "required": ["file"],
                "additionalProperties": false,
            })),
            "shell" => Some(json!({
                "type": "object",
                "properties": {"command": {"type": "array", "items": {"type": "string"}}},
                "additionalProperties": false,
            })),
            _ => None,
        }
    }

    fn check(&self, operator: &str, with: &Value, _: &Dag, files: &DagFiles) -> Vec<Flaw> {
        let Some(file) = with["file"].as_str().filter(|_| operator == "copy") else {
            return Vec::new();
        };
        match files.text(file) {
            Ok(text) if text.contains("bad") => {
                vec![Flaw::in_file(file, 1, 4, "`bad` is not a column")]
            }
            Ok(_) => Vec::new(),
            Err(error) => {
                let flaw = Flaw::at("/file", error.to_string());
                vec![flaw.hint(error.hint_text().unwrap_or_default())]
            }
        }
    }
}
