//! The demo: on a copy of the sample DAGs and data, on both databases.

use std::path::Path;

use super::galen::{Said, command, said};
use crate::support::{TestDatabase, copy, databases};

/// Runs a verb on the database's installation.
fn galen(database: &TestDatabase, args: &[&str]) -> Said {
    let mut command = command(database.home(), args);
    if let Some(url) = database.url() {
        command.env("GALEN_DATABASE_URL", url);
    }
    said(command)
}

/// Every operational table but the audit log, which holds times, as the export writes it.
fn exports(database: &TestDatabase) -> Vec<(String, String)> {
    let tables = galen(database, &["tables", "efiche", "--json"]);
    let tables: Vec<serde_json::Value> = serde_json::from_str(&tables.out).expect("json");
    let names = tables.iter().filter(|table| table["layer"] == "op");
    names
        .map(|table| table["table"].as_str().expect("name").to_owned())
        .filter(|table| table != "audit_log")
        .map(|table| {
            let export = galen(database, &["export", "efiche", &table]);
            assert_eq!(export.code, 0, "{table}: {}", export.err);
            (table, export.out)
        })
        .collect()
}

#[tokio::test]
async fn a_second_demo_changes_no_row_and_both_databases_agree() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = Vec::new();
    for database in databases().await {
        // what does not touch the database need not be done on both
        let dags = match all.is_empty() {
            true => "dags",
            false => "dags/efiche",
        };
        for folder in [dags, "data_sample"] {
            copy(&root.join(folder), &database.home().join(folder));
        }
        let demo = ["demo", "--no-serve", "--scale", "tiny", "--json"];
        let first = galen(&database, &demo);
        assert_eq!(first.code, 0, "{}: {first}", database.name);
        let once = exports(&database);
        assert!(once.iter().any(|(_, rows)| rows.lines().count() > 1_000));

        let second = galen(&database, &demo);
        assert_eq!(second.code, 0, "{}: {second}", database.name);
        let tasks: Vec<serde_json::Value> = serde_json::from_str(&second.out).expect("json");
        for task in &tasks {
            assert_eq!(
                (&task["inserted"], &task["updated"]),
                (&0.into(), &0.into()),
                "{task}"
            );
        }
        assert_eq!(exports(&database), once, "{}", database.name);

        let verified = galen(&database, &["audit", "verify"]);
        assert_eq!(verified.code, 0, "{}: {verified}", database.name);
        all.push(once);
    }
    assert!(
        all.windows(2).all(|pair| pair[0] == pair[1]),
        "the databases differ"
    );
}
