//! The rule tables of a folder, read and held against each other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::cleansing::{self, CleansingRule};
use super::compatibility::Compatibility;
use super::flow::{Flow, Pass};
use super::jobs::{self, Job, JobKind};
use super::mapping::{self, Mapping};
use super::place::{Place, Problems, unknown};
use super::quality::{self, Quality, QualityRule};
use super::sources::{self, Source};
use crate::base::{Error, Problem, Result, nearest};

const FILES: [&str; 5] = [
    sources::FILE,
    cleansing::FILE,
    mapping::FILE,
    quality::FILE,
    jobs::FILE,
];

/// The rule tables of a folder: what is done to which table, before it is known which columns the tables have.
#[derive(Debug)]
pub struct RuleTables {
    pub(super) compatibility: Compatibility,
    sources: Vec<Source>,
    jobs: Vec<Job>,
    flow: Flow,
    pub(super) cleansing: Vec<CleansingRule>,
    pub(super) mappings: Vec<Mapping>,
    pub(super) quality: Vec<QualityRule>,
}

impl RuleTables {
    /// Reads the rule tables in folder `folder` of `files`, which are paths within the DAG's folder and their texts. Each of
    /// the tables may be absent, but not all of them.
    ///
    /// # Errors
    /// Every problem of every table, with its line.
    pub fn load<'a>(
        folder: &str,
        files: impl IntoIterator<Item = (&'a str, &'a Arc<str>)>,
        compatibility: Compatibility,
    ) -> Result<Self, Vec<Problem>> {
        let prefix = prefix(folder);
        let files: BTreeMap<&str, &Arc<str>> = files
            .into_iter()
            .filter_map(|(path, text)| Some((path.strip_prefix(&prefix)?, text)))
            .collect();
        let mut problems = Problems::default();
        let used = std::cell::RefCell::new(BTreeSet::new());
        let beside = |name: &str| {
            used.borrow_mut().insert(name.to_owned());
            files.get(name).map(|text| Arc::clone(text)).ok_or_else(|| {
                let known = files.keys().copied().filter(|name| name.ends_with(".csv"));
                unknown(format!("file `{prefix}{name}` is not there"), name, known)
            })
        };
        let table = |name: &str| {
            files
                .get(name)
                .map(|text| (format!("{prefix}{name}"), &***text))
        };
        let sources =
            table(sources::FILE).map(|(file, text)| sources::read(&file, text, &mut problems));
        let jobs = table(jobs::FILE).map(|(file, text)| {
            jobs::read(
                &file,
                text,
                sources.as_deref(),
                compatibility,
                &mut problems,
            )
        });
        let cleansing = table(cleansing::FILE)
            .map(|(file, text)| cleansing::read(&file, text, &beside, &mut problems));
        let mappings =
            table(mapping::FILE).map(|(file, text)| mapping::read(&file, text, &mut problems));
        let quality = table(quality::FILE)
            .map(|(file, text)| quality::read(&file, text, compatibility, &mut problems));
        let jobs_declared = jobs.as_deref().unwrap_or_default();
        let flow = Flow::of(
            jobs_declared,
            sources.as_deref().unwrap_or_default(),
            &mut problems,
        );
        let has_jobs = jobs.is_some();
        let has_sources = sources.is_some();
        let tables = Self {
            compatibility,
            sources: sources.unwrap_or_default(),
            jobs: jobs.unwrap_or_default(),
            flow,
            cleansing: cleansing.unwrap_or_default(),
            mappings: mappings.unwrap_or_default(),
            quality: quality.unwrap_or_default(),
        };
        strangers(folder, &prefix, &files, &used.borrow(), &mut problems);
        if has_jobs {
            tables.check_names(&mut problems);
        } else if has_sources {
            let known: Vec<&str> = tables.sources.iter().map(|s| s.table.as_str()).collect();
            problems.0.extend(tables.check_tables(&known));
        }
        problems.finish().map(|()| tables)
    }

    /// The files that are read, in their order; empty without `pipeline_config.csv`.
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// The jobs in the order in which they go; empty without `main_pipeline_config.csv`.
    pub fn jobs(&self) -> &[Job] {
        &self.jobs
    }

    /// The tables that rules name and `known` does not have, as problems: for rule tables that stand without `pipeline_config.csv`, of
    /// which only the caller knows the tables.
    pub fn check_tables(&self, known: &[&str]) -> Vec<Problem> {
        let mut problems = Problems::default();
        if self.jobs.is_empty() {
            for (place, table) in self.named() {
                if !known.contains(&table) {
                    let error = unknown(
                        format!("unknown table `{table}`"),
                        table,
                        known.iter().copied(),
                    );
                    problems.add(place, &error);
                }
            }
        }
        problems.0
    }

    /// Every table that a rule is for.
    fn named(&self) -> impl Iterator<Item = (&Place, &str)> {
        let cleansing = self.cleansing.iter().map(|r| (&r.place, r.table.as_str()));
        let mappings = self.mappings.iter().map(|r| (&r.place, r.table.as_str()));
        let quality = self.quality.iter().map(|r| (&r.place, r.table.as_str()));
        cleansing.chain(mappings).chain(quality)
    }

    /// With jobs declared, each rule must be for a table that a job of its kind reads, or it would never be applied.
    fn check_names(&self, problems: &mut Problems) {
        let read_by = |kind: JobKind| -> Vec<&str> {
            let jobs = self.jobs.iter().filter(|job| job.kind == kind);
            jobs.map(|job| job.source.as_str()).collect()
        };
        let mut check = |place: &Place, table: &str, known: &[&str], kind: JobKind| {
            if !known.contains(&table) {
                let word = kind.word();
                let message = format!("unknown table `{table}`, no `{word}` job reads it");
                problems.add(place, &unknown(message, table, known.iter().copied()));
            }
        };
        let known = read_by(JobKind::Cleanse);
        for rule in &self.cleansing {
            check(&rule.place, &rule.table, &known, JobKind::Cleanse);
        }
        let known = read_by(JobKind::Standardize);
        for rule in &self.mappings {
            check(&rule.place, &rule.table, &known, JobKind::Standardize);
        }
        let known = read_by(JobKind::Quality);
        for rule in &self.quality {
            check(&rule.place, &rule.table, &known, JobKind::Quality);
        }
        if self.sources.is_empty() {
            return; // the tables are not all known here
        }
        let mut tables: Vec<&str> = self.sources.iter().map(|s| s.table.as_str()).collect();
        tables.extend(self.jobs.iter().map(|job| job.target.as_str()));
        for rule in &self.quality {
            if let Quality::Relationship { table, .. } = &rule.kind
                && !tables.contains(&table.as_str())
            {
                let message = format!("unknown table `{table}`");
                problems.add(
                    &rule.place,
                    &unknown(message, table, tables.iter().copied()),
                );
            }
        }
    }

    /// What the jobs come to.
    pub fn flow(&self) -> &Flow {
        &self.flow
    }

    /// What decides what is done to `table`, as texts: of the jobs those that it goes through, and all other tables beside them in `folder`
    /// as they are, since results name their lines.
    pub fn deciding<'a>(
        &self,
        table: &str,
        folder: &str,
        files: impl IntoIterator<Item = (&'a str, &'a Arc<str>)>,
    ) -> Vec<String> {
        let prefix = prefix(folder);
        let mut texts = Vec::new();
        for (path, text) in files {
            let inside = path.strip_prefix(&prefix).filter(|n| n.ends_with(".csv"));
            if inside.is_some_and(|name| ![sources::FILE, jobs::FILE].contains(&name)) {
                texts.push(format!("{path}\n{text}"));
            }
        }
        texts.extend(self.pass(table).ok().map(|(pass, _)| pass.way()));
        texts
    }

    /// Full names of the tables that rules of `pass` refer to.
    pub fn related(&self, pass: &Pass) -> BTreeSet<String> {
        let name = pass.name(JobKind::Quality);
        let rules = self
            .quality
            .iter()
            .filter(|rule| name == Some(&*rule.table));
        let tables = rules.filter_map(|rule| match &rule.kind {
            Quality::Relationship { table, .. } => Some(table),
            _ => None,
        });
        let kept = tables.map(|table| self.kept(table).unwrap_or_else(|| table.clone()));
        kept.collect()
    }

    /// The full name of the table that keeps the rows which rules call `name`, as far as jobs and sources say.
    pub(super) fn kept(&self, name: &str) -> Option<String> {
        let source = || {
            let source = self.sources.iter().find(|source| source.table == name)?;
            Some(format!("{}.{name}", source.layer))
        };
        let made = self.flow.kept(name).map(str::to_owned);
        made.or_else(source)
    }

    /// What is done to `table`, and the keys of the jobs after that, with their places.
    ///
    /// # Errors
    /// When there are jobs and none begins with it.
    pub(super) fn pass(&self, table: &str) -> Result<(Pass, Keys<'_>), Problem> {
        let Some(first) = self.jobs.first() else {
            return Ok((Pass::alone(table), Vec::new()));
        };
        let Some(pass) = self.flow.pass_of(table) else {
            let known = self.sources.iter().map(|source| source.table.as_str());
            let message = format!("unknown table `{table}`, no job reads it");
            let place = Place {
                line: 0,
                ..first.place.clone()
            };
            return Err(place.problem(&unknown(message, table, known)));
        };
        let mut keys = Vec::new();
        for merge in self.flow.merges_of(pass) {
            keys.push((&merge.place, merge.key.as_slice()));
            keys.extend(merge.dedup.iter().map(|(place, key)| (place, &key[..])));
        }
        Ok((pass.clone(), keys))
    }
}

