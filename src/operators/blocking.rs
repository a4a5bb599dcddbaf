//! Work that blocks, off the threads that drive everything else.

use tokio::task::{JoinHandle, spawn_blocking};

use crate::base::{Error, Result};

/// Runs `work` on a thread of its own and waits for it.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    joined(spawn_blocking(work)).await
}

/// The result of work on a thread of its own.
pub(super) async fn joined<T>(work: JoinHandle<Result<T>>) -> Result<T> {
    match work.await {
        Ok(result) => result,
        Err(error) => Err(Error::new("the work broke down").because(error)),
    }
}
