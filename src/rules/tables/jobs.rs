//! `main_pipeline_config.csv`: the jobs of each layer, from a table to the next.

use std::collections::BTreeMap;

use super::cleansing;
use super::compatibility::Compatibility;
use super::mapping;
use super::place::{Place, Problems, unknown};
use super::quality;
use super::sheet;
use super::sources::{Source, duplicate_order};
use crate::base::{Error, Result};

/// The file's name.
pub(super) const FILE: &str = "main_pipeline_config.csv";
const COLUMNS: [&str; 9] = [
    "layer",
    "job_typ",
    "source",
    "target",
    "catalog_name",
    "schema_name",
    "ref_table",
    "seq_no",
    "is_active",
];
const LAYERS: [&str; 5] = ["bronze", "silver", "core", "gold", "marts"];
const KINDS: [(&str, JobKind); 6] = [
    ("cleanse", JobKind::Cleanse),
    ("std", JobKind::Standardize),
    ("dq", JobKind::Quality),
    ("stage", JobKind::Stage),
    ("ingest", JobKind::Ingest),
    ("dedup", JobKind::Dedup),
];

/// A job: from a table to another.
#[derive(Debug, Clone)]
pub struct Job {
    /// Where it is declared.
    pub place: Place,
    /// The layer its target is in.
    pub layer: String,
    /// What it does.
    pub kind: JobKind,
    /// The table it reads; a dedup job reads its target.
    pub source: String,
    /// The table it makes.
    pub target: String,
    /// For a stage or ingest job the columns that identify a row; for a dedup job the columns by which rows are the same; empty for
    /// the jobs that apply rules.
    pub key: Vec<String>,
    /// Jobs of one layer and kind go in this order.
    pub order: i64,
}

/// What a job does. Jobs of a layer go in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum JobKind {
    /// Applies `cleansing_rules`.
    Cleanse,
    /// Applies `ref_data`.
    Standardize,
    /// Applies `dq_rule_config`; rows that fail go to quarantine.
    Quality,
    /// Merges the rows that passed into the target by key; of rows with equal keys the later delivery stays.
    Stage,
    /// Merges staged rows into the target by key.
    Ingest,
    /// Keeps one of the rows that are the same by key: the one that was written last.
    Dedup,
}

impl JobKind {
    /// All of them, in the order in which a table goes through them.
    pub const ALL: [Self; 6] = [
        Self::Cleanse,
        Self::Standardize,
        Self::Quality,
        Self::Stage,
        Self::Ingest,
        Self::Dedup,
    ];

    /// The word in the table.
    pub fn word(self) -> &'static str {
        let found = KINDS.iter().find(|(_, kind)| *kind == self);
        found.map_or("", |(word, _)| word)
    }

    /// The rule table it applies.
    const fn rule_table(self) -> Option<&'static str> {
        match self {
            Self::Cleanse => Some(cleansing::FILE),
            Self::Standardize => Some(mapping::FILE),
            Self::Quality => Some(quality::FILE),
            Self::Stage | Self::Ingest | Self::Dedup => None,
        }
    }
}

/// The active jobs in the order in which they go: layer by layer, kind by kind, by number.
pub(super) fn read(
    file: &str,
    text: &str,
    sources: Option<&[Source]>,
    compatibility: Compatibility,
    problems: &mut Problems,
) -> Vec<Job> {
    let mut jobs: Vec<Job> = Vec::new();
    let mut orders = BTreeMap::new();
    for record in sheet::read(file, text, &COLUMNS, &[], problems) {
        let Some(job) = problems.take(&record.place, job(&record)).flatten() else {
            continue;
        };
        let key = (job.layer.clone(), job.kind, job.order);
        if let Some(line) = orders.insert(key, job.place.line) {
            problems.add(&job.place, &duplicate_order(job.order, line));
        }
        jobs.push(job);
    }
    let layer = |job: &Job| LAYERS.iter().position(|layer| *layer == job.layer);
    jobs.sort_by_key(|job| (layer(job), job.kind, job.order));
    check_targets(&jobs, problems);
    check_sources(&jobs, sources, problems);
    if compatibility == Compatibility::Corrected {
        complete_keys(&mut jobs);
    }
    jobs
}

