//! The warehouse: every question's answer is that of plain Rust, no row is lost, and keys stay.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use flate2::read::GzDecoder;
use serde_json::Value;

use super::questions::{ANSWERS, Row, Rows, World};
use crate::cli::galen::{command, said};
use crate::support::{TestDatabase, copy, csv_rows, databases, shared_data};

const NIH: &str = "nih-chestxray14/Data_Entry_2017_v2020.csv.gz";

/// The DAG with the sample, of a clinic of the size `tiny`.
struct Place {
    test: TestDatabase,
}

impl Place {
    fn new(test: TestDatabase) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for folder in ["dags/efiche", "data_sample"] {
            copy(&root.join(folder), &test.home().join(folder));
        }
        Self { test }
    }

    fn galen(&self, args: &[&str]) -> String {
        let mut command = command(self.test.home(), args);
        if let Some(url) = self.test.url() {
            command.env("GALEN_DATABASE_URL", url);
        }
        let said = said(command);
        assert_eq!(said.code, 0, "{} {args:?}\n{said}", self.test.name);
        said.out
    }

    /// A run that takes everything; its tasks by name.
    fn run(&self, nih: &str) -> BTreeMap<String, Value> {
        let nih = format!("nih={nih}");
        let params = [
            "--param",
            "max_rows=0",
            "--param",
            "scale=tiny",
            "--param",
            &nih,
        ];
        let run = ["run", "efiche", "--date", "2026-01-01", "--json"];
        let tasks = self.galen(&[&run[..], &params].concat());
        let tasks: Vec<Value> = serde_json::from_str(&tasks).expect("a list");
        let name = |task: &Value| task["task"].as_str().expect("a name").to_owned();
        tasks.into_iter().map(|task| (name(&task), task)).collect()
    }

    fn export(&self, table: &str) -> String {
        self.galen(&["export", "efiche", table])
    }

    fn rows(&self, table: &str) -> Vec<Row> {
        let export = self.export(table);
        csv_rows(export.as_bytes())
    }

    fn world(&self) -> World {
        World {
            patients: self.rows("patients"),
            facilities: self.rows("facilities"),
            encounters: self.rows("encounters"),
            procedures: self.rows("procedures"),
            diagnoses: self.rows("diagnoses"),
            codes: self.rows("diagnosis_codes"),
            reports: self.rows("reports"),
        }
    }

    /// Holds answers, facts, bridges and dimensions against the operational tables.
    fn must_be_right(&self, world: &World) {
        let expected = world.answers();
        for (model, columns) in ANSWERS {
            let found = self.rows(&format!("marts.{model}"));
            let chosen = |row: &Row| columns.iter().map(|name| row[*name].clone()).collect();
            let found: Rows = found.iter().map(chosen).collect();
            assert_alike(model, columns, found, expected[model].clone());
        }
        self.no_row_is_lost(world);
        self.dates_are_right(world);
    }

    fn no_row_is_lost(&self, world: &World) {
        let facts = self.rows("core.fact_encounters");
        let keys = |rows: &[Row], column: &str| -> BTreeSet<String> {
            rows.iter().map(|row| row[column].clone()).collect()
        };
        assert_eq!(
            keys(&facts, "encounter_id"),
            keys(&world.encounters, "encounter_id")
        );
        let procedures = self.rows("core.bridge_encounter_procedure");
        assert_eq!(procedures.len(), world.procedures.len());
        let diagnoses = self.rows("core.bridge_encounter_diagnosis");
        assert_eq!(diagnoses.len(), world.diagnoses.len());
        // each row points to a member, and none to the unknown one, as nothing is missing here
        for (rows, column, dimension) in [
            (&facts, "patient_key", "core.dim_patient"),
            (&facts, "facility_key", "core.dim_facility"),
            (&procedures, "procedure_key", "core.dim_procedure"),
            (&diagnoses, "diagnosis_key", "core.dim_diagnosis"),
        ] {
            let members = keys(&self.rows(dimension), column);
            assert!(members.contains("0"), "{dimension}");
            let used = keys(rows, column);
            assert!(used.is_subset(&members) && !used.contains("0"), "{column}");
        }
        // decimals, whose sum is the same in any order
        let mut weights: BTreeMap<&str, u64> = BTreeMap::new();
        for row in &diagnoses {
            *weights.entry(&row["encounter_key"]).or_default() += decimal(&row["weight"], 12);
        }
        let one = 10_u64.pow(12);
        assert!(weights.values().all(|sum| sum.abs_diff(one) < 100));
        let groups = self.rows("gold.mv_diagnosis_by_age_group");
        let shared = groups
            .iter()
            .map(|row| decimal(&row["weighted_encounters"], 6));
        let all = weights.len() as u64 * 10_u64.pow(6);
        assert!(shared.sum::<u64>().abs_diff(all) <= groups.len() as u64);
        let kinds: BTreeSet<[&str; 3]> = world
            .procedures
            .iter()
            .map(|row| ["name", "modality", "projection"].map(|name| row[name].as_str()))
            .collect();
        assert_eq!(self.rows("core.dim_procedure").len(), kinds.len() + 1);
    }

    fn dates_are_right(&self, world: &World) {
        use chrono::{Datelike, NaiveDate};
        let mut dated: BTreeSet<NaiveDate> = BTreeSet::new();
        for (rows, column) in [
            (&world.encounters, "encounter_date"),
            (&world.diagnoses, "diagnosis_date"),
        ] {
            dated.extend(
                rows.iter()
                    .filter_map(|row| row[column].parse::<NaiveDate>().ok()),
            );
        }
        let rows = self.rows("core.dim_date");
        let (Some(first), Some(last)) = (dated.first(), dated.last()) else {
            return assert_eq!(rows.len(), 1);
        };
        let start = NaiveDate::from_ymd_opt(first.year(), 1, 1).expect("a date");
        let mut days = start
            .iter_days()
            .take_while(|day| day.year() <= last.year());
        for row in rows.iter().filter(|row| row["date_key"] != "0") {
            let day = days.next().expect("a day");
            let week = day.iso_week();
            let expected = [
                day.format("%Y%m%d").to_string(),
                day.to_string(),
                day.year().to_string(),
                (day.month0() / 3 + 1).to_string(),
                day.month().to_string(),
                day.format("%B").to_string(),
                week.year().to_string(),
                week.week().to_string(),
                day.weekday().number_from_monday().to_string(),
                (day.weekday().number_from_monday() > 5).to_string(),
            ];
            let columns = [
                "date_key",
                "day",
                "year",
                "quarter",
                "month",
                "month_name",
                "iso_year",
                "iso_week",
                "day_of_week",
                "is_weekend",
            ];
            assert_eq!(columns.map(|name| row[name].clone()), expected);
        }
        assert_eq!(days.next(), None);
    }
}

