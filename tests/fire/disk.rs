//! A disk that fills up in the middle and gets room again.

use std::process::{Command, Stdio};

use super::home::{Home, copy};
use crate::support::TestDatabase;

/// `state` is a small disk of its own, in a world that ends with this script, until Galen says that it is full.
/// What is then in it is kept in `kept`.
const SCRIPT: &str = r#"
set -u
mkdir state kept
mount -t tmpfs -o size=2500k none state || exit 77
"$1" run efiche --param max_rows=0 2>said &
galen=$!
until grep -q 'disk.* full' said; do
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

#[tokio::test]
async fn a_full_disk_is_said_and_waited_for() {
    let home = Home::new(TestDatabase::sqlite());
    home.deliver(2_000);
    let mut unshare = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        unshare.arg("--map-root-user");
    }
    let ended = unshare
        .args([
            "--mount",
            "sh",
            "-c",
            SCRIPT,
            "sh",
            env!("CARGO_BIN_EXE_galen"),
        ])
        .current_dir(home.test.home())
        .stdin(Stdio::null())
        .output();
    let ended = match ended {
        Ok(ended) if !matches!(ended.status.code(), Some(1 | 77)) || home.path("said").exists() => {
            ended
        }
        _ => {
            eprintln!("skipped: no small disk can be mounted here");
            return;
        }
    };
    let said = String::from_utf8_lossy(&ended.stdout);
    println!("{said}");
    assert!(ended.status.success(), "{said}");
    assert!(said.contains("the disk of the database is full"), "{said}");

    std::fs::remove_dir(home.path("state")).expect("empty outside the script");
    copy(&home.path("kept"), &home.path("state"));
    let calm = Home::new(TestDatabase::sqlite());
    calm.deliver(2_000);
    calm.run_to_the_end();
    super::home::assert_same(&home.exports().await, &calm.exports().await, "full disk");
    home.galen(&["audit", "verify"]);
}
