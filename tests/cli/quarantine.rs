//! `galen quarantine …` on a small ward.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::galen::{Said, galen};

const DAG: &str = r#"dag_id: ward
tables: tables.sql
params: {rows: 0}
tasks:
  - {task_id: stage, operator: ingest, with: {source: {csv: "in/*.csv"}, into: beds_staging, key: [bed]}}
  - {task_id: load, operator: process, depends_on: [stage], with: {from: beds_staging, targets: beds.yaml, max_rows: "{{ params.rows }}"}}
  - {task_id: count, operator: models, depends_on: [load]}
"#;
const TABLES: &str = "CREATE TABLE IF NOT EXISTS beds (bed TEXT PRIMARY KEY, width BIGINT);";
const BEDS: &str = "targets: [{table: beds, key: {bed: bed}, columns: {width: width}}]\n";

fn home() -> TempDir {
    let home = tempfile::tempdir().expect("home");
    write(home.path(), "dags/ward/dag.yaml", DAG);
    write(home.path(), "dags/ward/tables.sql", TABLES);
    write(home.path(), "dags/ward/beds.yaml", BEDS);
    let model = "SELECT count(*) AS beds FROM op.beds\n";
    write(home.path(), "dags/ward/models/gold/beds.sql", model);
    home
}

fn write(home: &Path, name: &str, text: &str) {
    let path = home.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("folder");
    fs::write(path, text).expect("file");
}

fn sound(said: Said) -> String {
    assert_eq!(said.code, 0, "{said}");
    said.out
}

#[test]
fn replay_says_what_goes_with_it_and_goes_on_to_the_models() {
    let home = home();
    let galen = |args: &[&str]| galen(home.path(), args);
    write(home.path(), "in/1.csv", "bed,width\na,1\nb,2 m\nc,3\n");
    sound(galen(&["run", "ward"]));
    write(home.path(), "in/2.csv", "bed,width\nd,4\ne,5\n");
    sound(galen(&["run", "ward", "--task", "stage"]));

    let list = sound(galen(&["quarantine", "list", "ward", "--json"]));
    assert!(list.contains(r#""key":"b""#), "{list}");
    let show = sound(galen(&["quarantine", "show", "ward", "1"]));
    let place = show.lines().find_map(|line| line.strip_prefix("archived"));
    let archived = fs::read_to_string(home.path().join(place.expect("a place").trim()));
    assert!(archived.expect("a file").contains("b,2 m"));

    let mended = BEDS.replace("width: width", "width: \"REPLACE(width, ' m', '')\"");
    write(home.path(), "dags/ward/beds.yaml", &mended);
    let replay = galen(&["quarantine", "replay", "ward"]);
    assert_eq!(replay.code, 0, "{replay}");
    let expected = "1 records go through again, with 2 that waited already\n";
    assert!(replay.err.starts_with(expected), "{replay}");
    let beds = sound(galen(&[
        "query",
        "ward",
        "SELECT beds FROM gold.beds",
        "--format",
        "csv",
    ]));
    assert_eq!(beds, "beds\n5\n");
}

#[test]
fn records_beside_a_table_of_a_layer_are_judged_by_a_run() {
    let home = home();
    let args = [
        "quarantine",
        "replay",
        "ward",
        "--from",
        "silver.beds_quarantine",
    ];
    let said = galen(home.path(), &args);
    assert_eq!(said.code, 2, "{said}");
    assert!(
        said.err
            .contains("hint: each run judges all of them anew: `galen run ward`"),
        "{said}"
    );
}