/// Rows in any order; a number may differ by what rounding takes.
fn assert_alike(model: &str, columns: &[&str], mut found: Rows, mut expected: Rows) {
    found.sort();
    expected.sort();
    assert_eq!(found.len(), expected.len(), "{model}");
    for (a, b) in found.iter().flatten().zip(expected.iter().flatten()) {
        let near = match (a.parse::<f64>(), b.parse::<f64>()) {
            (Ok(a), Ok(b)) => (a - b).abs() < 0.00501,
            _ => false,
        };
        assert!(a == b || near, "{model} {columns:?}: {a} is not {b}");
    }
}

/// The first records of the NIH file, or `None` where it is absent.
fn nih_cut(place: &Place, records: usize) -> Option<String> {
    let file = std::fs::File::open(shared_data(NIH)?).expect("the file");
    let lines = BufReader::new(GzDecoder::new(file)).lines();
    let lines: Vec<String> = lines
        .take(records + 1)
        .map(|line| line.expect("a line"))
        .collect();
    let path = place.test.home().join("nih.csv");
    std::fs::write(&path, lines.join("\n") + "\n").expect("written");
    Some("nih.csv".to_owned())
}

fn models(tasks: &BTreeMap<String, Value>) -> impl Iterator<Item = &Value> {
    let models = tasks
        .iter()
        .filter(|(name, _)| name.starts_with("warehouse."));
    models.map(|(_, task)| task)
}