fn job(record: &sheet::Record) -> Result<Option<Job>> {
    if !record.is_active()? {
        return Ok(None);
    }
    let word = record.text("job_typ")?;
    let kinds = KINDS.iter().map(|(word, _)| *word);
    let kind = KINDS
        .iter()
        .find(|(known, _)| *known == word)
        .ok_or_else(|| unknown(format!("unknown job `{word}`"), &word, kinds))?
        .1;
    let layer = record.text("layer")?;
    if !LAYERS.contains(&layer.as_str()) {
        return Err(unknown(format!("unknown layer `{layer}`"), &layer, LAYERS));
    }
    let target = record.text("target")?;
    let source = match (kind, record.get("source")) {
        (JobKind::Dedup, source) if source.is_empty() || source == target => target.clone(),
        (JobKind::Dedup, _) => {
            return Err(
                Error::new("a `dedup` job has another source than its target")
                    .hint("leave `source` empty; the rows that are the same go from the target"),
            );
        }
        _ => record.text("source")?,
    };
    if source == target && kind != JobKind::Dedup {
        return Err(Error::new(format!("`{target}` is made from itself")));
    }
    let key = match kind.rule_table() {
        None => record.names("ref_table")?,
        Some(file) => {
            let expected = file.trim_end_matches(".csv");
            let given = record.get("ref_table");
            if given != expected {
                return Err(Error::new(format!("unknown rule table `{given}`"))
                    .hint(format!("a `{word}` job applies `{expected}`")));
            }
            Vec::new()
        }
    };
    Ok(Some(Job {
        place: record.place.clone(),
        layer,
        kind,
        source,
        target,
        key,
        order: record.required_order()?,
    }))
}

/// Each table is made by one job; deduplication makes none.
fn check_targets(jobs: &[Job], problems: &mut Problems) {
    let mut made: BTreeMap<(&str, bool), &Job> = BTreeMap::new();
    for job in jobs {
        let key = (job.target.as_str(), job.kind == JobKind::Dedup);
        if let Some(other) = made.insert(key, job) {
            let error = Error::new(format!(
                "table `{}` is made on line {} already",
                job.target, other.place.line
            ));
            problems.add(&job.place, &error);
        }
    }
}

/// Each source is a source file's table or made by a job that goes before.
fn check_sources(jobs: &[Job], sources: Option<&[Source]>, problems: &mut Problems) {
    let Some(sources) = sources else {
        return;
    };
    let mut known: Vec<&str> = sources.iter().map(|source| source.table.as_str()).collect();
    for job in jobs {
        if !known.contains(&job.source.as_str()) {
            let message = match jobs.iter().any(|other| other.target == job.source) {
                true => format!("table `{}` is made after it is read", job.source),
                false => format!("unknown table `{}`", job.source),
            };
            let error = unknown(message, &job.source, known.iter().copied());
            problems.add(&job.place, &error);
        }
        known.push(&job.target);
    }
}

