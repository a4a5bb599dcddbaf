//! From the made-up files to gold and marts: every figure is that of plain Rust, every planted mistake is found, no record is lost.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::home::{Home, Tables};
use super::world::World;
use crate::support::{TestDatabase, copy, python_with};

const FILES: [&str; 4] = ["patients", "doctors", "visits", "treatments"];

fn home() -> Home {
    let test = TestDatabase::sqlite();
    let dag = Path::new(env!("CARGO_MANIFEST_DIR")).join("dags/hospital");
    copy(&dag, &test.home().join("dags/hospital"));
    Home::new(test, "hospital")
}

/// Rows of each table that the answer key says should become this.
fn planted(folder: &Path, expect: &str) -> BTreeMap<String, u64> {
    let key = std::fs::read_to_string(folder.join("answer_key.json")).expect("the answer key");
    let key: Vec<Value> = serde_json::from_str(&key).expect("JSON");
    let mut sums = BTreeMap::new();
    for line in key.iter().filter(|line| line["expect"] == expect) {
        let table = line["table"].as_str().expect("a table").to_owned();
        *sums.entry(table).or_default() += line["rows"].as_u64().expect("a number");
    }
    sums
}

#[tokio::test]
async fn every_figure_is_that_of_plain_rust_and_every_mistake_is_found() {
    let home = home();
    let sums = home.run(&[]);
    let folder = home.test.home().join("state/generated/hospital/default");
    let world = World::read(&home.test.home().join("dags/hospital"), &folder);
    let tables = home.tables();

    // the sum, table by table: bronze has all, silver what is sound, the rest is a duplicate or in quarantine
    let (rejected, duplicates) = (
        planted(&folder, "quarantined"),
        planted(&folder, "duplicate"),
    );
    for (table, size) in FILES.into_iter().zip([600, 60, 1_500, 2_000]) {
        let fate = &world.fates[table];
        assert_eq!(fate.read, size, "{table}");
        let of_key = |key: &BTreeMap<String, u64>| key.get(table).copied().unwrap_or(0);
        assert_eq!(of_key(&rejected), fate.rejected.len() as u64, "{table}");
        assert_eq!(of_key(&duplicates), fate.duplicate, "{table}");
        let (land, clean) = (
            sums[&format!("land_{table}")],
            sums[&format!("clean_{table}")],
        );
        assert_eq!((land.read, land.inserted), (size, size), "{table}");
        assert_eq!(clean.read, size, "{table}");
        assert_eq!(clean.duplicate, fate.duplicate, "{table}");
        assert_eq!(clean.quarantined, fate.rejected.len() as u64, "{table}");
        assert_eq!(clean.inserted, size - clean.duplicate - clean.quarantined);
        for (name, rows) in [
            (format!("bronze.{table}"), size),
            (format!("silver.{table}"), clean.inserted),
            (format!("silver.{table}_quarantine"), clean.quarantined),
        ] {
            let found = tables.rows(&format!("SELECT count(*) FROM {name}")).await;
            assert_eq!(found, [[rows.to_string()]], "{name}");
        }
        // each on its line, with as many reasons as there are things wrong
        let sql = format!("SELECT _line, reasons FROM silver.{table}_quarantine ORDER BY _line");
        let found = tables.rows(&sql).await.into_iter().map(|row| {
            let reasons: Vec<String> = serde_json::from_str(&row[1]).expect("a list");
            (row[0].parse().expect("a line"), reasons.len())
        });
        let found: BTreeMap<u64, usize> = found.collect();
        assert_eq!(found, fate.rejected, "{table}");
    }
    assert!(world.fates["treatments"].rejected.values().any(|n| *n == 2));

    what_was_mended_is_right(&tables, &world, &planted(&folder, "mended")).await;
    for answer in world.answers() {
        let columns: Vec<&str> = answer.columns.split(' ').collect();
        let sql = match answer.view.starts_with("gold.") {
            true => format!("SELECT * FROM {}", answer.view),
            false => format!("SELECT {} FROM {}", columns.join(", "), answer.view),
        };
        let (header, mut found) = tables.ask(&sql).await;
        assert_eq!(header, columns, "{}", answer.view);
        let mut expected = answer.rows;
        found.sort();
        expected.sort();
        assert_eq!(found.len(), expected.len(), "{}", answer.view);
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found, expected, "{}", answer.view);
        }
    }
    money_is_exact(&tables).await;

    // the same again: no version of any table is new
    let before = home.versions();
    for (task, sum) in home.run(&[]) {
        assert_eq!((sum.inserted, sum.updated), (0, 0), "{task}");
        let left = sum.unchanged + sum.duplicate + sum.quarantined;
        assert_eq!(sum.read, left, "{task}");
    }
    assert_eq!(home.versions(), before);

    another_reader_sees_how_files_are_laid_out(&home, &tables, &world).await;
}

