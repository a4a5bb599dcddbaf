//! Told to stop, once or twice, or killed: what was under way ends, and goes on later.

use std::fs;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use galen::config::Settings;
use galen::store::Store;
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::cli::galen::{command, said};
use crate::support::Process;

/// One command that refuses to be told to stop; it ends at once when there is a file `open`.
const STUBBORN: &str = "
dag_id: work
tasks:
  - task_id: command
    operator: shell
    with: {script: \"trap '' TERM; echo $$ >> pids; test -e open || sleep 600\"}
";

/// Writes down each date; on one of them it waits for a file `open`.
const DAILY: &str = "
dag_id: work
schedule: {cron: '0 3 * * *', start_date: 2026-01-01}
tasks:
  - task_id: command
    operator: shell
    with:
      script: |
        if test {{ ds }} = 2026-01-06; then
            touch waiting
            while ! test -e open; do sleep 0.05; done
        fi
        echo {{ ds }} >> done
";

/// All that is waited for must have happened by then.
const PATIENCE: Duration = Duration::from_secs(60);

struct Place(TempDir);

impl Place {
    fn new(dag: &str) -> Self {
        let home = tempfile::tempdir().expect("home");
        let folder = home.path().join("dags/work");
        fs::create_dir_all(&folder).expect("folder");
        fs::write(folder.join("dag.yaml"), dag).expect("dag");
        fs::write(
            home.path().join("galen.toml"),
            "[engine]\nlease_ttl = \"1s\"\n",
        )
        .expect("settings");
        Self(home)
    }

    fn command(&self, args: &[&str]) -> Command {
        command(self.0.path(), args)
    }

    fn start(&self, args: &[&str]) -> Process {
        Process::start(&mut self.command(args))
    }

    fn list(&self, args: &[&str]) -> Vec<Value> {
        let said = said(self.command(&[args, &["--json"]].concat()));
        serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{said}"))
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.path().join(name)).unwrap_or_default()
    }

    fn open(&self) {
        fs::write(self.0.path().join("open"), "").expect("written");
    }

    /// Waits for the command's process to be at work; its id.
    fn at_work(&self) -> String {
        until("the command begins", || self.read("pids").ends_with('\n'));
        self.read("pids").trim().to_owned()
    }

    /// Backfills in this state.
    async fn backfills(&self, state: &str) -> usize {
        let settings = Settings {
            home: self.0.path().to_owned(),
            ..Settings::default()
        };
        let store = Store::open(&settings).expect("a store");
        let all = store.backfills(None, &[]).await.expect("backfills");
        all.iter().filter(|one| one.state.as_str() == state).count()
    }

    /// How the tries of the run's only task ended.
    fn tries(&self, run: &Value) -> Vec<String> {
        let run = run["run_id"].as_str().expect("an id");
        let tries = self.list(&["tasks", "list", run, "--tries"]);
        let state = |row: &Value| row["state"].as_str().expect("a state").to_owned();
        tries.iter().map(state).collect()
    }
}

fn until(what: &str, mut happened: impl FnMut() -> bool) {
    let start = Instant::now();
    while !happened() {
        assert!(start.elapsed() < PATIENCE, "in vain: {what}");
        sleep(Duration::from_millis(10));
    }
}

/// Waits for the end of a process; one that nobody waits for stays on as a zombie.
fn must_end(id: &str) {
    until("the command ends", || {
        let stat = fs::read_to_string(format!("/proc/{id}/stat"));
        stat.map_or(true, |stat| stat.contains(") Z "))
    });
}

#[test]
fn a_command_does_not_outlive_a_killed_galen() {
    let place = Place::new(STUBBORN);
    let mut galen = place.start(&["run", "work"]);
    let command = place.at_work();
    galen.kill();
    must_end(&command);
}

#[test]
fn a_second_signal_stops_at_once_and_recovery_goes_on() {
    let place = Place::new(STUBBORN);
    let queued = said(place.command(&["dags", "trigger", "work"]));
    assert_eq!(queued.code, 0, "{queued}");
    let scheduler = place.start(&["scheduler"]);
    let command = place.at_work();
    let start = Instant::now();
    scheduler.tell(Signal::TERM);
    scheduler.tell(Signal::INT);
    assert_eq!(scheduler.end().0.code(), Some(130));
    // the first signal alone gives ten seconds to what is under way
    assert!(start.elapsed() < Duration::from_secs(8));
    must_end(&command);

    place.open();
    let scheduler = place.start(&["scheduler"]);
    until("the run ends", || {
        place.list(&["runs", "list"])[0]["state"] == "success"
    });
    let runs = place.list(&["runs", "list"]);
    assert_eq!(place.tries(&runs[0]), ["interrupted", "success"]);
    scheduler.tell(Signal::TERM);
    assert_eq!(scheduler.end().0.code(), Some(0));
}

#[tokio::test]
async fn an_interrupt_pauses_a_backfill_and_the_same_command_goes_on() {
    let place = Place::new(DAILY);
    let span = [
        "backfill",
        "work",
        "--from",
        "2026-01-05",
        "--to",
        "2026-01-07",
        "--max-active-runs",
        "1",
    ];
    let mut first = place.command(&span);
    let first = Process::start(first.env("GALEN_ENGINE__GRACE", "100ms"));
    until("the second date begins", || {
        place.0.path().join("waiting").exists()
    });
    first.tell(Signal::INT);
    let (status, told) = first.end();
    assert_eq!(status.code(), Some(1), "{told}");
    assert!(told.contains("is paused"), "{told}");
    assert_eq!(place.read("done"), "2026-01-05\n");
    let (paused, done) = (
        place.backfills("paused").await,
        place.backfills("done").await,
    );
    assert_eq!((paused, done), (1, 0));

    place.open();
    let second = said(place.command(&span));
    assert_eq!(second.code, 0, "{second}");
    assert!(second.err.contains("resumed"), "{second}");
    assert_eq!(place.read("done"), "2026-01-05\n2026-01-06\n2026-01-07\n");
    let mut runs = place.list(&["runs", "list"]);
    runs.reverse();
    let tries: Vec<_> = runs.iter().map(|run| place.tries(run)).collect();
    let once = || vec!["success".to_owned()];
    let twice = vec!["interrupted".to_owned(), "success".to_owned()];
    assert_eq!(tries, [once(), twice, once()]);
}
