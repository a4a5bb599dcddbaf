//! The one door for commands: everything that changes a run from outside goes through here.
//!
//! A command writes what it wants into the store; whoever leads takes it from there. So every command works the same
//! beside a scheduler and alone.

use std::sync::Arc;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use tokio::sync::mpsc::UnboundedSender;

use super::drive::News;
use super::engine::{Engine, Goal};
use super::lead::LEADER;
use super::stored::stored_version;
use crate::base::{
    Clock, DagId, Digest, Error, EventKind, Result, RunId, RunState, Subject, nearest,
};
use crate::config::Settings;
use crate::dag::{self, Checked, Dag, Version};
use crate::operators::Operators;
use crate::store::{Change, NewVersion, Refusal, Run, Store};

/// Commands on the runs of one installation; cheap to clone.
#[derive(Clone)]
pub struct Handle {
    pub(super) store: Store,
    pub(super) settings: Arc<Settings>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) operators: &'static Operators,
    /// Names this process in events, as `host:pid:born`.
    pub(super) owner: String,
}

impl Handle {
    /// A handle on the installation of `settings`. The store must have been migrated.
    pub fn new(
        store: Store,
        settings: Arc<Settings>,
        clock: Arc<dyn Clock>,
        operators: &'static Operators,
    ) -> Self {
        // the time of birth tells two processes with one number apart
        let born = clock.now().timestamp_micros();
        let owner = format!("{}:{}:{born:x}", host(), std::process::id());
        Self {
            store,
            settings,
            clock,
            operators,
            owner,
        }
    }

    /// The settings of the installation.
    pub fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// The store behind, for reading.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Stops new scheduled runs of a DAG, or lets them come again.
    ///
    /// # Errors
    /// When the DAG is unknown.
    pub async fn pause(&self, dag_id: &DagId, paused: bool) -> Result<()> {
        self.register(&self.current(dag_id)?).await?;
        let kind = if paused {
            EventKind::DagPaused
        } else {
            EventKind::DagUnpaused
        };
        self.apply(vec![Change::Event(Subject::Dag(dag_id.clone()), kind)])
            .await
    }

    /// Stops a run: its open tasks are cancelled and whatever is under way is stopped by its engine.
    ///
    /// # Errors
    /// When the run is unknown or has ended.
    pub async fn cancel(&self, run_id: &RunId) -> Result<()> {
        let run = self.run(run_id).await?;
        if run.state.is_terminal() {
            return Err(Error::new(format!(
                "run `{run_id}` has already ended: {}",
                run.state
            )));
        }
        let subject = Subject::Run(run.dag_id.clone(), run_id.clone());
        let mut changes = vec![Change::Event(subject, EventKind::RunCancelled)];
        for task in self.store.tasks(run_id).await? {
            if !task.state.is_terminal() {
                let subject = Subject::Task(run.dag_id.clone(), run_id.clone(), task.task_id);
                changes.push(Change::Event(subject, EventKind::TaskCancelled));
            }
        }
        self.apply(changes).await
    }

    /// The run, as stored.
    ///
    /// # Errors
    /// When there is none; the hint names the newest of its DAG or how to list runs.
    pub async fn run(&self, run_id: &RunId) -> Result<Run> {
        self.store.run(run_id).await?.ok_or_else(|| {
            Error::new(format!("no run `{run_id}`")).hint("`galen runs list` lists the newest")
        })
    }

    /// The DAG's current version, read from its folder and checked.
    ///
    /// # Errors
    /// When there is no such DAG, or its definition has problems: all of them.
    pub fn current(&self, dag_id: &DagId) -> Result<Version> {
        let mut loaded = self.load_dags()?;
        if let Some(found) = loaded
            .dags
            .iter()
            .position(|version| version.dag.dag_id == *dag_id)
        {
            return Ok(loaded.dags.swap_remove(found));
        }
        if let Some(broken) = loaded.broken.iter().find(|broken| broken.dag_id == *dag_id) {
            let problems: Vec<String> = broken.problems.iter().map(ToString::to_string).collect();
            return Err(
                Error::new(format!("DAG `{dag_id}` is broken\n{}", problems.join("\n")))
                    .hint("`galen dags validate` shows all problems of all DAGs"),
            );
        }
        let known = loaded
            .dags
            .iter()
            .map(|version| version.dag.dag_id.as_str());
        let error = Error::new(format!(
            "no DAG `{dag_id}` in `{}`",
            self.settings.dags_dir().display()
        ));
        Err(match nearest(dag_id.as_str(), known) {
            Some(name) => error.hint(format!("did you mean `{name}`?")),
            None => error.hint("`galen dags list` lists them"),
        })
    }

    /// Every DAG in its folder, sound or broken.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub(super) fn load_dags(&self) -> Result<dag::Loaded> {
        let checked = Checked::new(self.settings.checked_dir());
        let catalog = self.operators.installed(&self.settings);
        dag::load(&self.settings.dags_dir(), &catalog, checked.as_ref())
    }

    /// Whether a process drives runs now. One that died is known by its lease running out, and before that where it was of this machine.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(super) async fn is_led(&self) -> Result<bool> {
        let lease = self.store.lease(LEADER).await?;
        let standing = lease.filter(|lease| lease.expires_at > self.clock.now());
        Ok(standing.is_some_and(|lease| !is_gone(&lease.owner)))
    }

    /// Keeps a version for the runs that will refer to it.
    pub(super) async fn register(&self, version: &Version) -> Result<()> {
        let files = version
            .files
            .iter()
            .map(|(path, text)| (path.to_owned(), text.clone()))
            .collect();
        let new = NewVersion {
            dag_id: version.dag.dag_id.clone(),
            version: version.hash,
            definition: version.json()?,
            files,
        };
        self.apply(vec![Change::RegisterDag(new)]).await
    }

    /// The definition of a stored version.
    pub(super) async fn stored_dag(&self, version: &Digest) -> Result<Arc<Dag>> {
        Ok(stored_version(&self.store, version).await?.dag)
    }

    /// Writes changes that must all be possible.
    pub(super) async fn apply(&self, changes: Vec<Change>) -> Result<()> {
        for result in self
            .store
            .apply(&self.owner, self.clock.now(), changes)
            .await?
        {
            match result {
                Ok(_) | Err(Refusal::RunExists(_) | Refusal::VersionCurrent(_)) => {}
                Err(refusal) => {
                    return Err(Error::new(refusal.to_string())
                        .hint("somebody else changed it at the same time; look and try again"));
                }
            }
        }
        Ok(())
    }

    pub(super) fn engine(&self, goal: Option<Goal>, observer: UnboundedSender<News>) -> Engine {
        Engine::new(self.clone(), goal, observer)
    }

    /// Whether a run that ended may be queued again.
    pub(super) fn reopen(run: &Run, tasks: u64) -> Option<Change> {
        let subject = Subject::Run(run.dag_id.clone(), run.run_id.clone());
        matches!(
            run.state,
            RunState::Success | RunState::Failed | RunState::Cancelled
        )
        .then(|| Change::Event(subject, EventKind::RunReopened { tasks }))
    }
}

/// Whether `owner` was a process of this machine and is none any more.
fn is_gone(owner: &str) -> bool {
    let mut parts = owner.rsplitn(3, ':').skip(1);
    let number = parts.next().and_then(|number| number.parse().ok());
    let died = |process| test_kill_process(process) == Err(Errno::SRCH);
    parts.next() == Some(&*host()) && number.and_then(Pid::from_raw).is_some_and(died)
}

fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname");
    name.map_or_else(|_| "localhost".to_owned(), |name| name.trim().to_owned())
}
