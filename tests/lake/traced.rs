//! Rows of models traced to files and lines, through the binary.

use std::path::Path;

use galen::base::sha256;
use serde_json::Value;

use crate::cli::galen::{Said, galen};

const DAG: &str = "
dag_id: clinic
tables: tables.sql
tasks:
  - {task_id: land, operator: ingest, with: {source: {csv: 'raw/*.csv'}, into: bronze.bills}}
  - {task_id: clean, operator: clean, depends_on: [land], with: {from: bronze.bills, into: silver.bills, rules: rules}}
  - {task_id: stage, operator: ingest, with: {source: {csv: people.csv}, into: people_staging, key: [id]}}
  - {task_id: load, operator: process, depends_on: [stage], with: {from: people_staging, targets: people.yaml}}
  - {task_id: build, operator: models, depends_on: [clean, load]}
";
const TARGETS: &str = "targets: [{table: people, key: {id: id}, columns: {town: town}}]";
const FILES: [(&str, &str); 9] = [
    ("dags/clinic/dag.yaml", DAG),
    ("dags/clinic/people.yaml", TARGETS),
    (
        "dags/clinic/tables.sql",
        "CREATE TABLE IF NOT EXISTS people (id TEXT PRIMARY KEY, town TEXT);",
    ),
    (
        "dags/clinic/rules/cleansing_rules.csv",
        "table_name,column_name,cleanse_type,seq_no,is_active\nbills,id,cast:integer,1,Y\n",
    ),
    (
        "dags/clinic/rules/dq_rule_config.csv",
        "table_name,column_name,rule_type,rule_condition,rule_desc,is_active\nbills,person,NOT_NULL,,nobody pays,Y\n",
    ),
    (
        "dags/clinic/models/models.yaml",
        "sources:\n- name: bronze.bills\n  columns: [{name: id}, {name: person}]\n",
    ),
    (
        "dags/clinic/models/gold/towns.sql",
        "-- unique_key: town\nSELECT p.town, count(*) AS n FROM silver.bills b JOIN op.people p ON p.id = b.person GROUP BY p.town",
    ),
    ("raw/a.csv", "id,person\n1,zoe\n2,bob\nx,bob\n"),
    ("raw/b.csv", "id,person\n4,zoe\n5,\n6\n7,\n"),
];
const PEOPLE: &str = "id,town\nzoe,Rome\nbob,Oslo\nann,Rome\n";

fn write(home: &Path, path: &str, text: &str) {
    let path = home.join(path);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path, text).expect("a file");
}

fn succeeds(said: Said) -> Said {
    assert_eq!(said.code, 0, "{said}");
    said
}

#[test]
fn a_row_is_traced_to_its_lines_and_no_value_is_shown() {
    let home = tempfile::tempdir().expect("home");
    for (path, text) in FILES {
        write(home.path(), path, text);
    }
    write(home.path(), "people.csv", PEOPLE);
    succeeds(galen(home.path(), &["run", "clinic"]));
    let said = |args: &[&str]| succeeds(galen(home.path(), args));

    let trace = said(&["trace", "clinic", "gold.towns", "Rome"]);
    assert!(!trace.to_string().contains("zoe"), "{trace}");
    let steps: Vec<&str> = trace.out.lines().take(4).collect();
    assert_eq!(
        steps,
        [
            "table         rows  made by",
            "gold.towns       1  models/gold/towns.sql",
            "op.people        1  -",
            "silver.bills     2  -",
        ]
    );
    let trace = said(&["trace", "clinic", "gold.towns", "Rome", "--json"]);
    let trace: Value = serde_json::from_str(&trace.out).expect("JSON");
    let [people, bills] = &trace["sources"].as_array().expect("sources")[..] else {
        panic!("{trace}");
    };
    let records = people["records"].as_array().expect("records");
    assert_eq!(records.len(), 1);
    assert_eq!(
        (&records[0]["file"], &records[0]["line"]),
        (&Value::from("people.csv"), &Value::from(2))
    );
    assert_eq!(records[0]["record_hash"], sha256("zoe,Rome").to_string());
    let places: Vec<String> = bills["records"]
        .as_array()
        .expect("records")
        .iter()
        .map(|record| {
            format!(
                "{}:{}",
                record["file"].as_str().expect("a file"),
                record["line"]
            )
        })
        .collect();
    assert_eq!(places, ["raw/a.csv:2", "raw/b.csv:2"]);
    assert_eq!(
        bills["files"][0]["file_hash"],
        sha256(FILES[7].1).to_string()
    );
    assert_eq!(bills["unknown"], 0);

    let one = said(&["trace", "clinic", "gold.towns", "Rome", "--limit", "1"]);
    assert!(
        one.err
            .contains("1 of 2 records of `silver.bills`; `--limit` shows more"),
        "{one}"
    );
    // tables that no model makes, directly
    let trace = said(&["trace", "clinic", "silver.bills", "--key", "id=4"]);
    assert!(
        trace.out.contains("silver.bills  raw/b.csv     2  "),
        "{trace}"
    );
    let trace = said(&["trace", "clinic", "bronze.bills", "--key", "person=bob"]);
    assert!(trace.out.contains("bronze.bills     2"), "{trace}");
    let aside = [
        "trace",
        "clinic",
        "bronze.bills_quarantine",
        "--key",
        "reason=ragged",
    ];
    assert!(said(&aside).out.contains("raw/b.csv     4"), "{trace}");
    let refused = galen(
        home.path(),
        &["trace", "clinic", "people", "--key", "id=zoe"],
    );
    assert!(
        refused.err.contains("`--key` is for tables of a layer"),
        "{refused}"
    );

    // what was set aside on the way
    let listed = said(&["quarantine", "list", "clinic", "--json"]);
    let listed: Value = serde_json::from_str(&listed.out).expect("JSON");
    let records: Vec<String> = listed
        .as_array()
        .expect("records")
        .iter()
        .map(|record| {
            format!(
                "{} {}:{} {}",
                record["from"], record["file"], record["line"], record["reasons"]
            )
            .replace('"', "")
        })
        .collect();
    assert_eq!(
        records,
        [
            "bronze.bills_quarantine raw/b.csv:4 [ragged]",
            "silver.bills_quarantine raw/a.csv:4 [id: bad_number]",
            "silver.bills_quarantine raw/b.csv:3 [nobody pays]",
            "silver.bills_quarantine raw/b.csv:5 [nobody pays]",
        ]
    );
    let counted = said(&[
        "quarantine",
        "list",
        "clinic",
        "--by-reason",
        "--from",
        "silver.bills_quarantine",
    ]);
    let lines: Vec<&str> = counted.out.lines().collect();
    assert_eq!(
        lines,
        [
            "from                     reason          records",
            "silver.bills_quarantine  id: bad_number        1",
            "silver.bills_quarantine  nobody pays           2",
        ]
    );
    let some = said(&["quarantine", "list", "clinic", "--reason", "nobody pays"]);
    assert_eq!(some.out.lines().count(), 3, "{some}");

    // the same rows give the same bytes, whoever brought them
    let export = said(&["export", "clinic", "silver.bills"]);
    assert_eq!(export.out, "id,person\n1,zoe\n2,bob\n4,zoe\n");
    let all = said(&["export", "clinic", "silver.bills", "--all"]);
    assert!(
        all.out.starts_with(
            "id,person,_file,_file_hash,_line,_hash,_run_id,_loaded_at\n1,zoe,raw/a.csv,"
        ),
        "{all}"
    );
}
