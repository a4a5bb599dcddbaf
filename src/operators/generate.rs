//! `generate`: synthetic rows from a declaration to CSV files.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Operator, Outcome, TaskContext, TaskError, Verdict};
use crate::base::{Counts, Error, Result};
use crate::dag::{Dag, DagFiles, Flaw};
use crate::generate::{Plan, Report, Request, compile, days_of, generate};

/// Makes up rows as a file of the DAG's folder declares them and writes them as CSV, one file a table, together with
/// `answer_key.json`, which says how many rows have which planted mistake.
///
/// The rows of a day depend on the seed and that day alone: another try, another machine or a backfill gives the same bytes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Generate {
    /// The declaration, in the DAG's folder.
    file: String,
    /// Folder for the files, relative to the home folder. Should contain `{{ ds }}` when the rows differ from day to day.
    out: String,
    /// The day to generate, as `2026-01-31`, in place of the days of the run's interval; empty leaves those.
    #[serde(default)]
    date: String,
    /// Tables to write; all without it.
    #[serde(default)]
    tables: Vec<String>,
    /// A scale of the declaration, such as `tiny`, or a factor such as `2.5`.
    scale: Option<String>,
    /// In place of the declaration's seed.
    seed: Option<u64>,
    /// In place of the row count of the declaration's first table that follows the scale; 0 leaves it as it is.
    #[serde(default)]
    rows: u64,
}

#[async_trait]
impl Operator for Generate {
    fn check(&self, _dag: &Dag, files: &DagFiles) -> Vec<Flaw> {
        if !self.date.is_empty()
            && let Err(error) = parse_date(&self.date)
        {
            return vec![Flaw::of("/date", &error)];
        }
        if let Err(error) = files.text(&self.file) {
            return vec![Flaw::of("/file", &error)];
        }
        let problems = match self.plan(files) {
            Ok(plan) => {
                let fits = self.request(String::new()).fits(&plan);
                return fits
                    .err()
                    .map(|error| Flaw::of("", &error))
                    .into_iter()
                    .collect();
            }
            Err(problems) => problems,
        };
        problems.into_iter().map(Flaw::from).collect()
    }

    async fn run(&self, context: &TaskContext) -> Result<Verdict, TaskError> {
        let plan = self.plan(&context.files).map_err(|problems| {
            let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
            Error::new(texts.join("\n"))
        })?;
        let mut request = self.request(self.out.clone());
        request.out = context.home.join(&request.out);
        request.days = match self.date.as_str() {
            "" => days_of(&context.interval),
            date => vec![parse_date(date)?],
        };
        let cancel = context.cancel.clone();
        let work = move || generate(&plan, &request, &|| cancel.is_cancelled());
        let report = tokio::task::spawn_blocking(work)
            .await
            .map_err(|error| Error::new("the generator broke down").because(error))??;
        let report = report.ok_or(TaskError::Cancelled)?;
        log(&report, context);
        Ok(Verdict::Done(outcome(&report)))
    }
}

impl Generate {
    fn plan(&self, files: &DagFiles) -> Result<Plan, Vec<crate::base::Problem>> {
        let text = files
            .text(&self.file)
            .cloned()
            .unwrap_or_else(|_| Arc::from(""));
        compile(&self.file, &text, &|name| files.text(name).cloned())
    }

    fn request(&self, out: String) -> Request {
        Request {
            seed: self.seed,
            scale: self.scale.clone(),
            rows: Some(self.rows).filter(|&rows| rows > 0),
            tables: self.tables.clone(),
            out: out.into(),
            ..Request::default()
        }
    }
}

fn parse_date(text: &str) -> Result<NaiveDate> {
    text.parse().map_err(|_| {
        Error::new(format!("`{text}` is not a date")).hint("expected for example `2026-01-31`")
    })
}

fn log(report: &Report, context: &TaskContext) {
    for file in &report.files {
        let message = if file.written {
            "file written"
        } else {
            "file is already so"
        };
        context
            .log
            .info(message, json!({"table": file.table, "rows": file.rows}));
    }
    for planted in &report.key {
        let fields = json!({
            "table": planted.table, "mistake": planted.defect,
            "expect": planted.expect.to_string(), "rows": planted.rows,
        });
        context.log.info("mistakes planted", fields);
    }
}

fn outcome(report: &Report) -> Outcome {
    let mut outcome = Outcome::default();
    let mut rows = Map::new();
    for file in &report.files {
        let counts = Counts {
            read: file.rows,
            inserted: if file.written { file.rows } else { 0 },
            unchanged: if file.written { 0 } else { file.rows },
            ..Counts::default()
        };
        outcome.counts += counts;
        outcome.tables.insert(file.table.clone(), counts);
        rows.insert(file.table.clone(), Value::from(file.rows));
    }
    outcome
        .outputs
        .insert("rows".to_owned(), Value::Object(rows));
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::FileReport;

    #[test]
    fn every_generated_row_is_accounted_for() {
        let file = |table: &str, rows, written| FileReport {
            table: table.to_owned(),
            path: table.into(),
            rows,
            written,
        };
        let report = Report {
            files: vec![file("a", 5, true), file("b", 7, false)],
            key: Vec::new(),
        };
        let outcome = outcome(&report);
        assert!(outcome.counts.balances());
        assert_eq!((outcome.counts.inserted, outcome.counts.unchanged), (5, 7));
        assert_eq!(outcome.outputs["rows"]["b"], 7);
    }

    #[test]
    fn a_fault_of_the_declaration_has_its_place() {
        let mut files = DagFiles::default();
        let text = "tables:\n- name: a\n  rows: 1\n  columns:\n  - {name: x, text: '{y}'}\n";
        files.insert("g.yaml", text);
        let with = json!({"file": "g.yaml", "out": "o"});
        let operator: Generate = serde_json::from_value(with).expect("valid");
        let problems = operator.plan(&files).expect_err("faulty");
        assert_eq!(problems.len(), 1);
        assert_eq!((problems[0].file.as_str(), problems[0].line), ("g.yaml", 5));
        assert_eq!(problems[0].message, "`x`: column `y` is unknown here");
    }
}
