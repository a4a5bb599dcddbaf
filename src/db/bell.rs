//! Tells when a database may have been written to, so that nobody need ask it all the time.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{EventKind, RecursiveMode, Watcher};
use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::base::{Error, Result};

/// Rings when the database may have been written to, by this process or another: SQLite's files changed, or a PostgreSQL session notified.
/// It may ring for nothing, and rings that were missed are not made up for on file systems that do not tell of changes: look now and then
/// all the same.
#[derive(Debug)]
pub struct Bell {
    rings: mpsc::Receiver<()>,
    /// It rang and nobody was told yet.
    rang: bool,
    /// When somebody was told last.
    told: Option<Instant>,
    /// What pulls it for as long as it lives: a watcher of files, or a task that listens.
    _ringer: Box<dyn fmt::Debug + Send + Sync>,
}

/// While the database is written to all the time, it is told of no oftener than this.
const REST: Duration = Duration::from_millis(100);
/// Pause before a server that is away is tried again.
const AWAY: Duration = Duration::from_millis(500);

impl Bell {
    /// Rings when the SQLite file at `path`, or its WAL, changes. The folder must exist.
    ///
    /// # Errors
    /// When the system cannot watch it, as with too many watches.
    pub(super) fn on_file(path: &Path) -> Result<Self> {
        let failed = |error: notify::Error| {
            Error::new(format!("cannot watch `{}` for changes", path.display()))
                .because(error)
                .hint("raise fs.inotify.max_user_watches or fs.inotify.max_user_instances")
        };
        let (ring, rings) = mpsc::channel(1);
        let file = path.to_owned();
        let mut watcher =
            notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
                if event.map_or(true, |event| is_write(&event, &file)) {
                    // one waiting ring is as good as many
                    let _ = ring.try_send(());
                }
            })
            .map_err(failed)?;
        // the folder, for the WAL comes and goes
        let folder = path.parent().unwrap_or(path);
        watcher
            .watch(folder, RecursiveMode::NonRecursive)
            .map_err(failed)?;
        Ok(Self::new(rings, watcher))
    }

    /// Rings when a session notifies `channel`. A server that is away is waited for.
    pub(super) fn on_server(pool: PgPool, channel: &'static str) -> Self {
        let (ring, rings) = mpsc::channel(1);
        let mut listening = JoinSet::new();
        listening.spawn(async move {
            loop {
                if let Err(error) = listen(&pool, channel, &ring).await {
                    tracing::debug!(%error, "the database cannot be listened to; trying again");
                }
                sleep(AWAY).await;
            }
        });
        Self::new(rings, listening)
    }

    fn new(rings: mpsc::Receiver<()>, ringer: impl fmt::Debug + Send + Sync + 'static) -> Self {
        Self {
            rings,
            rang: false,
            told: None,
            _ringer: Box::new(ringer),
        }
    }

    /// Waits until it rings. May be dropped and called again without missing a ring.
    pub async fn rung(&mut self) {
        if !self.rang {
            if self.rings.recv().await.is_none() {
                // who rings lives as long as this value
                std::future::pending::<()>().await;
            }
            self.rang = true;
        }
        if let Some(told) = self.told {
            sleep_until(told + REST).await;
        }
        // what rang in between is told of with it
        let _ = self.rings.try_recv();
        self.rang = false;
        self.told = Some(Instant::now());
    }
}

/// Whether the file itself was written to, or one beside it whose name goes on from its name, as its WAL does.
fn is_write(event: &notify::Event, file: &Path) -> bool {
    let file = file.as_os_str().as_encoded_bytes();
    let is_of_file = |path: &PathBuf| path.as_os_str().as_encoded_bytes().starts_with(file);
    !matches!(event.kind, EventKind::Access(_)) && event.paths.iter().any(is_of_file)
}

/// Passes notifications on until the server cannot be reached; a connection that was lost in between counts as one.
async fn listen(
    pool: &PgPool,
    channel: &str,
    ring: &mpsc::Sender<()>,
) -> std::result::Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(channel).await?;
    loop {
        // what was notified before, or while nobody listened, is made up for
        let _ = ring.try_send(());
        listener.try_recv().await?;
    }
}
