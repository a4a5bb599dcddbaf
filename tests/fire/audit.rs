//! Proof that the record of a real run is whole, by Galen and without it.

use std::io::Write;
use std::process::{Command, Stdio};

use galen::base::DagId;
use galen::db::Database;
use galen::records::Records;

use super::home::Home;
use crate::cli::galen::said;
use crate::support::TestDatabase;

/// The script of README.md.
fn script() -> String {
    let readme = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(readme).expect("README.md");
    let (_, from) = readme.split_once("```python\n").expect("a script");
    let (script, _) = from.split_once("```").expect("its end");
    script.to_owned()
}

/// What the script says of these lines, and whether it accepts them; `None`, with a word, without Python.
fn outside(lines: &[&str]) -> Option<(bool, String)> {
    let mut python = Command::new("python3");
    python.args(["-c", &script()]);
    python.stdin(Stdio::piped()).stdout(Stdio::piped());
    let Ok(mut python) = python.stderr(Stdio::piped()).spawn() else {
        eprintln!("skipped: `python3` is absent");
        return None;
    };
    let mut input = python.stdin.take().expect("its input");
    // it stops reading at the first line that is wrong
    let _ = input.write_all(lines.join("\n").as_bytes());
    drop(input);
    let ended = python.wait_with_output().expect("its end");
    let said = [ended.stdout, ended.stderr].concat();
    Some((
        ended.status.success(),
        String::from_utf8(said).expect("text"),
    ))
}

fn ran() -> Home {
    let home = Home::new(TestDatabase::sqlite());
    home.deliver(20);
    let task = ["run", "efiche", "--task", "+load_padchest"];
    home.galen(&task);
    home
}

#[test]
fn a_script_with_nothing_but_sha_256_verifies_the_export() {
    let home = ran();
    let export = home.galen(&["audit", "export"]);
    let lines: Vec<&str> = export.lines().collect();
    let Some((accepted, said)) = outside(&lines) else {
        return;
    };
    assert!(accepted, "{said}");
    let verified = home.galen(&["audit", "verify"]);
    let head = said.trim_end().rsplit(' ').next().expect("the head");
    assert!(verified.contains(head), "{said}{verified}");

    let changed = lines[4].replacen("efiche", "efichi", 1);
    assert_ne!(changed, lines[4]);
    let mut tampered: Vec<Vec<&str>> = vec![lines.clone(); 4];
    tampered[0][4] = &changed;
    tampered[1].remove(4);
    tampered[2].insert(4, lines[2]);
    tampered[3].swap(4, 7);
    for lines in tampered {
        let (accepted, said) = outside(&lines).expect("Python");
        assert!(!accepted);
        assert_eq!(said, "event 5 is not what was written\n");
    }
}

async fn tamper(database: &Database, sql: &str) {
    let mut tx = database.begin().await.expect("begun");
    tx.conn().expect("open").run_script(sql).await.expect(sql);
    tx.commit().await.expect("committed");
}

#[tokio::test]
async fn the_command_names_what_was_changed_in_events_and_rows() {
    let home = ran();
    let settings = home.test.settings();
    let records = Records::open(&settings, &DagId::new("efiche")).expect("records");
    tamper(
        records.database(),
        "UPDATE _changes SET table_name = 'other' WHERE id = 1",
    )
    .await;
    let told = said(home.command(&["audit", "verify"]));
    assert_eq!(told.code, 1, "{told}");
    assert!(told.out.contains(" hold, head "));
    assert!(
        told.out
            .contains("rows of `efiche`: the row audit does not hold: ")
    );
    assert!(
        told.out.contains("batch 1 or a change among 1 to "),
        "{told}"
    );

    let events = Database::metadata(&settings).expect("metadata");
    tamper(&events, "UPDATE events SET actor = 'nobody' WHERE seq = 5").await;
    let told = said(home.command(&["audit", "verify"]));
    assert_eq!(told.code, 1, "{told}");
    assert!(
        told.out.starts_with("events: event 5 was changed"),
        "{told}"
    );

    // nor does what cannot be read besides hide it
    drop(records);
    let file = home.test.home().join("state/records/efiche.db");
    std::fs::write(file, "no database").expect("written");
    let told = said(home.command(&["audit", "verify"]));
    assert_eq!(told.code, 1, "{told}");
    assert!(
        told.out.starts_with("events: event 5 was changed"),
        "{told}"
    );
    assert!(told.err.contains("efiche.db`: "), "{told}");
}
