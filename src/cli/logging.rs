//! Remarks of the rooms below, on stderr; `RUST_LOG` chooses others than these.

use std::io::stderr;

use tracing_subscriber::EnvFilter;

/// Shows remarks from `level` up, as `warn`.
pub fn start(level: &str) {
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new(format!("galen={level}")));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_target(false)
        .with_ansi(false);
    // a second start, as in a test, keeps the first
    let _ = subscriber.try_init();
}
