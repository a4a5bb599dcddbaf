//! A process killed at moments it cannot choose.

use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rustix::process::{Pid, Signal, kill_process};

use super::home::Home;
use crate::support::TestDatabase;

const KILLS: usize = 25;

/// What it takes a debug build to come up, find the lease of the dead to have run out, and do some work.
const LIFE: std::ops::Range<u64> = 100..2_200;

/// All work must be done by then.
const PATIENCE: Duration = Duration::from_secs(240);

impl Home {
    fn start(&self, args: &[&str]) -> Child {
        let mut command = self.command(args);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("galen starts")
    }

    fn open_runs(&self) -> usize {
        let open = ["runs", "list", "--state", "queued", "--state", "running"];
        self.list(&open).len()
    }

    /// Tries that a recovery found cut off.
    fn interrupted(&self) -> usize {
        let log = ["audit", "log", "--event", "task_interrupted"];
        self.list(&[&log[..], &["--limit", "1000"]].concat()).len()
    }

    /// A scheduler that is left alone until no run is open, then told to stop.
    fn let_finish(&self) {
        let mut scheduler = self.start(&["scheduler"]);
        let start = Instant::now();
        while self.open_runs() > 0 {
            assert!(
                start.elapsed() < PATIENCE,
                "{}: runs are stuck",
                self.test.name
            );
            sleep(Duration::from_millis(200));
        }
        kill_process(Pid::from_child(&scheduler), Signal::TERM).expect("told to stop");
        let status = scheduler.wait().expect("its end");
        assert!(status.success(), "{}: {status}", self.test.name);
    }
}

async fn survives(test: TestDatabase, seed: u64) {
    let home = Home::new(test);
    home.edit("dag.yaml", "batch_size: 500", "batch_size: 10");
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    for kill in 0..KILLS {
        if home.open_runs() == 0 {
            home.galen(&["dags", "trigger", "efiche"]);
        }
        // now and then the foreground, whose run the next scheduler must take over
        let mut process = match kill % 5 {
            4 => home.start(&["run", "efiche"]),
            _ => home.start(&["scheduler"]),
        };
        sleep(Duration::from_millis(chance.random_range(LIFE)));
        process.kill().expect("killed");
        process.wait().expect("its end");
    }
    home.let_finish();
    home.run_to_the_end();
    for run in home.list(&["runs", "list", "--limit", "1000"]) {
        assert_eq!(run["state"], "success", "{}: {run}", home.test.name);
    }
    // how many hit a try at work depends on how busy the machine is; death at every single event is its own test
    println!(
        "{}: {KILLS} kills interrupted {} tries",
        home.test.name,
        home.interrupted()
    );
    home.must_be_as_if_nothing_had_happened().await;
}

#[tokio::test]
async fn killed_25_times_on_sqlite_it_ends_as_if_nothing_had_happened() {
    survives(TestDatabase::sqlite(), 1).await;
}

#[tokio::test]
async fn killed_25_times_on_postgres_it_ends_as_if_nothing_had_happened() {
    if let Some(test) = TestDatabase::postgres().await {
        survives(test, 2).await;
    }
}
