//! A home folder with one DAG, used through the binary as a person does.

use std::collections::BTreeMap;
use std::sync::Arc;

use galen::dag::load_folder;
use galen::lake::{Format, Warehouse};
use galen::operators::{Operators, sound_models};
use galen::records::Records;
use serde_json::Value;

use crate::cli::galen::{command, said};
use crate::support::TestDatabase;

/// A row of a CSV text by column.
pub type Row = BTreeMap<String, String>;

/// An installation with one DAG.
pub struct Home {
    pub test: TestDatabase,
    dag: String,
}

/// What became of the records of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sum {
    pub read: u64,
    pub inserted: u64,
    pub updated: u64,
    pub unchanged: u64,
    pub duplicate: u64,
    pub quarantined: u64,
}

impl Home {
    /// With the DAG `dag`, whose folder is there already.
    pub fn new(test: TestDatabase, dag: &str) -> Self {
        let dag = dag.to_owned();
        Self { test, dag }
    }

    /// A run that must succeed: what became of the records of each task.
    pub fn run(&self, args: &[&str]) -> BTreeMap<String, Sum> {
        let run = ["run", &self.dag, "--date", "2026-01-02", "--json"];
        let said = said(command(self.test.home(), &[&run, args].concat()));
        assert_eq!(said.code, 0, "{said}");
        let tasks: Vec<Value> = serde_json::from_str(&said.out).expect("a list");
        let sums = tasks.iter().filter(|task| task["state"] == "success");
        sums.map(|task| {
            let count = |name: &str| task[name].as_u64().expect("a count");
            let sum = Sum {
                read: count("read"),
                inserted: count("inserted"),
                updated: count("updated"),
                unchanged: count("unchanged"),
                duplicate: count("duplicate"),
                quarantined: count("quarantined"),
            };
            (task["task"].as_str().expect("a name").to_owned(), sum)
        })
        .collect()
    }

    /// The DAG's tables, to be asked.
    pub fn tables(&self) -> Tables {
        let folder = self.test.home().join("dags").join(&self.dag);
        let version = load_folder(&folder, &Operators::all(), None).unwrap_or_else(|broken| {
            let problems = broken.problems.iter().map(|problem| format!("{problem}\n"));
            panic!("{}", problems.collect::<String>())
        });
        let models = sound_models(&version.dag, &version.files).expect("models");
        let settings = self.test.settings();
        let records = Records::open(&settings, &version.dag.dag_id).expect("records");
        Tables {
            warehouse: Warehouse::new(Arc::new(settings), records, models),
        }
    }

    /// Number of versions of all Delta tables together.
    pub fn versions(&self) -> usize {
        let logs = format!("state/lake/{}/*/*/_delta_log/*.json", self.dag);
        let logs = self.test.home().join(logs);
        let logs = glob::glob(&logs.display().to_string()).expect("a pattern");
        logs.count()
    }
}

/// The tables of a DAG.
pub struct Tables {
    warehouse: Warehouse,
}

impl Tables {
    /// Header and rows of a query.
    pub async fn ask(&self, sql: &str) -> (Vec<String>, Vec<Vec<String>>) {
        let mut out = Vec::new();
        let rows = self.warehouse.query(sql, None).await.expect(sql);
        rows.write(Format::Csv, &mut out).await.expect("written");
        let mut reader = csv::Reader::from_reader(&out[..]);
        let texts = |record: &csv::StringRecord| record.iter().map(str::to_owned).collect();
        let header = texts(reader.headers().expect("a header"));
        let rows = reader.records().map(|row| texts(&row.expect("a row")));
        let rows = rows.collect();
        (header, rows)
    }

    /// The rows of a query.
    pub async fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        self.ask(sql).await.1
    }
}
