//! eFiche's own folder on a database, its tasks run one by one.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use galen::base::{Interval, ManualClock, RunId, TaskId};
use galen::dag::{Version, load_folder};
use galen::operators::{Operators, Outcome, TaskContext, TaskError, TaskLog, Verdict};
use galen::records::Records;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::{TestDatabase, instant};

pub const TABLES: [&str; 7] = [
    "facilities",
    "patients",
    "encounters",
    "procedures",
    "diagnosis_codes",
    "diagnoses",
    "reports",
];

/// A home with the DAG `efiche`.
pub struct Home {
    pub test: Arc<TestDatabase>,
    pub records: Records,
    version: Version,
    /// Number of the run.
    pub run: u32,
    pub cancel: CancellationToken,
}

impl Home {
    pub fn new(test: TestDatabase) -> Self {
        static VERSION: OnceLock<Version> = OnceLock::new();
        let version = VERSION.get_or_init(|| {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("dags/efiche");
            load_folder(&folder, &Operators::all(), None).unwrap_or_else(|broken| {
                let problems: Vec<String> =
                    broken.problems.iter().map(ToString::to_string).collect();
                panic!("{}", problems.join("\n"))
            })
        });
        let sql = version.files.text("tables.sql").expect("tables").clone();
        Self {
            records: Records::open(&test.settings(), &version.dag.dag_id)
                .expect("records")
                .with_tables(sql),
            test: Arc::new(test),
            version: version.clone(),
            run: 1,
            cancel: CancellationToken::new(),
        }
    }

    /// The same home with another text of the file `path`.
    pub fn edit(&mut self, path: &str, from: &str, to: &str) {
        let mut files = (*self.version.files).clone();
        let text = files.text(path).expect("a file").replace(from, to);
        assert!(!text.contains(from));
        files.insert(path, text);
        self.version.files = Arc::new(files);
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.test.home().join(name), bytes).expect("a file");
    }

    pub async fn attempt(
        &self,
        task: &str,
        operator: &str,
        with: Value,
    ) -> Result<Outcome, TaskError> {
        let settings = self.test.settings();
        let start = instant("2026-01-01T03:00:00Z");
        let end = instant("2026-01-02T03:00:00Z");
        let context = TaskContext {
            dag: self.version.dag.clone(),
            files: self.version.files.clone(),
            run_id: RunId::new(format!("efiche__manual__{}", self.run)),
            task_id: TaskId::new(task),
            try_number: 1,
            started_at: end,
            interval: Interval::new(start, end).expect("an interval"),
            params: Map::new(),
            home: settings.home.clone(),
            settings: Arc::new(settings),
            records: self.records.clone(),
            snapshots: Arc::default(),
            clock: Arc::new(ManualClock::new(end)),
            cancel: self.cancel.clone(),
            log: TaskLog::none(),
        };
        let operators = Operators::all();
        let kind = operators.find(operator).expect("an operator");
        let operator = (kind.parse)(&with).map_err(|flaws| flaws[0].message.clone());
        match operator.expect("parameters").run(&context).await? {
            Verdict::Done(outcome) => Ok(outcome),
            other => panic!("{other:?}"),
        }
    }

    pub async fn stage(&self, source: &str, file: &str) -> Outcome {
        let key = if source == "nih" {
            "Image Index"
        } else {
            "ImageID"
        };
        let with =
            json!({"source": {"csv": file}, "into": format!("{source}_staging"), "key": [key]});
        let task = format!("stage_{source}");
        self.attempt(&task, "ingest", with).await.expect("staged")
    }

    pub async fn load(&self, source: &str, batch_size: usize, max_rows: usize) -> Outcome {
        let outcome = self
            .try_load(source, batch_size, max_rows)
            .await
            .expect("loaded");
        assert!(outcome.counts.balances(), "{}", outcome.counts);
        outcome
    }

    pub async fn try_load(
        &self,
        source: &str,
        batch_size: usize,
        max_rows: usize,
    ) -> Result<Outcome, TaskError> {
        let with = json!({
            "from": format!("{source}_staging"), "batch_size": batch_size, "max_rows": max_rows,
            "targets": format!("targets/{source}.yaml"),
        });
        self.attempt(&format!("load_{source}"), "process", with)
            .await
    }

    pub async fn export(&self, table: &str) -> String {
        let mut out = Vec::new();
        self.records
            .export(table, false, &mut out)
            .await
            .expect("exported");
        String::from_utf8(out).expect("text")
    }

    /// Every operational table as CSV, and the quarantine as lines of file place and reasons.
    pub async fn everything(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        for table in TABLES {
            all.insert(table.to_owned(), self.export(table).await);
        }
        all
    }

    /// Lines and reasons of what is in quarantine, by line.
    pub async fn reasons(&self) -> Vec<(i64, String)> {
        let open = self
            .records
            .quarantined(&Default::default(), 1_000_000)
            .await
            .expect("a list");
        let mut reasons: Vec<(i64, String)> = open
            .into_iter()
            .map(|record| (record.line, record.reasons))
            .collect();
        reasons.sort();
        reasons
    }
}
