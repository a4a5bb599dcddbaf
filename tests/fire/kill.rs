//! A process killed at moments it cannot choose, while it works.

use std::process::Stdio;
use std::time::{Duration, Instant};

use galen::base::{EventKind, TaskState};
use galen::store::Store;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rustix::process::Signal;
use tokio::time::sleep;

use super::home::Home;
use crate::support::{Process, TestDatabase};

const KILLS: usize = 25;

/// At least so many of them must cut off a try; the others may fall between two.
const HITS: usize = 15;

/// Milliseconds from the start of a try to the death of its process: tries with small batches last about as long.
const MOMENT: std::ops::Range<u64> = 0..250;

/// How often to look what a process has come to.
const LOOK: Duration = Duration::from_millis(20);

/// All work must be done by then.
const PATIENCE: Duration = Duration::from_secs(120);

impl Home {
    fn start(&self, args: &[&str]) -> Process {
        let mut command = self.command(args);
        Process::start(command.stdout(Stdio::null()).stderr(Stdio::null()))
    }

    /// Starts a process, lets it begin a try and go on for `moment`, and kills it. The tries that were then at work.
    async fn kill(&self, store: &Store, args: &[&str], moment: Duration) -> usize {
        let before = store.position().await.expect("a position");
        let mut process = self.start(args);
        let start = Instant::now();
        while !began_a_try(store, before).await && is_open(store).await {
            let ended = process.ended();
            assert!(
                ended.is_none() && start.elapsed() < PATIENCE,
                "{} {args:?}: no try began, {ended:?}",
                self.test.name
            );
            sleep(LOOK).await;
        }
        sleep(moment).await;
        process.kill();
        at_work(store).await
    }

    /// Tries that a recovery found cut off.
    fn interrupted(&self) -> usize {
        let log = ["audit", "log", "--event", "task_interrupted"];
        self.list(&[&log[..], &["--limit", "1000"]].concat()).len()
    }

    /// A scheduler that is left alone until no run is open, then told to stop.
    async fn let_finish(&self, store: &Store) {
        let scheduler = self.start(&["scheduler"]);
        let start = Instant::now();
        while is_open(store).await {
            assert!(
                start.elapsed() < PATIENCE,
                "{}: runs are stuck",
                self.test.name
            );
            sleep(LOOK).await;
        }
        scheduler.tell(Signal::TERM);
        let (status, _) = scheduler.end();
        assert!(status.success(), "{}: {status}", self.test.name);
    }
}

async fn is_open(store: &Store) -> bool {
    !store.active_runs().await.expect("runs").is_empty()
}

async fn began_a_try(store: &Store, before: u64) -> bool {
    let events = store.events_after(before, 1_000).await.expect("events");
    events
        .iter()
        .any(|event| matches!(event.kind, EventKind::TaskStarted { .. }))
}

async fn at_work(store: &Store) -> usize {
    let mut count = 0;
    for run in store.active_runs().await.expect("runs") {
        let tasks = store.tasks(&run.run_id).await.expect("tasks");
        let running = tasks.iter().filter(|task| task.state == TaskState::Running);
        count += running.count();
    }
    count
}

async fn survives(test: TestDatabase, seed: u64) {
    let home = Home::new(test);
    home.edit("dag.yaml", "batch_size: 500", "batch_size: 1");
    home.galen(&["db", "migrate"]);
    let store = Store::open(&home.test.settings()).expect("a store");
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let mut cut_off = Vec::new();
    for kill in 0..KILLS {
        if !is_open(&store).await {
            home.galen(&["dags", "trigger", "efiche"]);
        }
        // now and then the foreground, whose run the next scheduler must take over
        let args: &[&str] = match kill % 5 {
            4 => &["run", "efiche"],
            _ => &["scheduler"],
        };
        let moment = Duration::from_millis(chance.random_range(MOMENT));
        cut_off.push(home.kill(&store, args, moment).await);
    }
    home.let_finish(&store).await;
    let hits = cut_off.iter().filter(|&&tries| tries > 0).count();
    println!(
        "{}: {hits} of {KILLS} kills cut off tries: {cut_off:?}",
        home.test.name
    );
    assert!(hits >= HITS, "{}: only {hits} hits", home.test.name);
    let interrupted = home.interrupted();
    assert!(
        interrupted >= cut_off.iter().sum(),
        "{}: {interrupted} tries were recorded as interrupted, not {cut_off:?}",
        home.test.name
    );
    home.run_to_the_end();
    for run in home.list(&["runs", "list", "--limit", "1000"]) {
        assert_eq!(run["state"], "success", "{}: {run}", home.test.name);
    }
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