/// The dimensions and facts are those of the files once every mended mistake is set right.
async fn what_was_mended_is_right(tables: &Tables, world: &World, mended: &BTreeMap<String, u64>) {
    for table in FILES {
        assert!(mended[table] > 2, "{mended:?}");
    }
    let doctors = world.doctors.values();
    let doctors: Vec<Vec<String>> = doctors
        .map(|doctor| {
            let years = doctor.years.to_string();
            vec![
                doctor.id.clone(),
                doctor.name.clone(),
                doctor.department.clone(),
                years,
            ]
        })
        .collect();
    let sql = "SELECT * FROM core.dim_doctors ORDER BY doctor_id";
    let (header, found) = tables.ask(sql).await;
    assert_eq!(
        header.join(" "),
        "doctor_id doctor_name department years_experience"
    );
    assert_eq!(found, doctors);

    let sql = "SELECT p.patient_id, p.patient_name, p.gender, p.country, s.birth_date FROM core.dim_patients p
        JOIN silver.patients s ON s.patient_id = p.patient_id ORDER BY p.patient_id";
    let patients = world.patients.values().map(|patient| {
        let born = patient.born.to_string();
        let texts = [
            &patient.id,
            &patient.name,
            &patient.gender,
            &patient.country,
            &born,
        ];
        texts.map(String::clone).to_vec()
    });
    assert_eq!(tables.rows(sql).await, patients.collect::<Vec<_>>());
    let (header, _) = tables.ask("SELECT * FROM core.dim_patients").await;
    assert_eq!(
        header.join(" "),
        "patient_id patient_name age gender country"
    );

    let (header, found) = tables
        .ask("SELECT * FROM core.dim_visits ORDER BY visit_id")
        .await;
    assert_eq!(
        header.join(" "),
        "visit_id patient_id doctor_id department visit_date follow_up_required"
    );
    let visits = world.visits.values().map(|visit| {
        let (day, again) = (visit.day.to_string(), visit.follow_up.to_string());
        let texts = [
            &visit.id,
            &visit.patient,
            &visit.doctor,
            &visit.department,
            &day,
            &again,
        ];
        texts.map(String::clone).to_vec()
    });
    assert_eq!(found, visits.collect::<Vec<_>>());

    let sql = "SELECT * FROM core.fact_treatments ORDER BY treatment_id";
    let (header, found) = tables.ask(sql).await;
    assert_eq!(
        header.join(" "),
        "treatment_id visit_id treatment_type treatment_cost insurance_provider"
    );
    let treatments = world.treatments.values().map(|treatment| {
        let cost = format!("{}.{:02}", treatment.cost / 100, treatment.cost % 100);
        let texts = [
            &treatment.id,
            &treatment.visit,
            &treatment.kind,
            &cost,
            &treatment.insurer,
        ];
        texts.map(String::clone).to_vec()
    });
    assert_eq!(found, treatments.collect::<Vec<_>>());
}

/// Names of the models in a folder.
pub fn models(folder: &Path) -> Vec<String> {
    let files = folder.read_dir().expect("a folder");
    let names = files.filter_map(|file| {
        let name = file.expect("a file").file_name();
        let name = name.to_str().expect("a name");
        name.strip_suffix(".sql").map(str::to_owned)
    });
    names.collect()
}

/// No column of gold or of a mart is a float.
async fn money_is_exact(tables: &Tables) {
    let dag = Path::new(env!("CARGO_MANIFEST_DIR")).join("dags/hospital/models");
    for layer in ["core", "gold", "marts"] {
        for name in models(&dag.join(layer)) {
            let (header, _) = tables
                .ask(&format!("SELECT * FROM {layer}.{name} LIMIT 0"))
                .await;
            let types: Vec<String> = header
                .iter()
                .map(|column| format!("arrow_typeof(\"{column}\")"))
                .collect();
            let sql = format!("SELECT {} FROM {layer}.{name} LIMIT 1", types.join(", "));
            for (column, of) in header.iter().zip(&tables.rows(&sql).await[0]) {
                assert!(!of.starts_with("Float"), "{layer}.{name}.{column} is {of}");
                let is_money = [
                    "cost",
                    "revenue",
                    "paid",
                    "billed",
                    "outstanding",
                    "rate",
                    "pct",
                ];
                if column.split('_').any(|part| is_money.contains(&part)) {
                    assert!(of.starts_with("Decimal"), "{layer}.{name}.{column} is {of}");
                }
            }
        }
    }
}

const LAYOUT: &str = "
import json, sys
from deltalake import DeltaTable
told = {}
for name in sys.argv[2:]:
    table = DeltaTable(sys.argv[1] + '/' + name.replace('.', '/'))
    last = table.history(1)[0]
    told[name] = {
        'partitioned by': table.metadata().partition_columns,
        'partitions': sorted(list(part.values())[0] for part in table.partitions()),
        'operation': last['operation'],
        'zorder by': last.get('zOrderBy'),
        'rows': table.count(),
    }
print(json.dumps(told))
";

/// Reads the Delta logs with the library for Python.
async fn another_reader_sees_how_files_are_laid_out(home: &Home, tables: &Tables, world: &World) {
    let Some(python) = python_with("deltalake") else {
        return;
    };
    let lake = home.test.home().join("state/lake/hospital");
    let lake = lake.to_str().expect("a path");
    let told = python.run(
        LAYOUT,
        &[
            lake,
            "silver.patients",
            "silver.visits",
            "core.fact_treatments",
        ],
    );
    let told: Value = serde_json::from_str(&told).expect("JSON");
    for (table, column) in [
        ("silver.patients", "country"),
        ("silver.visits", "department"),
    ] {
        let sql = format!("SELECT DISTINCT {column} FROM {table} ORDER BY 1");
        let values: Vec<String> = tables.rows(&sql).await.concat();
        assert!(values.len() > 5, "{values:?}");
        assert_eq!(told[table]["partitioned by"], serde_json::json!([column]));
        assert_eq!(told[table]["partitions"], serde_json::json!(values));
    }
    assert_eq!(told["silver.patients"]["rows"], world.patients.len());
    assert_eq!(told["silver.visits"]["rows"], world.visits.len());
    let facts = &told["core.fact_treatments"];
    assert_eq!(facts["operation"], "OPTIMIZE", "{facts}");
    let columns = facts["zorder by"].to_string();
    assert!(columns.contains("treatment_type"), "{facts}");
    assert_eq!(facts["rows"], world.treatments.len());
}
