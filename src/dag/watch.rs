//! Tells when the files under `dags/` change.

use std::path::Path;
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use crate::base::{Error, Result};

/// Watches a `dags` directory and what is below it, for as long as it lives.
pub struct DagWatcher {
    changes: mpsc::Receiver<()>,
    /// First and last change that is not reported yet.
    unreported: Option<(Instant, Instant)>,
    _watcher: RecommendedWatcher,
}

/// An editor writes a file in several steps; this long after the last one it is read.
const SETTLE: Duration = Duration::from_millis(200);

/// While something changes all the time, it is read at least this often.
const AT_MOST: Duration = Duration::from_millis(700);

impl DagWatcher {
    /// Starts to watch `dags_dir`, which must exist.
    ///
    /// # Errors
    /// When the system cannot watch it, as with too many watches.
    pub fn new(dags_dir: &Path) -> Result<Self> {
        let failed = |error: notify::Error| {
            Error::new(format!("cannot watch `{}` for changes", dags_dir.display()))
                .because(error)
                .hint("raise fs.inotify.max_user_watches, or restart after each edit")
        };
        // one waiting change is as good as many
        let (sender, changes) = mpsc::channel(1);
        let mut watcher =
            notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
                if event.map_or(true, |event| is_change(&event.kind)) {
                    let _ = sender.try_send(());
                }
            })
            .map_err(failed)?;
        watcher
            .watch(dags_dir, RecursiveMode::Recursive)
            .map_err(failed)?;
        Ok(Self {
            changes,
            unreported: None,
            _watcher: watcher,
        })
    }

    /// Waits until something changed and has settled. May be dropped and called again without losing a change.
    pub async fn changed(&mut self) {
        loop {
            let wait = self
                .unreported
                .map(|(first, last)| (first + AT_MOST).min(last + SETTLE));
            let change = match wait {
                Some(settled) => timeout_at(settled, self.changes.recv()).await,
                None => Ok(self.changes.recv().await),
            };
            let now = Instant::now();
            match (change, self.unreported) {
                (Ok(Some(())), Some((first, _))) if now < first + AT_MOST => {
                    self.unreported = Some((first, now))
                }
                (Ok(Some(())), None) => self.unreported = Some((now, now)),
                // the watcher lives as long as this value, so that the channel never closes
                (Ok(None), None) => std::future::pending().await,
                _ => {
                    self.unreported = None;
                    return;
                }
            }
        }
    }
}

fn is_change(kind: &EventKind) -> bool {
    !matches!(kind, EventKind::Access(_))
}
