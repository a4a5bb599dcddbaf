//! The memory that computing may take.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use datafusion::error::Result;
use datafusion::execution::memory_pool::{
    FairSpillPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};

use crate::config::Settings;

/// What is set as `lake.memory_mb`, in bytes.
pub(super) fn bytes(settings: &Settings) -> usize {
    let bytes = settings.lake.memory_mb.saturating_mul(1024 * 1024);
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// That much, shared by all sessions of this process for one installation.
pub(super) fn pool(settings: &Settings) -> Arc<dyn MemoryPool> {
    static POOLS: LazyLock<Mutex<HashMap<PathBuf, Weak<Pool>>>> = LazyLock::new(Mutex::default);
    let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    pools.retain(|_, pool| pool.strong_count() > 0);
    let place = settings.state_dir();
    if let Some(pool) = pools.get(&place).and_then(Weak::upgrade) {
        return pool;
    }
    let pool = Arc::new(Pool(FairSpillPool::new(bytes(settings))));
    pools.insert(place, Arc::downgrade(&pool));
    pool
}

/// A fair share for each that can spill, but for rows on their way from one partition to another: they are never refused.
///
/// The engine would put rows that are refused into files, and where two of its threads do so at once, a reader waits for ever for a batch in
/// the file that it does not read (apache/datafusion#24883, in 55.2). Rows on their way are few: who sends them waits for who takes them.
#[derive(Debug)]
struct Pool(FairSpillPool);

/// How the engine names those that hold rows on their way.
const ON_THEIR_WAY: &str = "RepartitionExec";

impl MemoryPool for Pool {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.0.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.0.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.0.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.0.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        if reservation.consumer().name().starts_with(ON_THEIR_WAY) {
            self.0.grow(reservation, additional);
            return Ok(());
        }
        self.0.try_grow(reservation, additional)
    }

    fn reserved(&self) -> usize {
        self.0.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.0.memory_limit()
    }
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
