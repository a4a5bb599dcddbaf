//! The DAGs that a process knows, as their files change under it.

use std::collections::BTreeMap;

use super::{Loaded, Version};
use crate::base::{DagId, Problem};

/// The last good version of each DAG, and what is wrong with the files of those that are broken now.
#[derive(Debug, Clone, Default)]
pub struct Dags {
    /// By id; a broken DAG that was good before keeps its last good version.
    pub versions: BTreeMap<DagId, Version>,
    /// The broken ones, with or without a last good version.
    pub broken: BTreeMap<DagId, Vec<Problem>>,
}

impl Dags {
    /// What is known after `loaded` was read: new versions replace old ones, a bad edit keeps the last good version, and a DAG
    /// whose folder is gone is forgotten.
    #[must_use]
    pub fn merge(&self, loaded: Loaded) -> Self {
        let mut merged = Self::default();
        for version in loaded.dags {
            merged.versions.insert(version.dag.dag_id.clone(), version);
        }
        for broken in loaded.broken {
            if let Some(last_good) = self.versions.get(&broken.dag_id) {
                merged
                    .versions
                    .insert(broken.dag_id.clone(), last_good.clone());
            }
            merged.broken.insert(broken.dag_id, broken.problems);
        }
        merged
    }
}

impl From<Loaded> for Dags {
    fn from(loaded: Loaded) -> Self {
        Self::default().merge(loaded)
    }
}
