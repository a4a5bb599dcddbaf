//! Files of exactly the size that was asked for, at any scale, with seasons, and with mistakes that belong to one row alone.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use galen::base::Error;
use galen::generate::{Expect, Plan, Request, compile, generate};

fn hospital() -> Plan {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("dags/hospital");
    let read = |name: &str| {
        let text = std::fs::read_to_string(folder.join(name));
        text.map(Arc::from)
            .map_err(|error| Error::new(name).because(error))
    };
    let text: Arc<str> = read("generate.yaml").expect("the declaration");
    compile("generate.yaml", &text, &read).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

fn request(out: &Path, scale: &str, threads: usize) -> Request {
    Request {
        days: vec!["2026-01-01".parse().expect("a date")],
        out: out.to_owned(),
        scale: Some(scale.to_owned()),
        threads,
        ..Request::default()
    }
}

#[test]
fn an_exact_file_has_its_rows_at_any_scale_and_on_any_number_of_threads() {
    let plan = hospital();
    for (scale, sizes) in [
        ("tiny", [6, 60, 150, 200]),
        ("default", [60, 600, 1_500, 2_000]),
        ("2.5", [150, 1_500, 3_750, 5_000]),
    ] {
        let mut texts = Vec::new();
        for threads in [1, 3] {
            let folder = tempfile::tempdir().expect("a folder");
            let report = generate(&plan, &request(folder.path(), scale, threads), &|| false);
            let report = report.expect("generated").expect("not stopped");
            for (file, size) in report.files.iter().zip(sizes) {
                let text = std::fs::read_to_string(&file.path).expect("text");
                assert_eq!(file.rows, size, "{} at {scale}", file.table);
                assert_eq!(text.lines().count() as u64, size + 1, "{}", file.table);
                texts.push(text);
            }
            assert!(report.key.iter().any(|p| p.expect == Expect::Duplicate));
        }
        assert!(texts[..4] == texts[4..]);
    }
}

#[test]
fn seasons_are_seen_and_what_is_mended_does_not_pass_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let report = generate(&hospital(), &request(folder.path(), "20", 0), &|| false);
    let report = report.expect("generated").expect("not stopped");
    let mut months: BTreeMap<String, u64> = BTreeMap::new();
    let mut reader = csv::Reader::from_path(folder.path().join("visits.csv")).expect("a file");
    for record in reader.records() {
        let record = record.expect("a record");
        if &record[3] == "Zurich" && record[5].len() == 10 && record[5].starts_with("2024-") {
            *months.entry(record[5][5..7].to_owned()).or_default() += 1;
        }
    }
    assert!(months["02"] * 2 > months["08"] * 3, "{months:?}");
    for planted in report.key.iter().filter(|p| p.expect == Expect::Mended) {
        let own = match planted.defect.as_str() {
            "padded_key" => planted.table == "visits",
            "miscased_country" => planted.table == "patients",
            _ => true,
        };
        assert!(own, "{planted:?}");
    }
}

#[test]
fn what_cannot_be_exact_is_said_before_anything_is_made_up() {
    let problems = |text: &str| -> Vec<String> {
        let none = |name: &str| Err(Error::new(name));
        let found = compile("g.yaml", text, &none).expect_err("faulty");
        found.iter().map(ToString::to_string).collect()
    };
    let text = "tables:\n\
        - {name: a, exact: true, columns: [{name: x, text: x}]}\n\
        - {name: b, rows: 10, columns: [{name: x, date: {months: {13: 1}}}]}\n\
        - {name: c, parent: b, rows: 20, exact: true, fan_out: {min: 1, max: 2}, columns: [{name: x, text: x}]}\n\
        - {name: d, rows: 10, exact: true, columns: [{name: x, date: {weekdays: {1: 0}}}]}\n\
        - {name: e, parent: d, rows: 21, exact: true, fan_out: {min: 1, max: 2}, columns: [{name: x, text: x}]}\n";
    assert_eq!(
        problems(text),
        [
            "g.yaml:2:10: `a`: an `exact` table needs `rows`",
            "g.yaml:3:40: `x`: `13` is not between 1 and 12",
            "g.yaml:4:10: `c`: an `exact` table needs a parent that is `exact`, `b` is not",
            "g.yaml:5:53: `x`: `months` and `weekdays` leave no day",
            "g.yaml:6:10: `e`: 10 rows of `d` with 1 to 2 rows each cannot have 21",
            "g.yaml:2:10: `a`: a table without a `parent` needs `rows`, or a table below it does",
        ]
    );
}

#[test]
fn a_scale_is_a_name_or_a_factor() {
    let plan = hospital();
    let folder = tempfile::tempdir().expect("a folder");
    for wrong in ["0", "-1", "inf"] {
        let error = request(folder.path(), wrong, 1)
            .fits(&plan)
            .expect_err(wrong);
        assert!(
            error.to_string().contains("is not between 0 and 1000000"),
            "{error}"
        );
    }
    let error = request(folder.path(), "tinny", 1)
        .fits(&plan)
        .expect_err("unknown");
    assert_eq!(error.to_string(), "scale `tinny` is unknown");
    request(folder.path(), "0.3", 1)
        .fits(&plan)
        .expect("a factor");
}
