//! A small installation for tests of the engine: operators that do as they are told, DAGs written as text.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::TimeDelta;
use galen::base::{Clock, Error, Event, RunId, RunState, SystemClock, TaskState};
use galen::config::Settings;
use galen::engine::{Asked, Goal, Handle, News, TriggerRequest};
use galen::operators::{Kind, Operator, Operators, Outcome, TaskContext, TaskError, Verdict};
use galen::store::Store;
use serde::Deserialize;
use serde_json::Map;
use tokio_util::sync::CancellationToken;

use crate::support::TestDatabase;

/// Ends its tries as told, one word a try, the last word for all that follow: `ok`, `fail`, `fatal`, `skip`, `defer`,
/// `hang` (until it is stopped), `panic`, `lose` (a record).
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Script {
    #[serde(default)]
    ends: Vec<String>,
    /// Given as the output `value`.
    #[serde(default)]
    value: serde_json::Value,
}

/// Every try made in this process: run, task, number.
static MADE: Mutex<Vec<(RunId, String, u32)>> = Mutex::new(Vec::new());

#[async_trait]
impl Operator for Script {
    async fn run(&self, context: &TaskContext) -> Result<Verdict, TaskError> {
        let number = context.try_number as usize;
        let made = (
            context.run_id.clone(),
            context.task_id.to_string(),
            context.try_number,
        );
        let again = {
            let mut all = MADE.lock().expect("the list");
            let again = all.contains(&made);
            all.push(made);
            again
        };
        let word = self
            .ends
            .get(number - 1)
            .or(self.ends.last())
            .map_or("ok", String::as_str);
        let error = || Error::new("it went wrong as it was told to");
        match word {
            "ok" => Ok(Verdict::Done(Outcome {
                outputs: Map::from_iter([("value".to_owned(), self.value.clone())]),
                ..Outcome::default()
            })),
            "fail" => Err(TaskError::Retryable(error())),
            "fatal" => Err(TaskError::Permanent(error())),
            "skip" => Ok(Verdict::Skip("told to".to_owned())),
            "defer" if again => Ok(Verdict::Done(Outcome::default())),
            "defer" => {
                let until = context.clock.now() + TimeDelta::milliseconds(5);
                Ok(Verdict::Defer(until))
            }
            "hang" => {
                context.cancel.cancelled().await;
                Err(TaskError::Cancelled)
            }
            "panic" => panic!("told to"),
            "lose" => {
                let mut outcome = Outcome::default();
                outcome.counts.read = 1;
                Ok(Verdict::Done(outcome))
            }
            other => panic!("`{other}` is no end of a try"),
        }
    }
}

/// The operators of these tests; a hook has to be called `shell`.
pub static OPERATORS: Operators =
    Operators::of(&[Kind::of::<Script>("script"), Kind::of::<Script>("shell")]);

/// An installation with a database of its own.
pub struct World {
    /// The commands.
    pub handle: Handle,
    database: TestDatabase,
}

impl World {
    /// An installation on `database`, migrated.
    pub async fn new(database: TestDatabase) -> Self {
        Self::with_clock(database, Arc::new(SystemClock), |_| {}).await
    }

    /// An installation whose time is `clock`, with other settings.
    pub async fn with_clock(
        database: TestDatabase,
        clock: Arc<dyn Clock>,
        set: impl FnOnce(&mut Settings),
    ) -> Self {
        let mut settings = database.settings();
        set(&mut settings);
        let store = Store::open(&settings).expect("a store");
        store.migrate(clock.now()).await.expect("migrations");
        let handle = Handle::new(store, Arc::new(settings), clock, &OPERATORS);
        Self { handle, database }
    }

    /// Another process on the same installation.
    pub fn another(&self) -> Handle {
        let settings = self.handle.settings().clone();
        let store = Store::open(&settings).expect("a store");
        Handle::new(store, settings, Arc::new(SystemClock), &OPERATORS)
    }

    /// Writes `dags/<dag_id>/dag.yaml`; each line of `tasks` is one task in YAML flow style without its braces.
    pub fn dag(&self, dag_id: &str, keys: &str, tasks: &[&str]) {
        let folder = self.database.home().join("dags").join(dag_id);
        std::fs::create_dir_all(&folder).expect("a folder");
        let tasks: String = tasks
            .iter()
            .map(|task| format!("  - {{operator: script, {task}}}\n"))
            .collect();
        let text = format!("dag_id: {dag_id}\n{keys}\ntasks:\n{tasks}");
        std::fs::write(folder.join("dag.yaml"), text).expect("a file");
    }

    /// Queues a manual run.
    pub async fn trigger(&self, dag_id: &str) -> RunId {
        let request = TriggerRequest {
            dag_id: dag_id.into(),
            asked: Asked::Latest,
            params: Map::new(),
            select: None,
        };
        self.handle.trigger(&request).await.expect("a run")
    }

    /// Sees a run through; gives what happened.
    pub async fn drive(&self, run: &RunId) -> Vec<Event> {
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        let runs = BTreeSet::from([run.clone()]);
        self.handle
            .drive(&Goal::Runs(runs), sender, &CancellationToken::new())
            .await
            .expect("the run to be driven");
        let mut events = Vec::new();
        while let Ok(news) = receiver.try_recv() {
            if let News::Event(event) = news {
                events.push(*event);
            }
        }
        events
    }

    /// Queues a manual run and sees it through; gives how it and its tasks ended.
    pub async fn run(&self, dag_id: &str) -> (RunState, BTreeMap<String, TaskState>) {
        let run = self.trigger(dag_id).await;
        self.drive(&run).await;
        (self.state(&run).await, self.tasks(&run).await)
    }

    /// The state of a run.
    pub async fn state(&self, run: &RunId) -> RunState {
        self.handle.run(run).await.expect("the run").state
    }

    /// The states of a run's tasks.
    pub async fn tasks(&self, run: &RunId) -> BTreeMap<String, TaskState> {
        let tasks = self.handle.store().tasks(run).await.expect("the tasks");
        tasks
            .into_iter()
            .map(|task| (task.task_id.to_string(), task.state))
            .collect()
    }
}

/// Schedules until told to stop, with nobody looking on.
pub async fn schedule(handle: &Handle, stop: &CancellationToken) {
    let (observer, _) = tokio::sync::mpsc::unbounded_channel();
    let scheduled = handle.schedule(observer, stop).await;
    scheduled.expect("a stop in good order");
}

/// The tries of a run made in this process, as `task.number`.
pub fn tries_made(run: &RunId) -> Vec<String> {
    let all = MADE.lock().expect("the list");
    all.iter()
        .filter(|(of, ..)| of == run)
        .map(|(_, task, number)| format!("{task}.{number}"))
        .collect()
}
