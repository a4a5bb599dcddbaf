//! The memory that computing may take.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use datafusion::execution::memory_pool::{FairSpillPool, MemoryPool};

use crate::config::Settings;

/// What is set as `lake.memory_mb`, in bytes.
pub(super) fn bytes(settings: &Settings) -> usize {
    let bytes = settings.lake.memory_mb.saturating_mul(1024 * 1024);
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// That much, shared by all sessions of this process for one installation.
pub(super) fn pool(settings: &Settings) -> Arc<dyn MemoryPool> {
    static POOLS: LazyLock<Mutex<HashMap<PathBuf, Weak<FairSpillPool>>>> =
        LazyLock::new(Mutex::default);
    let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    pools.retain(|_, pool| pool.strong_count() > 0);
    let place = settings.state_dir();
    if let Some(pool) = pools.get(&place).and_then(Weak::upgrade) {
        return pool;
    }
    let pool = Arc::new(FairSpillPool::new(bytes(settings)));
    pools.insert(place, Arc::downgrade(&pool));
    pool
}