/// Columns by which rows are the same leave out none of those that identify a row when they name others of them: rows with
/// different identities would be taken for one.
fn complete_keys(jobs: &mut [Job]) {
    let identities: BTreeMap<String, Vec<String>> = jobs
        .iter()
        .filter(|job| matches!(job.kind, JobKind::Stage | JobKind::Ingest))
        .map(|job| (job.target.clone(), job.key.clone()))
        .collect();
    for job in jobs.iter_mut().filter(|job| job.kind == JobKind::Dedup) {
        let identity = identities.get(&job.target).map_or(&[][..], Vec::as_slice);
        if identity.iter().any(|column| job.key.contains(column)) {
            let missing: Vec<String> = identity
                .iter()
                .filter(|column| !job.key.contains(column))
                .cloned()
                .collect();
            job.key.extend(missing);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(lines: &str, compatibility: Compatibility) -> (Vec<Job>, Vec<String>) {
        let mut problems = Problems::default();
        let sources = "layer,table_name,file_path,file_format,catalog_name,schema_name,infer_schema,has_header,seq_no,is_active\n\
                       bronze,notes,/in/notes.csv,csv,c,s,true,true,1,Y\n";
        let sources = super::super::sources::read("s.csv", sources, &mut problems);
        let text = format!("{}\n{lines}", COLUMNS.join(","));
        let jobs = read(FILE, &text, Some(&sources), compatibility, &mut problems);
        (jobs, problems.0.iter().map(ToString::to_string).collect())
    }

    const SOUND: &str = "gold,dedup,,g,c,s,\"a, d\",1,Y\ngold,ingest,q,g,c,s,\"a, b\",1,Y\nsilver,stage,d,q,c,s,\"a, b\",1,Y\n\
                         silver,dq,s,d,c,s,dq_rule_config,1,Y\nsilver,std,k,s,c,s,ref_data,1,Y\nsilver,cleanse,notes,k,c,s,cleansing_rules,1,Y\n";

    #[test]
    fn jobs_go_layer_by_layer_and_kind_by_kind() {
        let (jobs, problems) = all(SOUND, Compatibility::Corrected);
        assert_eq!(problems, [""; 0]);
        let words: Vec<&str> = jobs.iter().map(|job| job.kind.word()).collect();
        assert_eq!(words, ["cleanse", "std", "dq", "stage", "ingest", "dedup"]);
    }

    #[test]
    fn what_identifies_a_row_is_not_left_out_by_half() {
        let (jobs, _) = all(SOUND, Compatibility::Corrected);
        assert_eq!(jobs[5].key, ["a", "d", "b"]);
        let (jobs, _) = all(SOUND, Compatibility::Source);
        assert_eq!(jobs[5].key, ["a", "d"]);
        let other = SOUND.replace("\"a, d\"", "\"x, y\"");
        let (jobs, _) = all(&other, Compatibility::Corrected);
        assert_eq!(jobs[5].key, ["x", "y"]);
    }

    #[test]
    fn every_mistake_has_its_line() {
        let (_, problems) = all(
            "silver,clense,notes,k,c,s,cleansing_rules,1,Y\nsliver,cleanse,notes,k,c,s,cleansing_rules,1,Y\n\
             silver,cleanse,notes,k,c,s,rules,1,Y\nsilver,cleanse,note,k,c,s,cleansing_rules,1,Y\nsilver,cleanse,notes,k,c,s,cleansing_rules,1,Y\n\
             silver,stage,notes,notes,c,s,a,2,Y\nsilver,stage,notes,q,c,s,\"a,\",2,Y\ngold,dedup,x,q,c,s,a,1,Y\nsilver,std,d,s,c,s,ref_data,1,Y\n\
             silver,dq,s,d,c,s,dq_rule_config,1,Y\ngold,ingest,q,,c,s,a,1,Y\ngold,ingest,q,g,c,s,a,one,Y\n",
            Compatibility::Corrected,
        );
        let mut problems = problems;
        problems.sort();
        let expected = [
            "main_pipeline_config.csv:10: table `d` is made after it is read",
            "main_pipeline_config.csv:12: `target` is empty, expected a name",
            "main_pipeline_config.csv:13: `seq_no` is `one`, expected a whole number",
            "main_pipeline_config.csv:2: unknown job `clense`\n  hint: did you mean `cleanse`?",
            "main_pipeline_config.csv:3: unknown layer `sliver`\n  hint: did you mean `silver`?",
            "main_pipeline_config.csv:4: unknown rule table `rules`\n  hint: a `cleanse` job applies `cleansing_rules`",
            "main_pipeline_config.csv:5: unknown table `note`\n  hint: did you mean `notes`?",
            "main_pipeline_config.csv:6: `seq_no` 1 is also on line 5\n  hint: each number once, so that the order is certain",
            "main_pipeline_config.csv:6: table `k` is made on line 5 already",
            "main_pipeline_config.csv:7: `notes` is made from itself",
            "main_pipeline_config.csv:8: `ref_table` has an empty name in its list\n  hint: expected names separated by commas, as `a, b`",
            "main_pipeline_config.csv:9: a `dedup` job has another source than its target\n  hint: leave `source` empty; the rows that are the same go from the target",
        ];
        assert_eq!(problems.len(), expected.len(), "{problems:#?}");
        for (problem, expected) in problems.iter().zip(expected) {
            assert!(problem.starts_with(expected), "{problem}");
        }
    }
}
