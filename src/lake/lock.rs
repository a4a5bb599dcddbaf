//! A lock of one table against other processes: who builds it is alone.

use std::fs::File;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use crate::base::{Error, Result};

/// Held until dropped, or until the process ends.
#[derive(Debug)]
pub struct TableLock {
    /// Closing it lets go of the lock.
    _file: File,
}

impl TableLock {
    /// Waits for the lock of the table at `path`; the lock file stands beside it.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub async fn wait(path: &Path) -> Result<Self> {
        let file = path.with_added_extension("lock");
        let waiting = tokio::task::spawn_blocking(move || {
            let failed = |error: std::io::Error| {
                Error::new(format!("cannot lock `{}`", file.display()))
                    .because(error)
                    .transient()
            };
            if let Some(folder) = file.parent() {
                std::fs::create_dir_all(folder).map_err(failed)?;
            }
            let file_handle = File::create(&file).map_err(failed)?;
            flock(&file_handle, FlockOperation::LockExclusive)
                .map_err(|error| failed(error.into()))?;
            Ok(Self { _file: file_handle })
        });
        waiting
            .await
            .map_err(|error| Error::new("waiting for a lock broke off").because(error))?
    }
}
