//! An installation that its reader may not write.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::galen::{Said, galen, said};

const DAG: &str = "
dag_id: clinic
tables: tables.sql
tasks:
  - {task_id: load, operator: sql, with: {statements: [\"INSERT INTO visits (id) VALUES (1), (2)\"]}}
  - {task_id: build, operator: models, depends_on: [load]}
";

fn home() -> TempDir {
    let home = tempfile::tempdir().expect("home");
    let dag = home.path().join("dags/clinic");
    std::fs::create_dir_all(dag.join("models/gold")).expect("dags");
    for (name, text) in [
        ("dag.yaml", DAG),
        (
            "tables.sql",
            "CREATE TABLE IF NOT EXISTS visits (id BIGINT PRIMARY KEY);",
        ),
        ("models/gold/all.sql", "SELECT count(*) AS n FROM op.visits"),
    ] {
        std::fs::write(dag.join(name), text).expect("a file");
    }
    let run = galen(home.path(), &["run", "clinic"]);
    assert_eq!(run.code, 0, "{run}");
    home
}

/// Gives `mode` to everything under `folder`; folders can be entered whatever it is.
fn change(folder: &Path, mode: u32) {
    let pattern = format!("{}/**/*", folder.display());
    let inside = glob::glob(&pattern).expect("a pattern").flatten();
    for path in inside.chain([folder.to_owned()]) {
        let mode = if path.is_dir() { mode | 0o111 } else { mode };
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("a mode");
    }
}

/// `galen` as somebody to whom modes mean something; `None`, with a word, where there is nobody.
fn as_reader(home: &Path, args: &[&str]) -> Option<Said> {
    if !rustix::process::geteuid().is_root() {
        return Some(galen(home, args));
    }
    let mut command = Command::new("setpriv");
    command
        .arg("--bounding-set=-dac_override,-dac_read_search")
        .arg(env!("CARGO_BIN_EXE_galen"))
        .args(args)
        .current_dir(home)
        .env_remove("GALEN_DATABASE_URL")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let there = Command::new("setpriv").arg("--version").output();
    if there.is_err() {
        eprintln!("skipped: root may write everything, and `setpriv` is not here");
        return None;
    }
    Some(said(command))
}

#[test]
fn who_may_only_read_can_look_at_everything() {
    let home = home();
    let state = home.path().join("state");
    change(&state, 0o444);
    let select = "SELECT n FROM gold.all";
    for (args, shows) in [
        (&["tables", "clinic"][..], "visits"),
        (&["export", "clinic", "visits"], "id\n1\n2\n"),
        (&["query", "clinic", select, "--format", "csv"], "n\n2\n"),
        (
            &["query", "clinic", "SELECT sum(id) AS s FROM op.visits"],
            "3",
        ),
        (&["runs", "list"], "success"),
        (&["audit", "verify"], "hold"),
        (&["tests", "clinic"], ""),
    ] {
        let Some(said) = as_reader(home.path(), args) else {
            return;
        };
        assert_eq!(said.code, 0, "{args:?}: {said}");
        assert!(said.out.contains(shows), "{args:?}: {said}");
    }
    let refused = as_reader(home.path(), &["run", "clinic"]).expect("a reader");
    assert_eq!(refused.code, 2, "{refused}");
    let expected = "error: database `./state/galen.db` cannot be written\nhint: make the file and its folder writable for this user\n";
    assert_eq!(refused.err, expected);

    // what cannot be looked at was not changed
    for file in ["galen.db", "records/clinic.db"] {
        change(&state, 0o444);
        let mode = std::fs::Permissions::from_mode(0o000);
        std::fs::set_permissions(state.join(file), mode).expect("a mode");
        let verified = as_reader(home.path(), &["audit", "verify"]).expect("a reader");
        assert_eq!(verified.code, 2, "{verified}");
        let named = format!("error: `./state/{file}`: the database file cannot be opened");
        assert!(verified.err.contains(&named), "{verified}");
    }
    change(&state, 0o644);
}
