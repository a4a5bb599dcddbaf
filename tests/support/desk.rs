//! A place to run single operators, without an engine.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use galen::base::{Counts, Interval, ManualClock, TaskId};
use galen::config::Settings;
use galen::dag::{Dag, DagFiles};
use galen::lake::{Format, Warehouse};
use galen::on_conn;
use galen::operators::{Operators, Outcome, TaskContext, TaskError, TaskLog, Verdict};
use galen::records::Records;
use serde_json::{Map, Value, json};
use sqlx::AssertSqlSafe;
use tokio_util::sync::CancellationToken;

use super::TestDatabase;

/// The home folder, records and log of one DAG called `clinic`.
pub struct Desk {
    pub test: Arc<TestDatabase>,
    pub records: Records,
    pub clock: Arc<ManualClock>,
    pub cancel: CancellationToken,
    pub run_id: String,
    pub interval: Interval,
    /// Level, message and fields of every line.
    pub log: Arc<Mutex<Vec<String>>>,
    /// Of `lake`.
    pub chunk_records: u64,
    files: DagFiles,
    dag: Arc<Dag>,
}

impl Desk {
    /// Its run has the interval of 1 January 2026, in UTC.
    pub fn new(test: TestDatabase) -> Self {
        let dag: Dag = serde_json::from_value(json!({
            "dag_id": "clinic", "description": "", "owner": "", "tags": [], "max_active_runs": 1, "dag_retries": 0,
            "params": {}, "tasks": [],
        }))
        .expect("a DAG");
        Self {
            records: Records::open(&test.settings(), &dag.dag_id).expect("records"),
            test: Arc::new(test),
            clock: Arc::new(ManualClock::new(instant("2026-01-02T03:00:00Z"))),
            cancel: CancellationToken::new(),
            run_id: "clinic__manual__1".to_owned(),
            interval: day("2026-01-01", "2026-01-02"),
            log: Arc::default(),
            chunk_records: 50_000,
            files: DagFiles::default(),
            dag: Arc::new(dag),
        }
    }

    /// Another one on the same home and database, as another process would have.
    pub fn beside(other: &Self) -> Self {
        Self {
            test: Arc::clone(&other.test),
            records: Records::open(&other.test.settings(), &other.dag.dag_id).expect("records"),
            clock: Arc::clone(&other.clock),
            cancel: CancellationToken::new(),
            run_id: other.run_id.clone(),
            interval: other.interval,
            log: Arc::default(),
            chunk_records: other.chunk_records,
            files: other.files.clone(),
            dag: Arc::clone(&other.dag),
        }
    }

    /// Writes a file of the home folder.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.test.home().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, bytes).expect("a file");
    }

    /// Adds or replaces a file of the DAG's folder.
    pub fn file(&mut self, path: &str, text: &str) {
        self.files.insert(path, text);
    }

    fn settings(&self) -> Settings {
        let mut settings = self.test.settings();
        settings.lake.chunk_records = self.chunk_records;
        settings
    }

    /// The rows of `sql` over Delta tables as lines of CSV, without the header.
    pub async fn rows(&self, sql: &str) -> Vec<String> {
        let settings = Arc::new(self.settings());
        let warehouse = Warehouse::new(settings, self.records.clone(), Arc::default());
        let mut out = Vec::new();
        let rows = warehouse.query(sql, None).await.expect(sql);
        rows.write(Format::Csv, &mut out).await.expect("written");
        let text = String::from_utf8(out).expect("text");
        text.lines().skip(1).map(str::to_owned).collect()
    }

    fn context(&self) -> TaskContext {
        let log = Arc::clone(&self.log);
        TaskContext {
            dag: Arc::clone(&self.dag),
            files: Arc::new(self.files.clone()),
            run_id: self.run_id.as_str().into(),
            task_id: TaskId::from("task"),
            try_number: 1,
            started_at: instant("2026-01-02T03:00:00Z"),
            interval: self.interval,
            params: Map::new(),
            home: self.test.home().to_owned(),
            settings: Arc::new(self.settings()),
            records: self.records.clone(),
            snapshots: Arc::default(),
            clock: Arc::clone(&self.clock) as _,
            cancel: self.cancel.clone(),
            log: TaskLog::new(move |level, message, fields| {
                let line = format!("{level} {message} {}", Value::Object(fields));
                log.lock().expect("the log").push(line);
            }),
        }
    }

    /// One try of `operator`.
    pub async fn attempt(&self, operator: &str, with: Value) -> Result<Verdict, TaskError> {
        let operators = Operators::all();
        let kind = operators.find(operator).expect("an operator");
        let operator = (kind.parse)(&with).map_err(|flaws| flaws[0].message.clone());
        operator.expect("parameters").run(&self.context()).await
    }

    /// One try that must end well.
    pub async fn run(&self, operator: &str, with: Value) -> Outcome {
        match self.attempt(operator, with).await {
            Ok(Verdict::Done(outcome)) => outcome,
            other => panic!("{}: {other:?}", self.test.name),
        }
    }

    /// One try that must fail: the message with its hint.
    pub async fn failure(&self, operator: &str, with: Value) -> String {
        match self.attempt(operator, with).await {
            Err(error) => format!("{:?}", error.error().expect("an error")),
            Ok(verdict) => panic!("{}: {verdict:?}", self.test.name),
        }
    }

    /// The single column of texts that `sql` selects.
    pub async fn texts(&self, sql: &str) -> Vec<String> {
        let mut read = self.records.read().await.expect("a connection");
        on_conn!(read.conn().expect("open"), c => sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut *c).await)
            .expect(sql)
    }

    /// The lines of the log that have `part`.
    pub fn logged(&self, part: &str) -> Vec<String> {
        let log = self.log.lock().expect("the log");
        log.iter()
            .filter(|line| line.contains(part))
            .cloned()
            .collect()
    }
}

/// An instant from its text.
pub fn instant(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

/// The interval from one midnight in UTC to another.
pub fn day(start: &str, end: &str) -> Interval {
    let midnight = |date: &str| instant(&format!("{date}T00:00:00Z"));
    Interval::new(midnight(start), midnight(end)).expect("an interval")
}

/// Counts in the order inserted, updated, unchanged, duplicate, quarantined.
pub fn counts(parts: [u64; 5]) -> Counts {
    let [inserted, updated, unchanged, duplicate, quarantined] = parts;
    Counts {
        read: parts.iter().sum(),
        inserted,
        updated,
        unchanged,
        duplicate,
        quarantined,
    }
}
