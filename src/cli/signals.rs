//! Ctrl-C and SIGTERM.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::base::{Error, Result};

/// Exit code of a process that was told twice to stop, as shells know it.
const INTERRUPTED: i32 = 130;

/// Fires at the first SIGINT or SIGTERM; the second ends the process at once, which loses nothing that was recorded.
///
/// # Errors
/// When the handlers cannot be installed.
pub fn stop_on_signal() -> Result<CancellationToken> {
    let failed = |error| Error::new("cannot watch for signals").because(error);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let stop = CancellationToken::new();
    let first = stop.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if first.is_cancelled() {
                std::process::exit(INTERRUPTED);
            }
            first.cancel();
        }
    });
    Ok(stop)
}
