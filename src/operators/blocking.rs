//! Work on threads of its own, and work that goes on side by side.

use tokio::task::{JoinError, JoinHandle, JoinSet, spawn_blocking};

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
        Err(error) => Err(broke_down(error)),
    }
}

/// The results of `works`, each a task of its own; the others end when one fails or nobody waits any more.
pub(super) async fn side_by_side<T: Send + 'static>(
    works: impl Iterator<Item = impl Future<Output = Result<T>> + Send + 'static>,
) -> Result<Vec<T>> {
    let mut tasks: JoinSet<Result<T>> = works.collect();
    let mut results = Vec::with_capacity(tasks.len());
    while let Some(done) = tasks.join_next().await {
        results.push(done.map_err(broke_down)??);
    }
    Ok(results)
}

fn broke_down(error: JoinError) -> Error {
    Error::new("the work broke down").because(error)
}
