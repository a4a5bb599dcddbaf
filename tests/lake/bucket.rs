//! The lake in an object store.

use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::cli::galen::{Said, command, said};
use crate::support::{S3, SECRET};

const DAG: &str = "
dag_id: clinic
tables: tables.sql
default_args: {retries: 5, retry_delay: 1s}
params: {cost: {type: integer, default: 1}}
tasks:
  - {task_id: land, operator: ingest, with: {source: {csv: 'raw/*.csv'}, into: bronze.bills}}
  - {task_id: clean, operator: clean, depends_on: [land], with: {from: bronze.bills, into: silver.bills, rules: rules}}
  - {task_id: load, operator: sql, with: {statements: [\"INSERT INTO visits (id, cost) VALUES (1, 1), (2, {{ params.cost }}) ON CONFLICT (id) DO UPDATE SET cost = excluded.cost\"]}}
  - {task_id: build, operator: models, depends_on: [clean, load]}
  - {task_id: publish, operator: publish, depends_on: [build], with: {select: 'layer:gold', to: delta, path: 's3://bucket/out'}}
";
const FILES: [(&str, &str); 6] = [
    (
        "tables.sql",
        "CREATE TABLE IF NOT EXISTS visits (id BIGINT PRIMARY KEY, cost BIGINT);",
    ),
    (
        "rules/cleansing_rules.csv",
        "table_name,column_name,cleanse_type,seq_no,is_active\nbills,id,cast:integer,1,Y\n",
    ),
    (
        "models/models.yaml",
        "sources:\n- name: bronze.bills\n  columns: [{name: id}]\n",
    ),
    (
        "models/core/visits.sql",
        "-- {materialized: incremental, unique_key: id, optimize: true}\nSELECT id, cost FROM op.visits",
    ),
    (
        "models/core/history.sql",
        "-- {materialized: scd2, unique_key: id, vacuum: 0s}\nSELECT id, cost FROM op.visits",
    ),
    (
        "models/gold/sums.sql",
        "-- {unique_key: id, partition_by: id, drops: true}\nSELECT b.id, v.cost FROM silver.bills b JOIN core.visits v ON v.id = b.id",
    ),
];

/// A home folder with the DAG and a file of bills `first..=last`, one of which cannot be read.
fn home(first: u32, last: u32) -> TempDir {
    let home = tempfile::tempdir().expect("home");
    let folder = home.path().join("dags/clinic");
    for (path, text) in FILES.iter().chain(&[("dag.yaml", DAG)]) {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
    let bills: String = (first..=last).map(|id| format!("{id}\n")).collect();
    let raw = home.path().join("raw");
    std::fs::create_dir_all(&raw).expect("a folder");
    std::fs::write(
        raw.join(format!("{first}.csv")),
        format!("id\n{bills}{first},x\n"),
    )
    .expect("a file");
    home
}

fn galen(s3: &S3, home: &Path, args: &[&str]) -> Said {
    let mut command = command(home, args);
    command.envs(s3.environment());
    let said = said(command);
    assert!(!said.to_string().contains(SECRET), "{said}");
    said
}

fn succeeds(said: Said) -> String {
    assert_eq!(said.code, 0, "{said}");
    said.out
}

#[test]
fn a_run_is_the_same_in_a_bucket_as_on_disk() {
    let Some(s3) = S3::start() else { return };
    let home = home(1, 3);
    let all = |args: &[&str]| succeeds(galen(&s3, home.path(), args));
    let query = |sql: &str| all(&["query", "clinic", sql, "--format", "csv"]);
    for (cost, expected) in [
        ("5", "1,1\n2,5\n"),
        ("5", "1,1\n2,5\n"),
        ("7", "1,1\n2,7\n"),
    ] {
        all(&["run", "clinic", "--param", &format!("cost={cost}")]);
        assert_eq!(
            query("SELECT * FROM gold.sums ORDER BY id"),
            format!("id,cost\n{expected}")
        );
    }
    assert_eq!(
        query("SELECT cost, is_current FROM core.history WHERE id = 2 ORDER BY version"),
        "cost,is_current\n5,false\n7,true\n"
    );
    let tables = all(&["tables", "clinic"]);
    for table in [
        "bills             bronze",
        "bills_quarantine  bronze",
        "visits            core",
        "sums              gold",
    ] {
        assert!(tables.contains(table), "{table} in\n{tables}");
    }
    assert_eq!(all(&["export", "clinic", "silver.bills"]), "id\n1\n2\n3\n");
    let past = [
        "query",
        "clinic",
        "SELECT cost FROM gold.sums WHERE id = 2",
        "--at",
        "0",
        "--format",
        "csv",
    ];
    assert_eq!(all(&past), "cost\n5\n");
    let early = [
        "query",
        "clinic",
        "SELECT cost FROM gold.sums",
        "--at",
        "2001-01-01",
    ];
    assert!(
        galen(&s3, home.path(), &early)
            .err
            .contains("no such version")
    );
    let trace = all(&["trace", "clinic", "gold.sums", "2"]);
    assert!(trace.contains("silver.bills  raw/1.csv     3"), "{trace}");
    let aside = all(&["quarantine", "list", "clinic"]);
    assert!(aside.contains("raw/1.csv     5  -    ragged"), "{aside}");
    // nothing but locks and notes on this machine
    let pattern = format!("{}/state/lake/**/*.parquet", home.path().display());
    assert_eq!(glob::glob(&pattern).expect("a pattern").count(), 0);
    // what was published is a table of its own
    let elsewhere = [("GALEN_LAKE__LOCATION", "s3://bucket/nothing")];
    let mut none = command(home.path(), &["query", "clinic", "SELECT * FROM gold.sums"]);
    none.envs(s3.environment()).envs(elsewhere);
    assert!(said(none).err.contains("was not built yet"));
}

#[test]
fn two_machines_land_in_one_table_at_once_and_lose_nothing() {
    let Some(s3) = S3::start() else { return };
    let homes = [home(1, 400), home(1001, 1400)];
    let land = |home: &TempDir| {
        let mut command = command(home.path(), &["run", "clinic", "--task", "land"]);
        command
            .envs(s3.environment())
            .env("GALEN_LAKE__CHUNK_RECORDS", "1");
        command.spawn().expect("it starts")
    };
    let running = homes.each_ref().map(land);
    for process in running {
        let output = process.wait_with_output().expect("its end");
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{err}");
    }
    let sql = "SELECT count(*), count(DISTINCT id), sum(CAST(id AS BIGINT)) FROM bronze.bills";
    let rows = succeeds(galen(
        &s3,
        homes[0].path(),
        &["query", "clinic", sql, "--format", "csv"],
    ));
    assert_eq!(rows.lines().nth(1), Some("800,800,560400"));
}

#[test]
fn what_cannot_be_reached_is_said_without_what_is_secret() {
    let Some(s3) = S3::start() else { return };
    let home = home(1, 1);
    let ask = |changed: (&str, &str)| {
        let mut command = command(home.path(), &["tables", "clinic"]);
        command.envs(s3.environment()).env(changed.0, changed.1);
        let said = said(command);
        assert!(!said.to_string().contains(SECRET), "{said}");
        said
    };
    let absent = ask(("GALEN_LAKE__LOCATION", "s3://other/lake"));
    assert!(
        absent
            .err
            .contains("there is no bucket for `s3://other/lake/clinic`"),
        "{absent}"
    );
    let wrong = ask(("GALEN_LAKE__LOCATION", "gs://bucket/lake"));
    assert_eq!(wrong.code, 2, "{wrong}");
    assert!(
        wrong
            .err
            .contains("expected a folder or `s3://bucket/prefix`"),
        "{wrong}"
    );
    let half = ask(("GALEN_S3__ENDPOINT", "bucket.example.org"));
    assert!(
        half.err
            .contains("expected `https://host` or `http://host:port`"),
        "{half}"
    );
}

#[test]
fn the_doctor_looks_at_the_bucket() {
    let Some(s3) = S3::start() else { return };
    let home = home(1, 1);
    let ask = |changed: &[(&str, &str)]| {
        let mut command = command(home.path(), &["doctor", "--json"]);
        command.envs(s3.environment()).envs(changed.iter().copied());
        let said = said(command);
        assert!(!said.to_string().contains(SECRET), "{said}");
        let checks: Vec<Value> = serde_json::from_str(&said.out).expect("checks");
        let lake = checks.into_iter().find(|check| check["check"] == "lake");
        (said.code, lake.expect("a check of the lake"))
    };
    let (code, lake) = ask(&[]);
    assert_eq!((code, &lake["status"]), (0, &"ok".into()), "{lake}");
    assert_eq!(lake["found"], "`s3://bucket/lake` is writable");
    let (code, lake) = ask(&[("GALEN_LAKE__LOCATION", "s3://other/lake")]);
    assert_eq!((code, &lake["status"]), (1, &"failed".into()), "{lake}");
    assert_eq!(lake["found"], "there is no bucket for `s3://other/lake`");
    let fix = lake["fix"].as_str().expect("a fix");
    assert!(fix.starts_with("make the bucket"), "{fix}");
    // a folder is looked at too
    let (code, lake) = ask(&[("GALEN_LAKE__LOCATION", "raw/1.csv")]);
    assert_eq!((code, &lake["status"]), (1, &"failed".into()), "{lake}");
    let fix = lake["fix"].as_str().expect("a fix");
    assert!(fix.contains("`location` in section `[lake]`"), "{fix}");
    let left = home.path().join("raw");
    assert_eq!(std::fs::read_dir(left).expect("the folder").count(), 1);
}