#[tokio::test]
async fn the_twelve_answers_are_those_of_plain_rust() {
    let mut marts = Vec::new();
    for test in databases().await {
        let place = Place::new(test);
        // the NIH file is not there: its tasks are skipped, and the models are built all the same
        let tasks = place.run("");
        assert_eq!(tasks["load_nih"]["state"], "skipped");
        assert_eq!(models(&tasks).count(), 24);
        assert!(models(&tasks).all(|task| task["state"] == "success"));
        let world = place.world();
        for source in ["padchest", "synthetic"] {
            assert!(world.encounters.iter().any(|row| row["source"] == source));
        }
        place.must_be_right(&world);
        for model in ["high_use_patients", "diagnosis_pairs", "quarterly_growth"] {
            assert!(!place.rows(&format!("marts.{model}")).is_empty(), "{model}");
        }
        let all: Vec<String> = ANSWERS
            .iter()
            .map(|(model, _)| place.export(&format!("marts.{model}")))
            .collect();
        marts.push(all);
    }
    assert!(
        marts.windows(2).all(|pair| pair[0] == pair[1]),
        "the databases differ"
    );
}

#[test]
fn another_source_comes_in_nothing_is_written_twice_and_keys_stay() {
    let place = Place::new(TestDatabase::sqlite());
    place.run("");
    let Some(nih) = nih_cut(&place, 2_000) else {
        return;
    };
    place.run(&nih);
    let world = place.world();
    let nih_rows = world.procedures.iter().filter(|row| row["source"] == "nih");
    assert_eq!(nih_rows.count(), 2_000);
    place.must_be_right(&world);

    // the same again: no version of any table is new, that of the patients' history neither
    let versions = |place: &Place| {
        let logs = place
            .test
            .home()
            .join("state/lake/efiche/*/*/_delta_log/*.json");
        glob::glob(&logs.display().to_string())
            .expect("a pattern")
            .count()
    };
    let before = versions(&place);
    let tasks = place.run(&nih);
    for task in models(&tasks) {
        assert_eq!(
            (&task["inserted"], &task["updated"]),
            (&0.into(), &0.into()),
            "{task}"
        );
        assert_eq!(task["read"], task["unchanged"], "{task}");
    }
    assert_eq!(versions(&place), before);

    // built anew from nothing: the same rows under the same keys
    let tables = [
        "core.fact_encounters",
        "core.dim_procedure",
        "core.dim_diagnosis",
        "core.bridge_encounter_procedure",
        "core.bridge_encounter_diagnosis",
        "marts.top_diagnoses_by_age_group",
    ];
    let kept = tables.map(|table| place.export(table));
    std::fs::remove_dir_all(place.test.home().join("state/lake")).expect("removed");
    place.run(&nih);
    for (table, kept) in tables.iter().zip(&kept) {
        assert!(place.export(table) == *kept, "{table}");
    }
}

#[test]
#[ignore = "minutes in a debug build; `cargo test --release -- --ignored the_whole_nih_file`"]
fn the_whole_nih_file_is_in_the_warehouse() {
    let Some(path) = shared_data(NIH) else { return };
    let place = Place::new(TestDatabase::sqlite());
    place.run(path.to_str().expect("a path"));
    let bridge = place.rows("core.bridge_encounter_procedure");
    let images = bridge.iter().filter(|row| row["source"] == "nih").count();
    assert_eq!(images, 112_120);

    let mut text = String::new();
    let file = std::fs::File::open(path).expect("the file");
    GzDecoder::new(file)
        .read_to_string(&mut text)
        .expect("text");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().expect("a header").clone();
    let labels = header.iter().position(|name| name == "Finding Labels");
    let labels = labels.expect("the column");
    let mut expected: BTreeMap<String, usize> = BTreeMap::new();
    for record in reader.records() {
        for label in record.expect("a record")[labels].split('|') {
            *expected.entry(label.to_owned()).or_default() += 1;
        }
    }
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for row in place.rows("core.bridge_encounter_diagnosis") {
        if row["source"] == "nih" {
            *found.entry(row["label"].clone()).or_default() += 1;
        }
    }
    assert_eq!(found.len(), 15);
    assert_eq!(found, expected);
    assert_eq!(found["No Finding"], 60_361);
    place.must_be_right(&place.world());
}

/// The number `text` in units of its last place, of which it has `places`.
fn decimal(text: &str, places: usize) -> u64 {
    let (whole, part) = text.split_once('.').expect("a decimal");
    assert_eq!(part.len(), places, "{text}");
    format!("{whole}{part}").parse().expect("a number")
}
