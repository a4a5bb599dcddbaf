//! A version of a DAG made ready to run: definition, files, graph and records, parsed once.

use std::collections::HashMap;
use std::sync::Arc;

use super::stored::stored_version;
use crate::base::{DagId, Digest, Result, TriggerRule};
use crate::config::Settings;
use crate::dag::{Dag, DagFiles, Graph, Version};
use crate::records::Records;
use crate::store::Store;

/// A version of a DAG, ready to run; shared by all its runs.
pub struct Compiled {
    /// The definition.
    pub dag: Arc<Dag>,
    /// The files of its folder.
    pub files: Arc<DagFiles>,
    /// Its tasks by index.
    pub graph: Arc<Graph>,
    /// Their trigger rules.
    pub rules: Arc<[TriggerRule]>,
    /// Its records database.
    pub records: Records,
}

/// The versions in use, each parsed once.
pub struct Versions {
    store: Store,
    settings: Arc<Settings>,
    known: HashMap<Digest, Arc<Compiled>>,
    /// Versions at hand that need not be read from the store.
    offered: Vec<Version>,
    records: HashMap<DagId, Records>,
}

impl Versions {
    /// Nothing parsed yet.
    pub fn new(store: Store, settings: Arc<Settings>) -> Self {
        Self {
            store,
            settings,
            known: HashMap::new(),
            offered: Vec::new(),
            records: HashMap::new(),
        }
    }

    /// Takes the current version of each DAG, instead of those offered before.
    pub fn offer(&mut self, versions: Vec<Version>) {
        self.offered = versions;
    }

    /// The version with this hash, as it was stored when a run first took it.
    ///
    /// # Errors
    /// When it was never stored, or the store cannot be read.
    pub async fn get(&mut self, version: &Digest) -> Result<Arc<Compiled>> {
        if let Some(compiled) = self.known.get(version) {
            return Ok(compiled.clone());
        }
        let offered = self.offered.iter().find(|offered| offered.hash == *version);
        let found = match offered {
            Some(offered) => offered.clone(),
            None => stored_version(&self.store, version).await?,
        };
        let compiled = Arc::new(self.compile(found)?);
        self.known.insert(*version, compiled.clone());
        Ok(compiled)
    }

    /// Forgets the versions that nobody holds any more.
    pub fn sweep(&mut self) {
        self.known
            .retain(|_, compiled| Arc::strong_count(compiled) > 1);
    }

    fn compile(&mut self, version: Version) -> Result<Compiled> {
        let Version { dag, files, .. } = version;
        let records = self.records_of(&dag)?;
        let records = match &dag.tables {
            Some(file) => records.with_tables(Arc::clone(files.text(file)?)),
            None => records,
        };
        Ok(Compiled {
            graph: Arc::new(Graph::new(&dag.tasks)?),
            rules: dag.tasks.iter().map(|task| task.trigger_rule).collect(),
            dag,
            files,
            records,
        })
    }

    /// One handle a DAG, so that all its versions share connections.
    fn records_of(&mut self, dag: &Dag) -> Result<Records> {
        if let Some(records) = self.records.get(&dag.dag_id) {
            return Ok(records.clone());
        }
        let records = Records::open(&self.settings, &dag.dag_id)?;
        self.records.insert(dag.dag_id.clone(), records.clone());
        Ok(records)
    }
}
