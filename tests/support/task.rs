//! One try of one operator, outside any engine.

use std::sync::Arc;
use std::task::Poll;

use galen::base::{Interval, ManualClock, RunId};
use galen::dag::load_folder;
use galen::operators::{Operators, TaskContext, TaskError, TaskLog, Verdict};
use galen::records::Records;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::TestDatabase;

/// A try of `operator` on a database, in the DAG `sample` with these files.
pub struct Try<'a> {
    /// The database and home folder.
    pub database: &'a TestDatabase,
    /// Files of the DAG's folder, by path. A `tables.sql` declares its operational tables.
    pub files: &'a [(&'a str, &'a str)],
    /// The operator's name.
    pub operator: &'a str,
    /// Its parameters, rendered.
    pub with: Value,
}

impl Try<'_> {
    /// Runs it for 2026-01-01.
    pub async fn run(self) -> Result<Verdict, TaskError> {
        let cancel = CancellationToken::new();
        self.run_until(cancel, TaskLog::none()).await
    }

    /// Runs it for 2026-01-01 with this log, until `cancel` fires.
    pub async fn run_until(
        self,
        cancel: CancellationToken,
        log: TaskLog,
    ) -> Result<Verdict, TaskError> {
        let operators = Operators::all();
        let kind = operators.find(self.operator).expect("an operator");
        let operator = match (kind.parse)(&self.with) {
            Ok(operator) => operator,
            Err(flaws) => panic!("{flaws:?}"),
        };
        let context = self.context(cancel, log);
        let flaws = operator.check(&context.dag, &context.files);
        assert!(flaws.is_empty(), "{flaws:?}");
        operator.run(&context).await
    }

    fn context(&self, cancel: CancellationToken, log: TaskLog) -> TaskContext {
        let folder = self.database.home().join("dags/sample");
        std::fs::create_dir_all(&folder).expect("a folder");
        let tables = self.files.iter().any(|(path, _)| *path == "tables.sql");
        let dag = match tables {
            true => "dag_id: sample\ntables: tables.sql\ntasks: [{task_id: it, operator: noop}]\n",
            false => "dag_id: sample\ntasks: [{task_id: it, operator: noop}]\n",
        };
        for (path, text) in self.files.iter().chain(&[("dag.yaml", dag)]) {
            std::fs::write(folder.join(path), text).expect("written");
        }
        let version = load_folder(&folder, &Operators::all(), None).expect("a sound DAG");
        let settings = self.database.settings();
        let records = Records::open(&settings, &version.dag.dag_id).expect("records");
        let records = match version.files.text("tables.sql") {
            Ok(sql) => records.with_tables(sql.clone()),
            Err(_) => records,
        };
        let time = |text: &str| text.parse().expect("a time");
        let start = time("2026-01-01T00:00:00Z");
        let interval = Interval::new(start, time("2026-01-02T00:00:00Z")).expect("an interval");
        TaskContext {
            records,
            snapshots: Arc::default(),
            dag: version.dag,
            files: version.files,
            run_id: RunId::new("sample__manual__1"),
            task_id: "it".into(),
            try_number: 1,
            started_at: interval.end,
            interval,
            params: Map::new(),
            home: settings.home.clone(),
            settings: Arc::new(settings),
            clock: Arc::new(ManualClock::new(interval.end)),
            cancel,
            log,
        }
    }
}

/// What `work` comes to when it is asked `polls` times and then dropped, as a killed process drops it; `None` when that was too early.
pub async fn cut_off<T>(work: impl Future<Output = T>, polls: usize) -> Option<T> {
    let mut work = Box::pin(work);
    let mut left = polls;
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        work.as_mut().poll(context).map(Some)
    })
    .await
}
