//! The tasks that a folder of rule tables comes to.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::Pipeline;
use crate::rules::tables::{Place, RuleTables, SourceFormat};

/// A task before it has an id.
#[derive(Debug)]
pub(super) struct Part {
    /// The row of a rule table that it is made of.
    pub place: Place,
    /// The kind of work.
    pub operator: &'static str,
    /// Its parameters.
    pub with: Value,
    /// Full name of the table that it writes.
    pub into: String,
    /// Full names of the tables that it reads.
    pub reads: BTreeSet<String>,
}

/// The tasks of `pipeline`: sources in their order, then tables in the order of their jobs.
pub(super) fn of(pipeline: &Pipeline, tables: &RuleTables) -> Vec<Part> {
    let flow = tables.flow();
    let mut parts = Vec::new();
    for source in tables.sources() {
        let into = format!("{}.{}", source.layer, source.table);
        let format = match source.format {
            SourceFormat::Csv => "csv",
            SourceFormat::Json => "json",
            SourceFormat::Ndjson => "ndjson",
        };
        let folder = pipeline.base_path.as_deref().unwrap_or_default();
        let path = match folder.trim_end_matches('/') {
            "" => source.path.clone(),
            folder => format!("{folder}/{}", source.path),
        };
        parts.push(Part {
            place: source.place.clone(),
            operator: "ingest",
            with: pipeline.kept(json!({"source": {format: path}, "into": into})),
            into,
            reads: BTreeSet::new(),
        });
    }
    for pass in &flow.passes {
        let with = json!({
            "from": pass.from, "into": pass.into, "rules": pipeline.rules, "compatibility": pipeline.compatibility,
        });
        let mut reads = tables.related(pass);
        reads.insert(pass.from.clone());
        parts.push(Part {
            place: pass.place.clone(),
            operator: "clean",
            with: pipeline.kept(with),
            into: pass.into.clone(),
            reads,
        });
    }
    for merge in &flow.merges {
        let mut with = json!({"from": merge.from, "into": merge.into, "key": merge.key});
        if let Some((_, columns)) = &merge.dedup {
            with["dedup"] = json!(columns);
        }
        parts.push(Part {
            place: merge.place.clone(),
            operator: "merge",
            with: pipeline.kept(with),
            into: merge.into.clone(),
            reads: BTreeSet::from([merge.from.clone()]),
        });
    }
    parts
}

impl Pipeline {
    /// `with` and how the files of the table are looked after.
    fn kept(&self, mut with: Value) -> Value {
        let mut more = Map::new();
        if self.optimize {
            more.insert("optimize".to_owned(), true.into());
        }
        if let Some(vacuum) = &self.vacuum {
            more.insert("vacuum".to_owned(), vacuum.as_str().into());
        }
        if let Value::Object(with) = &mut with {
            with.append(&mut more);
        }
        with
    }
}
