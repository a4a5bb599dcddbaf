//! Who computes now.

use tokio::sync::{Semaphore, SemaphorePermit};

/// Two at a time: where one reads, writes or plans the other computes. More would each have too little of the memory that is set.
static COMPUTING: Semaphore = Semaphore::const_new(ALL as usize);
const ALL: u32 = 2;

/// The right to compute, which is given back when it is dropped.
///
/// Whoever needs the lock of a table as well takes it after, never before: two that did it in different orders would wait for each other.
pub struct Turn(Option<SemaphorePermit<'static>>);

/// Waits until nobody else in this process computes; first come, first served.
pub async fn turn() -> Turn {
    Turn(acquired(ALL).await)
}

/// Waits until at most one other computes.
pub(super) async fn shared_turn() -> Turn {
    Turn(acquired(1).await)
}

impl Turn {
    /// Whether another computes now.
    pub(super) fn has_company(&self) -> bool {
        COMPUTING.available_permits() == 0
    }

    /// Waits until nobody else computes. The lock of no table may be held.
    pub(super) async fn alone(&mut self) {
        if self
            .0
            .as_ref()
            .is_some_and(|held| held.num_permits() == ALL as usize)
        {
            return;
        }
        // given back first: two that waited for each other's would wait for ever
        self.0 = None;
        self.0 = acquired(ALL).await;
    }
}

/// So many permits; nobody ever closes the semaphore.
async fn acquired(permits: u32) -> Option<SemaphorePermit<'static>> {
    COMPUTING.acquire_many(permits).await.ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn is_let(wait: impl Future<Output = Turn>) -> bool {
        let short = Duration::from_millis(50);
        tokio::time::timeout(short, wait).await.is_ok()
    }

    #[tokio::test]
    async fn two_compute_or_one_alone() {
        let (mut first, second) = (shared_turn().await, shared_turn().await);
        assert!(first.has_company());
        assert!(!is_let(shared_turn()).await);
        assert!(!is_let(turn()).await);
        let waits = tokio::spawn(async move {
            first.alone().await;
            first.alone().await;
            assert!(!is_let(shared_turn()).await);
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!waits.is_finished());
        drop(second);
        waits.await.expect("it was alone");
        assert!(is_let(turn()).await);
    }
}
