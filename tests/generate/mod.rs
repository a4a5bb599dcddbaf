//! The sample DAG's declarations: what they generate is pinned, sized and says which mistakes are in it.

mod exact;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::NaiveDate;
use galen::base::Error;
use galen::generate::{Expect, Plan, Report, Request, compile, generate};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn plan(name: &str) -> Plan {
    let folder = root().join("dags/efiche");
    let read = |name: &str| {
        let text = std::fs::read_to_string(folder.join(name));
        text.map(Arc::from)
            .map_err(|error| Error::new(name).because(error))
    };
    let text: Arc<str> = read(name).expect("the declaration");
    compile(name, &text, &read).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

fn day(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

fn request(out: &Path, days: &[&str]) -> Request {
    Request {
        days: days.iter().map(|text| day(text)).collect(),
        out: out.to_owned(),
        ..Request::default()
    }
}

fn run(plan: &Plan, request: &Request) -> Report {
    let report = generate(plan, request, &|| false).expect("generated");
    report.expect("not stopped")
}

/// Every file of a folder by its name.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = folder.read_dir().expect("a folder");
    let files = entries.map(|entry| {
        let entry = entry.expect("an entry");
        let bytes = std::fs::read(entry.path()).expect("a file");
        (entry.file_name().into(), bytes)
    });
    files.collect()
}

#[test]
fn the_committed_sample_is_what_the_generator_writes() {
    let folder = tempfile::tempdir().expect("a folder");
    run(
        &plan("padchest.yaml"),
        &request(folder.path(), &["2026-01-01"]),
    );
    let committed = files(&root().join("data_sample/padchest"));
    let generated = files(folder.path());
    let names = |files: &BTreeMap<PathBuf, _>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&generated), names(&committed));
    for (name, bytes) in &committed {
        assert!(generated[name] == *bytes, "{} differs", name.display());
    }
}

#[test]
fn threads_and_repetition_change_no_byte() {
    let plan = plan("generate.yaml");
    let folders: Vec<_> = [1, 2, 5]
        .map(|threads| {
            let folder = tempfile::tempdir().expect("a folder");
            let mut request = request(folder.path(), &["2026-01-01"]);
            request.rows = Some(1_700);
            request.threads = threads;
            let report = run(&plan, &request);
            assert!(report.files.iter().all(|file| file.written));
            let again = run(&plan, &request);
            assert!(again.files.iter().all(|file| !file.written));
            assert_eq!(report.key, again.key);
            folder
        })
        .into();
    assert_eq!(files(folders[0].path()), files(folders[1].path()));
    assert_eq!(files(folders[0].path()), files(folders[2].path()));
}

