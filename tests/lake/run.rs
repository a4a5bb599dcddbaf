//! Models as tasks of a run, through the binary.

use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::cli::galen::{Said, command, galen};

const DAG: &str = "
dag_id: clinic
schedule: '@daily'
tables: tables.sql
tasks:
  - {task_id: load, operator: sql, with: {statements: [\"INSERT INTO visits (id, day) VALUES (1, '2026-01-01'), (2, '2026-01-02') ON CONFLICT DO NOTHING\"]}}
  - {task_id: first, operator: models, depends_on: [load], with: {select: 'layer:silver'}}
  - {task_id: rest, operator: models, depends_on: [first], with: {select: 'tag:late'}}
  - {task_id: end, operator: noop, depends_on: [rest]}
";

fn write(home: &Path, path: &str, text: &str) {
    let path = home.join("dags/clinic").join(path);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path, text).expect("a file");
}

fn home() -> TempDir {
    let home = tempfile::tempdir().expect("home");
    write(home.path(), "dag.yaml", DAG);
    write(
        home.path(),
        "tables.sql",
        "CREATE TABLE IF NOT EXISTS visits (id BIGINT PRIMARY KEY, day DATE);",
    );
    write(
        home.path(),
        "models/silver/visits.sql",
        "-- unique_key: id\nSELECT id, day FROM op.visits",
    );
    write(
        home.path(),
        "models/core/shown.sql",
        "-- {materialized: view, tags: late}\nSELECT id, day FROM silver.visits",
    );
    write(
        home.path(),
        "models/gold/days.sql",
        "-- {unique_key: day, tags: late}\nSELECT day, count(*) AS n FROM core.shown GROUP BY day",
    );
    write(
        home.path(),
        "models/models.yaml",
        "models:\n- name: visits\n  tests: [{row_count: {min: 1}}]\n",
    );
    home
}

fn succeeds(said: Said) -> Said {
    assert_eq!(said.code, 0, "{said}");
    said
}

#[test]
fn each_model_is_a_task_and_a_failed_test_stops_what_follows() {
    let home = home();
    let shown = succeeds(galen(home.path(), &["dags", "show", "clinic", "--json"]));
    let shown: Value = serde_json::from_str(&shown.out).expect("json");
    let text = shown.to_string();
    for task in ["first.silver.visits", "rest.core.shown", "rest.gold.days"] {
        assert!(text.contains(task), "{text}");
    }
    succeeds(galen(home.path(), &["run", "clinic"]));
    let rows = succeeds(galen(
        home.path(),
        &[
            "query",
            "clinic",
            "SELECT * FROM gold.days ORDER BY day",
            "--format",
            "csv",
        ],
    ));
    assert_eq!(rows.out, "day,n\n2026-01-01,1\n2026-01-02,1\n");
    let tests = succeeds(galen(home.path(), &["tests", "clinic"]));
    assert!(tests.out.contains("row_count"), "{tests}");
    let typo = galen(
        home.path(),
        &["query", "clinic", "SELECT id,\n dya FROM op.visits"],
    );
    assert_eq!(
        typo.err,
        "error: line 2, column 2: no column `dya`\nhint: did you mean `day`?\n"
    );
    assert_eq!(typo.code, 2);
    for refused in [
        "DELETE FROM gold.days",
        "COPY gold.days TO 'x.csv'",
        "SELECT 1; SELECT 2",
    ] {
        assert_eq!(galen(home.path(), &["query", "clinic", refused]).code, 2);
    }

    write(
        home.path(),
        "models/models.yaml",
        "models:\n- name: visits\n  columns: [{name: day, tests: [{accepted_values: {values: ['2026-01-01']}}]}]\n",
    );
    let failed = galen(home.path(), &["run", "clinic"]);
    assert_eq!(failed.code, 1, "{failed}");
    assert!(failed.err.contains("fails for 1 of 2 rows"), "{failed}");
    let hint = "`galen tests clinic` shows thresholds, with `--json` the keys of failing rows too";
    assert!(failed.err.contains(hint), "{failed}");
    let tests = galen(home.path(), &["tests", "clinic"]);
    assert_eq!(tests.code, 1, "{tests}");
    assert!(
        !tests.out.contains("2026-01-02"),
        "values are never shown: {tests}"
    );
}

#[test]
fn killed_anywhere_and_run_again_the_tables_are_the_same() {
    let tables = ["silver.visits", "core.kept", "core.versions", "gold.days"];
    let prepared = || {
        let home = home();
        write(
            home.path(),
            "models/core/kept.sql",
            "-- {materialized: incremental, unique_key: id, tags: late, optimize: true}\nSELECT id, day FROM silver.visits",
        );
        write(
            home.path(),
            "models/core/versions.sql",
            "-- {materialized: scd2, unique_key: id, tags: late, vacuum: 0s}\nSELECT id, day FROM silver.visits",
        );
        home
    };
    let all = |home: &TempDir| {
        tables.map(|table| succeeds(galen(home.path(), &["export", "clinic", table])).out)
    };
    let run = ["run", "clinic", "--date", "2026-01-02"];
    let calm = prepared();
    succeeds(galen(calm.path(), &run));
    let expected = all(&calm);
    let stormy = prepared();
    for millis in [500, 1000, 1500, 2500] {
        let mut child = command(stormy.path(), &run).spawn().expect("it starts");
        std::thread::sleep(std::time::Duration::from_millis(millis));
        // a process that is done already cannot be killed
        let _ = child.kill();
        child.wait().expect("its end");
    }
    succeeds(galen(stormy.path(), &run));
    assert_eq!(all(&stormy), expected);
}

/// What a person wrote as one task is chosen by its name, though a run has others in its place.
#[test]
fn a_task_of_models_is_chosen_by_its_name() {
    let home = home();
    let all = |args: &[&str]| -> Vec<Value> {
        let said = succeeds(galen(home.path(), args));
        serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{said}"))
    };
    let tasks = |rows: &[Value]| -> Vec<String> {
        let names = rows.iter().filter_map(|row| row["task"].as_str());
        names.map(str::to_owned).collect()
    };
    let run = ["run", "clinic", "--task"];
    let ran = all(&[&run[..], &["+rest", "--json"]].concat());
    let group = ["rest.core.shown", "rest.gold.days"];
    let mut names = tasks(&ran);
    names.sort();
    assert_eq!(names, ["first.silver.visits", "load", group[0], group[1]]);
    let ran = all(&[&run[..], &["rest", "--json"]].concat());
    let mut names = tasks(&ran);
    names.sort();
    assert_eq!(names, group);
    let run = all(&["runs", "list", "--json"])[0]["run_id"].to_string();
    let run = run.trim_matches('"');
    let clear = [
        "tasks",
        "clear",
        run,
        "--task",
        "rest.gold",
        "--dry-run",
        "--json",
    ];
    assert_eq!(tasks(&all(&clear)), ["rest.gold.days"]);
    let unknown = galen(home.path(), &["run", "clinic", "--task", "frist"]);
    assert!(unknown.err.contains("did you mean `first`?"), "{unknown}");
}

#[test]
fn columns_are_followed_and_the_catalogue_is_written() {
    let home = home();
    let lineage = succeeds(galen(home.path(), &["lineage", "clinic", "gold.days.day"]));
    let expected = "gold.days.day  (models/gold/days.sql)\n  core.shown.day  (models/core/shown.sql)\n    silver.visits.day  (models/silver/visits.sql)\n      op.visits.day\n";
    assert_eq!(lineage.out, expected);
    let docs = succeeds(galen(home.path(), &["docs", "clinic"]));
    let page = std::fs::read_to_string(home.path().join(docs.out.trim())).expect("a page");
    for part in ["gold.days", "op.visits.day", "row_count", "<svg"] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn mistakes_in_models_are_mistakes_of_the_dag() {
    let home = home();
    write(
        home.path(),
        "models/gold/days.sql",
        "SELECT dya,\n  count(*) AS n FROM core.shwon GROUP BY dya",
    );
    write(
        home.path(),
        "models/gold/other.sql",
        "-- tags: late\nSELECT\n  iid FROM silver.visits",
    );
    let said = galen(home.path(), &["dags", "validate"]);
    assert_eq!(said.code, 2, "{said}");
    assert!(
        said.out
            .contains("dags/clinic/models/gold/days.sql:2:22: no table `core.shwon`"),
        "{said}"
    );
    assert!(said.out.contains("did you mean `core.shown`?"), "{said}");
    write(
        home.path(),
        "models/gold/days.sql",
        "-- tags: late\nSELECT day FROM core.shown",
    );
    let said = galen(home.path(), &["dags", "validate"]);
    assert!(
        said.out
            .contains("dags/clinic/models/gold/other.sql:3:3: no column `iid`"),
        "{said}"
    );
}

#[test]
fn every_mistake_of_every_model_is_in_one_report() {
    let home = home();
    write(
        home.path(),
        "models/silver/visits.sql",
        "-- unique_key: id\nSELECT id, day FROM op.visits;\n\nSELECT 2",
    );
    write(
        home.path(),
        "models/gold/days.sql",
        "SELECT dya FROM op.visits",
    );
    write(
        home.path(),
        "models/gold/lost.sql",
        "SELECT day FROM core.shwon",
    );
    write(
        home.path(),
        "models/models.yaml",
        "models:
- name: visits
  descripton: One row a visit
  columns:
  - {name: day, type: dat, tests: [{accepted_valus: {values: [a]}}]}
  - {nam: id}
- {name: shwon, tests: not_null}
sources:
- {name: bronze.visits, columns: [{name: id, type: integer, unit: none}]}
",
    );
    let said = galen(home.path(), &["dags", "validate"]);
    assert_eq!(said.code, 2, "{said}");
    insta::assert_snapshot!(said.out, @"
        dags/clinic/models/gold/days.sql:1:8: no column `dya`
          hint: did you mean `day`?
        dags/clinic/models/gold/lost.sql:1:17: no table `core.shwon`
          hint: did you mean `core.shown`?
        dags/clinic/models/models.yaml:3:3: unknown key `descripton`
          hint: did you mean `description`?
        dags/clinic/models/models.yaml:5:23: `dat` is not a type, expected text, integer, number, boolean, date, timestamp
          hint: did you mean `date`?
        dags/clinic/models/models.yaml:5:36: unknown test `accepted_valus`
          hint: did you mean `accepted_values`?
        dags/clinic/models/models.yaml:6:5: `name` is missing
        dags/clinic/models/models.yaml:6:6: unknown key `nam`
          hint: did you mean `name`?
        dags/clinic/models/models.yaml:7:10: no model `shwon`
          hint: did you mean `shown`?
        dags/clinic/models/models.yaml:7:24: expected a list
        dags/clinic/models/models.yaml:9:61: unknown key `unit`
          hint: known keys: name, description, type, tests
        dags/clinic/models/silver/visits.sql:4:1: a second statement starts here, expected one SELECT
        ");
}

#[test]
fn a_cleaned_column_is_followed_to_its_deliveries() {
    let home = tempfile::tempdir().expect("home");
    write(
        home.path(),
        "dag.yaml",
        "
dag_id: clinic
tasks:
  - {task_id: land, operator: ingest, with: {source: {csv: ['raw/{{ ds }}/*.csv', 'https://me:s3cret@there.example/v.csv?token=s3cret']}, into: bronze.visits}}
  - {task_id: clean, operator: clean, depends_on: [land], with: {from: bronze.visits, into: silver.visits, rules: rules}}
  - {task_id: merge, operator: merge, depends_on: [clean], with: {from: silver.visits, into: core.visits, key: [id]}}
  - {task_id: rest, operator: models, depends_on: [merge], with: {select: 'layer:gold'}}
",
    );
    write(
        home.path(),
        "rules/cleansing_rules.csv",
        "table_name,column_name,cleanse_type,seq_no,is_active\nvisits,day,trim,1,Y\n",
    );
    write(
        home.path(),
        "models/models.yaml",
        "sources:\n- {name: bronze.visits, columns: [{name: id}, {name: day}]}\n",
    );
    write(
        home.path(),
        "models/gold/days.sql",
        "SELECT day FROM core.visits",
    );
    let lineage = galen(home.path(), &["lineage", "clinic", "gold.days.day"]);
    insta::assert_snapshot!(lineage, @"
        out: gold.days.day  (models/gold/days.sql)
        out:   core.visits.day  (task merge)
        out:     silver.visits.day  (task clean)
        out:       bronze.visits.day  (task land)
        out:         raw/{{ ds }}/*.csv
        out:         https://there.example/v.csv
        exit: 0
        ");
    let lineage = galen(home.path(), &["lineage", "clinic", "silver.visits.day"]);
    insta::assert_snapshot!(lineage, @"
        out: silver.visits.day  (task clean)
        out:   bronze.visits.day  (task land)
        out:     raw/{{ ds }}/*.csv
        out:     https://there.example/v.csv
        exit: 0
        ");
    let table = galen(home.path(), &["lineage", "clinic", "silver.visits"]);
    insta::assert_snapshot!(table, @"
        err: error: `silver.visits` is not a column, expected `layer.table.column`
        err: hint: its columns: id, day, _file, _file_hash, _line, _hash, _run_id, _loaded_at
        exit: 2
        ");
}
