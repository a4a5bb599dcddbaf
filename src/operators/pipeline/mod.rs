//! `pipeline`: everything that a folder of rule tables says, as tasks.

mod expand;
mod parts;

use std::sync::Arc;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

pub(super) use self::expand::unfolded;
use super::rule_tables::rule_tables;
use super::{Operator, Operators, TaskContext, TaskError, Verdict};
use crate::base::{Error, Problem, Result};
use crate::dag::{Dag, DagFiles, Flaw};
use crate::rules::tables::{Compatibility, RuleTables, Source, SourceFormat};

/// Runs a folder of rule tables (CSV): the files of `pipeline_config.csv` land in their layer, and the jobs of `main_pipeline_config.csv`
/// cleanse, standardize, judge, stage, ingest and deduplicate them. In the run each table is a task of its own, called
/// `<task_id>.<layer>.<table>`: an `ingest` task a source, a `clean` task for the jobs that apply rules, a `merge` task for an `ingest`
/// job and the `dedup` job of its target. A row more in a rule table is all it takes to change them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pipeline {
    /// The folder of rule tables in the DAG's folder.
    rules: String,
    /// Where the files of `pipeline_config.csv` are: a folder, from the home folder, or an `http(s)` address. It stands in the place of the
    /// folder that their paths have in common.
    base_path: Option<String>,
    /// Whether rules are right (`corrected`) or mean what they meant in the pipeline from which their columns come (`source`).
    #[serde(default)]
    compatibility: Compatibility,
    /// Whether small files of the tables are put together when rows were written.
    #[serde(default)]
    optimize: bool,
    /// Files that no version of the tables younger than this needs are deleted, as `7d`; none are when absent.
    vacuum: Option<String>,
}

/// Name of the operator.
const NAME: &str = "pipeline";

#[async_trait]
impl Operator for Pipeline {
    fn check(&self, dag: &Dag, files: &DagFiles) -> Vec<Flaw> {
        let tables = match self.tables(files) {
            Ok(tables) => tables,
            Err(problems) => return problems.into_iter().map(Flaw::from).collect(),
        };
        if tables.sources().is_empty() && tables.jobs().is_empty() {
            let message = format!(
                "the rule tables in `{}` name neither sources nor jobs",
                self.rules
            );
            let flaw = Flaw::at("/rules", message);
            return vec![flaw.hint("files are in `pipeline_config.csv`, jobs in `main_pipeline_config.csv`; rules alone are for `clean`")];
        }
        let mut flaws = Vec::new();
        match (&self.base_path, tables.sources().is_empty()) {
            (None, false) => {
                let flaw = Flaw::at("", "`base_path` is missing");
                flaws.push(flaw.hint("name the folder of the files in `pipeline_config.csv`, as `base_path: data/raw`"));
            }
            (Some(_), true) => {
                let flaw = Flaw::at(
                    "/base_path",
                    "there is no `pipeline_config.csv` whose files could be there",
                );
                flaws.push(flaw.hint("add the file, or remove `base_path`"));
            }
            _ => {}
        }
        let headless = |source: &&Source| source.format == SourceFormat::Csv && !source.has_header;
        for source in tables.sources().iter().filter(headless) {
            let problem = source.place.problem(
                &Error::new(format!("the file of table `{}` has no header", source.table))
                    .hint("columns are known by their names: add a first line with them to the file, and set `has_header` to `true`"),
            );
            flaws.push(problem.into());
        }
        for part in parts::of(self, &tables) {
            let told = Operators::all()
                .find(part.operator)
                .map(|kind| (kind.parse)(&part.with));
            let found = match told {
                Some(Ok(operator)) => operator.check(dag, files),
                Some(Err(flaws)) => flaws,
                None => Vec::new(),
            };
            for mut flaw in found {
                // what a person can change is the row that the task is made of
                let place = (part.place.file.to_string(), part.place.line, 0);
                flaw.file.get_or_insert(place);
                if !flaws.contains(&flaw) {
                    flaws.push(flaw);
                }
            }
        }
        flaws
    }

    async fn run(&self, _context: &TaskContext) -> Result<Verdict, TaskError> {
        // a DAG is loaded with the tasks in its place
        let error = Error::new("a `pipeline` task is made of others and does nothing itself");
        Err(TaskError::Permanent(error))
    }
}

impl Pipeline {
    fn tables(&self, files: &DagFiles) -> Result<Arc<RuleTables>, Vec<Problem>> {
        let folder = self.rules.trim_start_matches("./");
        rule_tables(folder, self.compatibility, files)
    }
}