/// What paths of files in `folder` begin with.
fn prefix(folder: &str) -> String {
    match folder.trim_end_matches('/') {
        "" | "." => String::new(),
        folder => format!("{folder}/"),
    }
}

/// Columns that jobs name, each list with its job.
pub(super) type Keys<'a> = Vec<(&'a Place, &'a [String])>;

/// A CSV file beside the rule tables that none of them names is most likely one with a wrong name.
fn strangers(
    folder: &str,
    prefix: &str,
    files: &BTreeMap<&str, &Arc<str>>,
    used: &BTreeSet<String>,
    problems: &mut Problems,
) {
    let mut found = false;
    for name in files.keys() {
        if FILES.contains(name) {
            found = true;
        } else if name.ends_with(".csv") && !name.contains('/') && !used.contains(*name) {
            // in the DAG's own folder other CSV files are at home
            if prefix.is_empty() && nearest(name, FILES).is_none() {
                continue;
            }
            let place = Place {
                file: format!("{prefix}{name}").into(),
                line: 0,
            };
            let message = "not a rule table, and no `map` rule names it".to_owned();
            problems.add(&place, &unknown(message, name, FILES));
        }
    }
    if !found {
        let place = Place {
            file: folder.into(),
            line: 0,
        };
        let error = Error::new("no rule table in this folder")
            .hint(format!("expected one of `{}`", FILES.join("`, `")));
        problems.add(&place, &error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(files: &[(&str, &str)]) -> Result<RuleTables, Vec<String>> {
        let files: Vec<(String, Arc<str>)> = files
            .iter()
            .map(|(name, text)| (format!("rules/{name}"), Arc::from(*text)))
            .collect();
        let files = files.iter().map(|(path, text)| (path.as_str(), text));
        RuleTables::load("rules", files, Compatibility::Corrected)
            .map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    const SOURCES: &str = "layer,table_name,file_path,file_format,catalog_name,schema_name,infer_schema,has_header,seq_no,is_active\n\
                           bronze,notes,/in/notes.csv,csv,c,s,true,true,1,Y\n";
    const JOBS: &str = "layer,job_typ,source,target,catalog_name,schema_name,ref_table,seq_no,is_active\n\
                        silver,cleanse,notes,clean_notes,c,s,cleansing_rules,1,Y\nsilver,dq,clean_notes,good_notes,c,s,dq_rule_config,1,Y\n\
                        silver,stage,good_notes,stage_notes,c,s,id,1,Y\n";

    #[test]
    fn a_table_is_followed_through_the_jobs() {
        let tables = load(&[
            ("pipeline_config.csv", SOURCES),
            ("main_pipeline_config.csv", JOBS),
        ]);
        let tables = tables.expect("loads");
        let problem = tables.pass("noets").expect_err("unknown").to_string();
        assert_eq!(
            problem,
            "rules/main_pipeline_config.csv: unknown table `noets`, no job reads it\n  hint: did you mean `notes`?"
        );
        let (pass, _) = tables.pass("notes").expect("a pass");
        assert_eq!(pass.name(JobKind::Cleanse), Some("notes"));
        assert_eq!(pass.name(JobKind::Standardize), None);
        assert_eq!(pass.name(JobKind::Quality), Some("clean_notes"));
        assert_eq!(pass.key, ["id"]);
    }

    #[test]
    fn the_problems_of_all_tables_come_at_once() {
        let problems = load(&[
            ("pipeline_config.csv", SOURCES),
            ("main_pipeline_config.csv", JOBS),
            ("cleansing_rules.csv", "table_name,column_name,cleanse_type,seq_no,is_active\nnote,a,trim,1,Y\nnotes,a,trmi,1,Y\n"),
            ("dq_rule_config.csv", "table_name,column_name,rule_type,rule_condition,rule_desc,is_active\nnotes,a,NOT_NULL,,,Y\n\
                                    clean_notes,a,RELATIONSHIP,note(id),,Y\nclean_notes,a,NOT_NULL,,Y\n"),
            ("ref_data.csv", "table_name,column,actual_value,std_value,seq_no,is_active\nx,a,b,c,,Y\n"),
            ("dq_rules_config.csv", ""),
        ])
        .expect_err("problems");
        assert_eq!(
            problems,
            [
                "rules/cleansing_rules.csv:2: unknown table `note`, no `cleanse` job reads it\n  hint: did you mean `notes`?",
                "rules/cleansing_rules.csv:3: unknown cleansing rule `trmi`\n  hint: did you mean `trim`?",
                "rules/dq_rule_config.csv:2: unknown table `notes`, no `dq` job reads it\n  hint: expected one of `clean_notes`",
                "rules/dq_rule_config.csv:3: unknown table `note`\n  hint: did you mean `notes`?",
                "rules/dq_rule_config.csv:4: 5 fields, expected 6 as in the header\n  hint: a field with a comma in it stands in double quotes",
                "rules/dq_rules_config.csv: not a rule table, and no `map` rule names it\n  hint: did you mean `dq_rule_config.csv`?",
                "rules/ref_data.csv:1: column `column_name` is missing from the header\n  hint: expected `table_name,column_name,actual_value,std_value,seq_no,is_active`",
                "rules/ref_data.csv:1: unknown column `column`\n  hint: expected one of `table_name`, `column_name`, `actual_value`, `std_value`, `seq_no`, `is_active`",
            ]
        );
    }

    #[test]
    fn a_folder_without_rule_tables_is_an_error() {
        let problems = load(&[("readme.txt", "")]).expect_err("none");
        assert!(
            problems[0].starts_with("rules: no rule table in this folder"),
            "{problems:?}"
        );
    }

    #[test]
    fn without_jobs_the_sources_are_the_tables() {
        let rules = "table_name,column_name,cleanse_type,seq_no,is_active\nnoets,a,trim,1,Y\n";
        let problems = load(&[
            ("pipeline_config.csv", SOURCES),
            ("cleansing_rules.csv", rules),
        ]);
        assert_eq!(
            problems.expect_err("unknown"),
            ["rules/cleansing_rules.csv:2: unknown table `noets`\n  hint: did you mean `notes`?"]
        );
        let tables = load(&[("cleansing_rules.csv", rules)]).expect("loads");
        assert_eq!(tables.check_tables(&["notes"]).len(), 1);
        assert!(tables.check_tables(&["noets"]).is_empty());
    }
}
