//! A disk that fills up in the middle and gets room again.

use std::process::{Command, Stdio};

use super::home::{Home, sample};
use crate::support::{TestDatabase, copy};

/// `state` is a small disk of its own, in a world that ends with this script, until Galen says what `$2` finds.
/// What is then in it is kept in `kept`.
const SCRIPT: &str = r#"
set -u
mkdir state kept
mount -t tmpfs -o size=2500k none state || exit 77
"$1" run efiche --param max_rows=0 2>said &
galen=$!
until grep -q "$2" said; do
    kill -0 $galen 2>/dev/null || { echo 'it ended and the disk was never full'; cat said; exit 3; }
    sleep 0.05
done
sleep 0.3
mount -o remount,size=500m state
wait $galen
code=$?
cp -r state/. kept
cat said
exit $code
"#;

/// Runs `home` on a small disk, until Galen says what the pattern `full` finds, and then on a large one.
/// What Galen said; `None`, with a word, where no disk can be mounted.
fn run_on_a_small_disk(home: &Home, full: &str) -> Option<String> {
    let mut unshare = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        unshare.arg("--map-root-user");
    }
    let ended = unshare
        .args(["--mount", "sh", "-c", SCRIPT, "sh"])
        .args([env!("CARGO_BIN_EXE_galen"), full])
        .current_dir(home.test.home())
        .stdin(Stdio::null())
        .output();
    let ended = match ended {
        Ok(ended) if !matches!(ended.status.code(), Some(1 | 77)) || home.path("said").exists() => {
            ended
        }
        _ => {
            eprintln!("skipped: no small disk can be mounted here");
            return None;
        }
    };
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    println!("{said}");
    assert!(ended.status.success(), "{said}");
    std::fs::remove_dir(home.path("state")).expect("empty outside the script");
    copy(&home.path("kept"), &home.path("state"));
    Some(said)
}

/// As a run leaves it that never lacked room.
async fn must_be_as_with_room(home: &Home, calm: &Home) {
    calm.run_to_the_end();
    super::home::assert_same(&home.exports().await, &calm.exports().await, "full disk");
    home.galen(&["audit", "verify"]);
}

#[tokio::test]
async fn a_full_disk_is_said_and_waited_for() {
    let homes = [(); 2].map(|()| Home::new(TestDatabase::sqlite()));
    for home in &homes {
        home.deliver(2_000);
    }
    let [home, calm] = &homes;
    let Some(said) = run_on_a_small_disk(home, "disk.* full") else {
        return;
    };
    assert!(said.contains("the disk of the database is full"), "{said}");
    must_be_as_with_room(home, calm).await;
}

#[tokio::test]
async fn a_disk_too_small_for_the_archive_is_said_and_waited_for() {
    let homes = [(); 2].map(|()| Home::new(TestDatabase::sqlite()));
    let (header, records) = sample();
    // more than the disk holds: the same records again and again, with another image each time
    let image = header.iter().position(|name| name == "ImageID");
    let image = image.expect("a key");
    let again = |(time, record): (usize, &csv::StringRecord)| {
        let fields = record.iter().enumerate();
        let fields = fields.map(|(place, text)| match place == image {
            true => format!("{time}_{text}"),
            false => text.to_owned(),
        });
        csv::StringRecord::from_iter(fields)
    };
    let many = records.iter().cycle().take(4 * records.len());
    let many: Vec<_> = many.enumerate().map(again).collect();
    for home in &homes {
        home.deliver_as("data_sample/padchest/padchest_shaped.csv", &header, &many);
    }
    let [home, calm] = &homes;
    let full = "try failed, the disk of the archive is full";
    if run_on_a_small_disk(home, full).is_none() {
        return;
    }
    must_be_as_with_room(home, calm).await;
    let unfinished = home.path("state/archive/incoming").read_dir();
    assert_eq!(unfinished.expect("a folder").count(), 0);
}
