//! The DAG folder of a process that schedules: read again when it changes, a bad edit keeping the last good version, also over a restart.

use super::handle::Handle;
use super::stored::stored_version;
use crate::base::{DagId, Error, Result};
use crate::dag::{DagWatcher, Dags};

/// The DAGs under `dags/`, kept up to date.
pub struct Folder {
    handle: Handle,
    watcher: DagWatcher,
    edited: bool,
    /// What is known now.
    pub dags: Dags,
}

impl Folder {
    /// Starts to watch the installation's folder; nothing is read yet.
    ///
    /// # Errors
    /// When the folder does not exist or cannot be watched.
    pub fn watch(handle: Handle) -> Result<Self> {
        Ok(Self {
            watcher: DagWatcher::new(&handle.settings.dags_dir())?,
            handle,
            edited: true,
            dags: Dags::default(),
        })
    }

    /// Waits until something changed.
    pub async fn changed(&mut self) {
        self.watcher.changed().await;
        self.edited = true;
    }

    /// Reads the folder again if it changed since the last time; `false` when it did not.
    ///
    /// # Errors
    /// When the folder or the store cannot be read at all; problems of single DAGs are reported through `tracing`.
    pub async fn refresh(&mut self) -> Result<bool> {
        if !self.edited {
            return Ok(false);
        }
        let handle = self.handle.clone();
        let loaded = tokio::task::spawn_blocking(move || handle.load_dags())
            .await
            .map_err(|error| Error::new("reading the DAG folder broke off").because(error))??;
        let mut dags = self.dags.merge(loaded);
        self.restore(&mut dags).await?;
        self.edited = false;
        for (dag_id, problems) in &dags.broken {
            if self.dags.broken.get(dag_id) == Some(problems) {
                continue;
            }
            let kept = dags.versions.contains_key(dag_id);
            for problem in problems {
                tracing::error!(dag = %dag_id, keeps_last_good_version = kept, "{problem}");
            }
        }
        for (dag_id, version) in &dags.versions {
            let before = self.dags.versions.get(dag_id).map(|before| before.hash);
            if before.is_some_and(|before| before != version.hash) {
                tracing::info!(dag = %dag_id, version = %version.hash, "taken up a changed DAG");
            }
        }
        self.dags = dags;
        Ok(true)
    }

    /// Takes the last good version from the store for each broken DAG of which this process has seen none.
    async fn restore(&self, dags: &mut Dags) -> Result<()> {
        let unseen = |dag_id: &&DagId| !dags.versions.contains_key(*dag_id);
        let unseen: Vec<DagId> = dags.broken.keys().filter(unseen).cloned().collect();
        for dag_id in unseen {
            let Some(row) = self.handle.store.dag(&dag_id).await? else {
                continue;
            };
            match stored_version(&self.handle.store, &row.version).await {
                Ok(version) => {
                    tracing::warn!(dag = %dag_id, version = %version.hash, "its files are broken; going on with the last good version that was stored");
                    dags.versions.insert(dag_id, version);
                }
                Err(error) if error.is_transient() => return Err(error),
                Err(error) => {
                    tracing::error!(dag = %dag_id, %error, "its files are broken, and so is what was stored")
                }
            }
        }
        Ok(())
    }
}
