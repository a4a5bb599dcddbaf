//! A run that publishes to each kind of place, through the binary.

use std::path::Path;

use sqlx::{Connection, PgConnection, SqliteConnection};

use crate::cli::galen::{command, said};
use crate::support::{TestDatabase, delta_rows, parquet_rows};

const DAG: &str = "
dag_id: clinic
tables: tables.sql
params: {note: {type: string, default: first}}
tasks:
  - {task_id: load, operator: sql, with: {statements: [\"INSERT INTO visits (id, note) VALUES (1, '{{ params.note }}'), (2, NULL) ON CONFLICT (id) DO UPDATE SET note = excluded.note\"]}}
  - {task_id: build, operator: models, depends_on: [load]}
  - {task_id: csv, operator: publish, depends_on: [build], with: {select: 'layer:gold', to: csv, path: out}}
  - {task_id: parquet, operator: publish, depends_on: [build], with: {select: 'layer:gold', to: parquet, path: out}}
  - {task_id: sqlite, operator: publish, depends_on: [build], with: {select: 'layer:gold', to: sqlite, path: out/dw.db}}
  - {task_id: delta, operator: publish, depends_on: [build], with: {select: 'layer:gold', to: delta, path: out}}
";
const POSTGRES: &str = "  - {task_id: postgres, operator: publish, depends_on: [build], with: {select: 'layer:gold', to: postgres, url_variable: DW_URL}}\n";

/// Writes the DAG, with a task for PostgreSQL when there is a server.
fn prepare(home: &Path, url: Option<&str>) {
    let files = [
        ("dag.yaml", [DAG, url.map_or("", |_| POSTGRES)].concat()),
        (
            "tables.sql",
            "CREATE TABLE IF NOT EXISTS visits (id BIGINT PRIMARY KEY, note TEXT);".to_owned(),
        ),
        (
            "models/gold/visits.sql",
            "-- unique_key: id\nSELECT id, note FROM op.visits".to_owned(),
        ),
    ];
    for (path, text) in files {
        let path = home.join("dags/clinic").join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
}

/// Runs the DAG in a process of its own.
fn run(home: &Path, url: Option<&str>, note: &str) {
    let param = format!("note={note}");
    let mut command = command(home, &["run", "clinic", "--param", &param]);
    command.env("DW_URL", url.unwrap_or_default());
    let said = said(command);
    assert_eq!(said.code, 0, "{said}");
    assert!(!said.err.contains(note), "no value in what is said: {said}");
}

/// What is in each place, by its kind.
async fn published(home: &Path, url: Option<&str>) -> Vec<(&'static str, String)> {
    let out = home.join("out");
    let csv = std::fs::read_to_string(out.join("gold.visits.csv")).expect("a file");
    let sql = "SELECT id, note FROM it ORDER BY id";
    let parquet = parquet_rows(&out.join("gold.visits.parquet"), sql).await;
    let delta = delta_rows(&out.join("gold.visits"), sql).await;
    let lines = "SELECT group_concat(id || ',' || coalesce(note, ''), '|') FROM visits";
    let path = format!("sqlite://{}", out.join("dw.db").display());
    let mut conn = SqliteConnection::connect(&path).await.expect("a database");
    let sqlite: String = sqlx::query_scalar(lines)
        .fetch_one(&mut conn)
        .await
        .expect("rows");
    let mut found = vec![
        ("csv", csv.lines().skip(1).collect::<Vec<_>>().join("|")),
        ("parquet", parquet.join("|")),
        ("delta", delta.join("|")),
        ("sqlite", sqlite),
    ];
    if let Some(url) = url {
        let mut conn = PgConnection::connect(url).await.expect("the server");
        let lines = "SELECT string_agg(id || ',' || coalesce(note, ''), '|' ORDER BY id) FROM clinic_dw.visits";
        let rows = sqlx::query_scalar(lines).fetch_one(&mut conn).await;
        found.push(("postgres", rows.expect("rows")));
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_twice_leaves_the_same_in_every_place() {
    let home = tempfile::tempdir().expect("home");
    let test = TestDatabase::postgres().await;
    let url = test.as_ref().and_then(TestDatabase::url);
    prepare(home.path(), url);
    for note in ["first", "first", "second"] {
        run(home.path(), url, note);
        for (place, rows) in published(home.path(), url).await {
            assert_eq!(rows, format!("1,{note}|2,"), "{place}");
        }
    }
}