#[test]
fn the_days_of_a_backfill_add_up_to_one_load() {
    let plan = plan("generate.yaml");
    let days = ["2026-01-01", "2026-01-02", "2026-01-03"];
    let rows = |days: &[&str]| {
        let folder = tempfile::tempdir().expect("a folder");
        let mut request = request(folder.path(), days);
        request.scale = Some("tiny".to_owned());
        run(&plan, &request);
        let text = std::fs::read_to_string(folder.path().join("encounters.csv")).expect("text");
        text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    let one_by_one: Vec<String> = days.iter().flat_map(|day| rows(&[day])).collect();
    assert_eq!(one_by_one, rows(&days));
    assert_ne!(rows(&days[..1]), rows(&days[1..2]));
}

#[test]
fn the_default_clinic_has_its_size() {
    let folder = tempfile::tempdir().expect("a folder");
    let report = run(
        &plan("generate.yaml"),
        &request(folder.path(), &["2026-01-01"]),
    );
    let repeated = |table: &str| {
        let key = report.key.iter();
        let repeats =
            key.filter(|planted| planted.table == table && planted.expect == Expect::Duplicate);
        repeats.map(|planted| planted.rows).sum::<u64>()
    };
    let sizes = report
        .files
        .iter()
        .map(|file| (file.table.as_str(), file.rows - repeated(&file.table)));
    for ((table, rows), about) in sizes.zip([10, 5_000, 22_500, 45_000, 33_000]) {
        let off = rows.abs_diff(about);
        assert!(
            off * 50 <= about,
            "{table} has {rows} rows, expected about {about}"
        );
    }
}

#[test]
fn parents_come_before_their_children_and_children_in_their_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut request = request(folder.path(), &["2026-01-01"]);
    request.rows = Some(1_200);
    run(&plan("generate.yaml"), &request);
    let column = |table: &str, column: &str| {
        let file = folder.path().join(table).with_extension("csv");
        let mut reader = csv::Reader::from_path(file).expect("a table");
        let headers = reader.headers().expect("a header").clone();
        let place = headers
            .iter()
            .position(|name| name == column)
            .expect("the column");
        let values = reader
            .records()
            .map(|record| record.expect("a record")[place].to_owned());
        values.collect::<Vec<_>>()
    };
    let chain = [
        ("patients", "encounters", "patient_id"),
        ("encounters", "procedures", "encounter_id"),
        ("encounters", "diagnoses", "encounter_id"),
    ];
    for (parent, child, key) in chain {
        let mut keys = column(parent, key);
        let places: BTreeMap<String, usize> = keys
            .drain(..)
            .enumerate()
            .map(|(n, key)| (key, n))
            .collect();
        let places: Vec<usize> = column(child, key).iter().map(|key| places[key]).collect();
        assert!(places.is_sorted(), "{child}");
        // the next window of parents always reaches at least as far as the next window of children
        assert!(
            places
                .iter()
                .enumerate()
                .all(|(row, &parent)| parent <= row),
            "{child}"
        );
    }
}

#[test]
fn the_answer_key_counts_what_is_in_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut request = request(folder.path(), &["2026-01-01"]);
    request.rows = Some(20_000);
    let report = run(&plan("padchest.yaml"), &request);
    assert_eq!(report.files[0].rows, 20_000);
    let planted = |name: &str| {
        let of = report.key.iter().find(|planted| planted.defect == name);
        of.expect("planted").rows
    };
    let mut reader = csv::Reader::from_path(&report.files[0].path).expect("a table");
    let headers = reader.headers().expect("a header").clone();
    assert_eq!((headers.len(), &headers[0]), (36, ""));
    let place = |name: &str| {
        headers
            .iter()
            .position(|header| header == name)
            .expect("a column")
    };
    let (image, date, birth) = (
        place("ImageID"),
        place("StudyDate_DICOM"),
        place("PatientBirth"),
    );
    let (patient, sex) = (place("PatientID"), place("PatientSex_DICOM"));
    let mut sexes: BTreeMap<String, String> = BTreeMap::new();
    let mut found: BTreeMap<&str, u64> = BTreeMap::new();
    let mut last = String::new();
    for record in reader.records() {
        let record = record.expect("a record");
        assert!(record[patient].len() == 39 && record[image].ends_with(".png"));
        let first_sex = sexes
            .entry(record[patient].to_owned())
            .or_insert_with(|| record[sex].to_owned());
        for (name, is_so) in [
            ("repeated_row", record[image] == last),
            (
                "bad_date",
                NaiveDate::parse_from_str(&record[date], "%Y%m%d").is_err(),
            ),
            (
                "age_out_of_range",
                ["2041.0", "1801.0"].contains(&&record[birth]),
            ),
            ("sex_conflict", record[sex] != **first_sex),
        ] {
            *found.entry(name).or_default() += u64::from(is_so);
        }
        last = record[image].to_owned();
    }
    assert!(found["sex_conflict"] > 10);
    for (name, rows) in found {
        // a row that repeats one with a mistake has the mistake, too, but counts as a repeated row only
        assert_eq!(planted(name), rows, "{name}");
    }
}
