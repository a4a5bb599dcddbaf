//! A DAG's tables and models, without an engine.

use std::collections::BTreeMap;
use std::sync::Arc;

use galen::lake::{Built, Format, Models, Planned, Request, Sources, TestResult, Warehouse};
use galen::records::{Records, own_tables, schema_from_sql};

use crate::support::{TestDatabase, instant};

/// The records and models of one DAG called `clinic`.
pub struct House {
    pub test: TestDatabase,
    pub records: Records,
    tables: String,
    /// Of `lake`, in MiB.
    pub memory_mb: u64,
    files: BTreeMap<String, String>,
}

impl House {
    /// Operational tables as `tables` declares them, no models yet.
    pub fn new(test: TestDatabase, tables: &str) -> Self {
        let records = Records::open(&test.settings(), &"clinic".into()).expect("records");
        Self {
            records: records.with_tables(tables),
            test,
            tables: tables.to_owned(),
            memory_mb: 1024,
            files: BTreeMap::new(),
        }
    }

    /// Adds or replaces `models/<path>`.
    pub fn file(&mut self, path: &str, text: &str) -> &mut Self {
        self.files.insert(format!("models/{path}"), text.to_owned());
        self
    }

    /// Runs statements on the records.
    pub async fn sql(&self, sql: &str) {
        let mut tx = self.records.begin().await.expect("a transaction");
        tx.conn().expect("open").run_script(sql).await.expect(sql);
        tx.commit().await.expect("kept");
    }

    /// The models as they are now, which must be sound.
    pub fn warehouse(&self) -> Warehouse {
        let mut op = schema_from_sql(&self.tables).expect("tables");
        own_tables().for_each(|table| op.insert(table));
        let sources = Sources {
            op,
            ..Sources::default()
        };
        let files = self
            .files
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()));
        let (models, problems) = Models::read(files, sources);
        assert_eq!(problems, []);
        let (_, problems) = Planned::new(&models).expect("a planner");
        assert_eq!(problems, []);
        let mut settings = self.test.settings();
        settings.lake.memory_mb = self.memory_mb;
        Warehouse::new(Arc::new(settings), self.records.clone(), Arc::new(models))
    }

    /// Builds one model as of 2026-01-`day`.
    pub async fn build(&self, model: &str, day: u32) -> Built {
        let built = self.warehouse().build(model, request(day)).await;
        built.unwrap_or_else(|error| panic!("{}: {error:?}", self.test.name))
    }

    /// Evaluates the tests of one model.
    pub async fn test(&self, model: &str) -> Vec<TestResult> {
        let now = instant("2026-01-31T00:00:00Z");
        self.warehouse()
            .test(model, &[], now)
            .await
            .expect("results")
    }

    /// The rows of `sql` as lines of CSV, without the header.
    pub async fn rows(&self, sql: &str) -> Vec<String> {
        let mut out = Vec::new();
        let rows = self.warehouse().query(sql, None).await.expect(sql);
        rows.write(Format::Csv, &mut out).await.expect("written");
        let text = String::from_utf8(out).expect("text");
        text.lines().skip(1).map(str::to_owned).collect()
    }

    /// Files of Delta tables in `layer.table`, as Parquet.
    pub fn files(&self, layer: &str, table: &str) -> usize {
        let place = self.warehouse().lake().place(layer, table);
        let pattern = format!("{place}/**/*.parquet");
        glob::glob(&pattern)
            .expect("a pattern")
            .flatten()
            .filter(|path| !path.display().to_string().contains("_delta_log"))
            .count()
    }
}

/// A build as of 2026-01-`day`.
pub fn request(day: u32) -> Request {
    Request {
        full_refresh: false,
        as_of: instant(&format!("2026-01-{day:02}T00:00:00Z")),
    }
}
