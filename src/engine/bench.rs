//! An engine on a store of its own, driven step by step by a test and by nobody else.

use std::sync::{Arc, LazyLock};

use tempfile::TempDir;
use tokio::sync::mpsc::unbounded_channel;

use super::engine::Engine;
use super::handle::Handle;
use crate::base::{Clock, EventKind, RunId, Subject, SystemClock};
use crate::config::Settings;
use crate::engine::{Asked, TriggerRequest};
use crate::operators::Operators;
use crate::store::{Change, Store};

/// The engine and what it stands on.
pub struct Bench {
    /// It leads, and knows of nothing yet.
    pub engine: Engine,
    /// The same installation, as another process has it.
    pub other: Handle,
    home: TempDir,
}

static OPERATORS: LazyLock<Operators> = LazyLock::new(Operators::all);

impl Bench {
    /// An engine that leads an installation without DAGs.
    pub async fn new() -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let settings = Arc::new(Settings {
            home: home.path().to_owned(),
            ..Settings::default()
        });
        let store = Store::open(&settings).expect("a store");
        store.migrate(SystemClock.now()).await.expect("migrations");
        let handle = |owner: &str| {
            let clock = Arc::new(SystemClock);
            let handle = Handle::new(store.clone(), settings.clone(), clock, &OPERATORS);
            Handle {
                owner: owner.to_owned(),
                ..handle
            }
        };
        let (observer, _) = unbounded_channel();
        let mut engine = handle("engine").engine(None, observer);
        assert!(engine.try_lead().await.expect("the lease"));
        engine.recover().await.expect("nothing to read");
        Self {
            engine,
            other: handle("other"),
            home,
        }
    }

    /// Writes a DAG of one task that does nothing.
    pub fn dag(&self, dag_id: &str, keys: &str) {
        let folder = self.home.path().join("dags").join(dag_id);
        std::fs::create_dir_all(&folder).expect("a folder");
        let task = "{task_id: t, operator: shell, with: {command: ['true']}}";
        let text = format!("dag_id: {dag_id}\n{keys}\ntasks:\n  - {task}\n");
        std::fs::write(folder.join("dag.yaml"), text).expect("a file");
    }

    /// Queues a run of a DAG and has the engine know of it.
    pub async fn queue(&mut self, dag_id: &str) -> RunId {
        let request = TriggerRequest {
            dag_id: dag_id.into(),
            asked: Asked::Latest,
            params: serde_json::Map::new(),
            select: None,
        };
        let run = self.other.trigger(&request).await.expect("a run");
        self.engine.recover().await.expect("the run");
        run
    }

    /// Has the other process take the lead.
    pub async fn overtake(&self) {
        let owner = self.other.owner.clone();
        let taken = Change::Event(Subject::System, EventKind::LeaseTaken { owner });
        self.other.apply(vec![taken]).await.expect("the lead");
    }
}
