//! Who computes now.

use tokio::sync::{Mutex, MutexGuard};

/// One computation takes all processors and all the memory that is set; two at once would each have half and spill the more.
static COMPUTING: Mutex<()> = Mutex::const_new(());

/// The right to compute, which is given back when it is dropped.
pub struct Turn(#[expect(dead_code, reason = "held, never looked at")] MutexGuard<'static, ()>);

/// Waits until nobody else in this process computes; first come, first served. Whoever needs the lock of a table as well takes it after,
/// never before: two that did it in different orders would wait for each other.
pub async fn turn() -> Turn {
    Turn(COMPUTING.lock().await)
}
