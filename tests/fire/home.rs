//! A home folder with eFiche on little data, used through the binary as a person does.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use galen::base::DagId;
use galen::records::Records;
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::cli::galen::{command, said};
use crate::support::{TestDatabase, copy};

const SAMPLE: &str = "data_sample/padchest/padchest_shaped.csv";

/// Tables as `galen export` writes them, by name.
pub type Exports = BTreeMap<String, String>;

/// An installation that takes 100 records of each source in a run, of a clinic of the size `tiny`, and waits a second at most.
pub struct Home {
    pub test: TestDatabase,
}

impl Home {
    pub fn new(test: TestDatabase) -> Self {
        let home = Self { test };
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        copy(&root.join("dags/efiche"), &home.path("dags/efiche"));
        home.edit("dag.yaml", "default: 5000", "default: 100");
        home.edit("dag.yaml", "default: default", "default: tiny");
        home.edit("dag.yaml", "retry_delay: 30s", "retry_delay: 1s");
        home.without_the_warehouse();
        home.deliver(600);
        std::fs::write(home.path("galen.toml"), "[engine]\nlease_ttl = \"1s\"\n").expect("written");
        home
    }

    /// A file of the home folder.
    pub fn path(&self, name: &str) -> std::path::PathBuf {
        self.test.home().join(name)
    }

    /// Replaces text in a file of the DAG's folder.
    pub fn edit(&self, file: &str, from: &str, to: &str) {
        let file = self.path("dags/efiche").join(file);
        let text = std::fs::read_to_string(&file).expect("a file");
        assert!(text.contains(from), "`{from}` is not in it");
        std::fs::write(file, text.replace(from, to)).expect("written");
    }

    /// Takes the models out of the DAG: what happens to the records is the same without them, and models have tests of their own.
    fn without_the_warehouse(&self) {
        let file = self.path("dags/efiche/dag.yaml");
        let text = std::fs::read_to_string(&file).expect("a file");
        let (loads, models) = text.split_once("  - task_id: warehouse").expect("the task");
        assert!(!models.contains("- task_id:"), "it is the last");
        std::fs::write(file, loads).expect("written");
    }

    /// Delivers the first records of the PadChest-shaped sample, in one file.
    pub fn deliver(&self, records: usize) {
        let (header, sample) = sample();
        self.deliver_as(SAMPLE, &header, &sample[..records]);
    }

    /// Writes a file of PadChest-shaped records.
    pub fn deliver_as(
        &self,
        name: &str,
        header: &csv::StringRecord,
        records: &[csv::StringRecord],
    ) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        let mut writer = csv::Writer::from_path(path).expect("a file");
        for record in [header].into_iter().chain(records) {
            writer.write_record(record).expect("written");
        }
        writer.flush().expect("written");
    }

    /// `galen` on this home and its database.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = command(self.test.home(), args);
        if let Some(url) = self.test.url() {
            command.env("GALEN_DATABASE_URL", url);
        }
        command
    }

    /// Runs `galen`, which must succeed; its data.
    pub fn galen(&self, args: &[&str]) -> String {
        let said = said(self.command(args));
        assert_eq!(said.code, 0, "{} {args:?}\n{said}", self.test.name);
        said.out
    }

    /// What a listing prints as JSON.
    pub fn list(&self, args: &[&str]) -> Vec<Value> {
        let text = self.galen(&[args, &["--json"]].concat());
        serde_json::from_str(&text).expect("a list")
    }

    /// One run that takes all that is left.
    pub fn run_to_the_end(&self) {
        self.galen(&["run", "efiche", "--param", "max_rows=0"]);
    }

    /// Every operational table but the log of changes.
    pub async fn exports(&self) -> Exports {
        let tables = std::fs::read_to_string(self.path("dags/efiche/tables.sql")).expect("tables");
        let records = Records::open(&self.test.settings(), &DagId::new("efiche")).expect("records");
        let records = records.with_tables(tables);
        let mut exports = Exports::new();
        for table in records.tables().await.expect("tables") {
            // the log of changes tells when and in which batch; its own chain is what must hold
            if table.layer == "op" && table.table != "audit_log" {
                let mut out = Vec::new();
                let written = records.export(&table.table, false, &mut out).await;
                written.expect("exported");
                exports.insert(table.table, String::from_utf8(out).expect("text"));
            }
        }
        assert!(exports.len() >= 7, "{:?}", exports.keys());
        exports
    }

    /// Every operational table must be as an undisturbed run leaves it, and the audit whole.
    pub async fn must_be_as_if_nothing_had_happened(&self) {
        let undisturbed = undisturbed().await;
        assert_same(&self.exports().await, undisturbed, self.test.name);
        self.galen(&["audit", "verify"]);
    }
}

/// The tables that one run on SQLite makes of all there is.
pub async fn undisturbed() -> &'static Exports {
    static UNDISTURBED: OnceCell<Exports> = OnceCell::const_new();
    UNDISTURBED
        .get_or_init(|| async {
            let home = Home::new(TestDatabase::sqlite());
            home.run_to_the_end();
            home.exports().await
        })
        .await
}

/// Fails with the name of the first table that differs and the number of its first line that does.
pub fn assert_same(found: &Exports, expected: &Exports, place: &str) {
    assert!(found.keys().eq(expected.keys()), "{place}");
    for (table, text) in expected {
        let differ = text.lines().zip(found[table].lines());
        let line = differ.take_while(|(a, b)| a == b).count() + 1;
        let lines = (text.lines().count(), found[table].lines().count());
        assert!(
            *text == found[table],
            "{place}: `{table}` differs from line {line}, {lines:?} lines"
        );
    }
}

/// Header and records of the PadChest-shaped sample, with contradictions in it: see [`contradiction`].
pub fn sample() -> (csv::StringRecord, Vec<csv::StringRecord>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(SAMPLE);
    let mut reader = csv::Reader::from_path(path).expect("the sample");
    let header = reader.headers().expect("a header").clone();
    let mut records = Vec::new();
    for (number, record) in reader.records().enumerate() {
        let record = record.expect("a record");
        let other = (number % 10 == 0).then(|| contradiction(&header, &record));
        records.push(record);
        records.extend(other.flatten());
    }
    (header, records)
}

/// Another image of the same study, by which the patient is a year younger. It is delivered later and is the lesser version;
/// so which of the two stays depends on all being held against all.
fn contradiction(
    header: &csv::StringRecord,
    record: &csv::StringRecord,
) -> Option<csv::StringRecord> {
    let field = |name: &str| header.iter().zip(record).find(|(of, _)| *of == name);
    let birth: f64 = field("PatientBirth")?.1.parse().ok()?;
    let fields = header.iter().zip(record).map(|(name, text)| match name {
        "ImageID" => format!("0_{text}"),
        "PatientBirth" => format!("{:.1}", birth + 1.0),
        _ => text.to_owned(),
    });
    Some(fields.collect::<Vec<_>>().into())
}
