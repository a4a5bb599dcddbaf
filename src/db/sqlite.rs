//! A SQLite file: one connection that writes, a few that read.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::fs::{Access, access};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, SqliteConnection};
use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

use super::frozen::Frozen;
use super::work::no_connection;
use crate::base::{Error, Result};

/// Readers at work at the same time, at most.
const MAX_READERS: usize = 4;
/// Readers kept open while nobody reads.
const IDLE_READERS: usize = 2;
/// How long a statement waits for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);
/// Turning a new file to WAL does not wait for another process that does the same, so opening is tried again.
const CONNECT_ATTEMPTS: u32 = 100;
const CONNECT_PAUSE: Duration = Duration::from_millis(20);
/// Page cache of the writer in KiB: upserts by hashed keys touch pages all over the file.
const WRITER_CACHE_KIB: u32 = 32 * 1024;
/// Bytes of a page of a new file. Rows with their audit are long, and every page is written with a call of its own.
const PAGE_BYTES: u32 = 8 * 1024;
/// Pages in the WAL at which the writer copies what is left itself, so that it starts again from the beginning of the WAL: 512 MiB.
/// In a large file nearly every upsert changes pages of its own; the more of them are copied together, the fewer are copied twice.
const MAX_WAL_PAGES: u32 = 64 * 1024;
/// Transactions after which the WAL is copied into the file beside the writer, who need not wait for the disk then.
const CHECKPOINT_AFTER: u32 = 4;

/// The connections of one file, opened when first needed.
///
/// No sqlx pool: a pool keeps timers, and what is wanted here is simpler, one writer in turn.
#[derive(Debug)]
pub(super) struct SqliteFile {
    path: PathBuf,
    writer: Arc<tokio::sync::Mutex<Option<SqliteConnection>>>,
    readers: Arc<Readers>,
}

#[derive(Debug)]
struct Readers {
    idle: Mutex<Vec<Reading>>,
    places: Arc<Semaphore>,
    /// Transactions kept so far.
    transactions: AtomicU32,
}

/// The writer, held by one unit of work.
#[derive(Debug)]
pub(super) struct Writer {
    slot: OwnedMutexGuard<Option<SqliteConnection>>,
    readers: Arc<Readers>,
}

/// A connection to read from.
#[derive(Debug)]
pub(super) struct Reading {
    conn: SqliteConnection,
    /// The file, when it is read without a look at who writes.
    frozen: Option<Frozen>,
}

/// A reader; goes back to its place on drop.
#[derive(Debug)]
pub(super) struct Reader {
    reading: Option<Reading>,
    readers: Arc<Readers>,
    _place: OwnedSemaphorePermit,
}

impl SqliteFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            writer: Arc::default(),
            readers: Arc::new(Readers {
                idle: Mutex::default(),
                places: Arc::new(Semaphore::new(MAX_READERS)),
                transactions: AtomicU32::new(0),
            }),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for the writer's place; creates folder and file when absent.
    pub(super) async fn writer(&self) -> Result<Writer> {
        let mut slot = Arc::clone(&self.writer).lock_owned().await;
        if slot.is_none() {
            if self.is_read_only() {
                return Err(self.unwritable());
            }
            if let Some(folder) = self.path.parent() {
                std::fs::create_dir_all(folder).map_err(|error| {
                    Error::new(format!("cannot create folder `{}`", folder.display()))
                        .hint("make the folder above it writable for this user, or choose another --home")
                        .because(error)
                })?;
            }
            let options = self
                .options()
                .create_if_missing(true)
                .page_size(PAGE_BYTES)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Normal)
                .pragma("cache_size", format!("-{WRITER_CACHE_KIB}"))
                .pragma("wal_autocheckpoint", MAX_WAL_PAGES.to_string())
                // the WAL keeps its space: writing over it is cheaper than growing again
                .pragma(
                    "journal_size_limit",
                    (MAX_WAL_PAGES * PAGE_BYTES).to_string(),
                );
            *slot = Some(self.connect(&options).await?);
        }
        Ok(Writer {
            slot,
            readers: Arc::clone(&self.readers),
        })
    }

    /// Waits for a reader's place; the file must exist.
    pub(super) async fn reader(&self) -> Result<Reader> {
        let place = Arc::clone(&self.readers.places)
            .acquire_owned()
            .await
            .map_err(|_| Error::new("the database was closed"))?;
        let idle = self.readers.idle().pop();
        let reading = match idle {
            Some(reading) => reading,
            None => self.reader_apart().await?,
        };
        Ok(Reader {
            reading: Some(reading),
            readers: Arc::clone(&self.readers),
            _place: place,
        })
    }

    /// A connection to read from that takes nobody's place; the file must exist.
    pub(super) async fn reader_apart(&self) -> Result<Reading> {
        if !self.path.exists() {
            return Err(self.absent());
        }
        let mut options = self.options().pragma("query_only", "1");
        let mut frozen = None;
        if self.is_read_only() {
            // while nobody uses the database, the files of one in use cannot be made by who may not write
            frozen = (!self.is_in_use()).then(|| Frozen::new(&self.path));
            options = options.read_only(true).immutable(frozen.is_some());
        }
        Ok(Reading {
            conn: self.connect(&options).await?,
            frozen,
        })
    }

    /// Whether this user can write neither the file nor, what comes to the same, beside it.
    pub(super) fn is_read_only(&self) -> bool {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let writable = |path: &Path| access(path, Access::WRITE_OK).is_ok();
        self.path.exists() && !(writable(&self.path) && writable(folder))
    }

    /// Whether somebody has the file open, or has left something that belongs into it.
    fn is_in_use(&self) -> bool {
        let beside = |end: &str| {
            let mut path = self.path.clone().into_os_string();
            path.push(end);
            std::fs::metadata(path).ok()
        };
        let wal = beside("-wal");
        wal.is_some_and(|wal| wal.len() > 0 || beside("-shm").is_some())
    }

    fn options(&self) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(&self.path)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
            .statement_cache_capacity(200)
            .disable_statement_logging()
    }

    async fn connect(&self, options: &SqliteConnectOptions) -> Result<SqliteConnection> {
        let mut attempts = 0;
        loop {
            let error = match Self::opened(options).await {
                Ok(conn) => return Ok(conn),
                Err(error) => Error::from(error),
            };
            attempts += 1;
            if !error.is_transient() || attempts == CONNECT_ATTEMPTS {
                return Err(error.at(format!("`{}`", self.path.display())));
            }
            tokio::time::sleep(CONNECT_PAUSE).await;
        }
    }

    /// A connection that has read something: SQLite looks at a file only then.
    async fn opened(options: &SqliteConnectOptions) -> sqlx::Result<SqliteConnection> {
        let mut conn = options.connect().await?;
        let looked = sqlx::query("SELECT 1 FROM sqlite_schema LIMIT 1");
        looked.fetch_optional(&mut conn).await?;
        Ok(conn)
    }

    fn unwritable(&self) -> Error {
        Error::new(format!(
            "database `{}` cannot be written",
            self.path.display()
        ))
        .hint("make the file and its folder writable for this user")
    }

    fn absent(&self) -> Error {
        if let Err(error) = self.path.try_exists() {
            return Error::new(format!("database `{}` cannot be read", self.path.display()))
                .hint("make its folder readable for this user")
                .because(error);
        }
        Error::new(format!("database `{}` does not exist", self.path.display()))
            .hint("`galen db migrate` creates it; --home says where to look")
    }
}

impl Readers {
    fn at_hand(readers: &Arc<Self>) -> Option<Reader> {
        let place = Arc::clone(&readers.places).try_acquire_owned().ok()?;
        Some(Reader {
            reading: Some(readers.idle().pop()?),
            readers: Arc::clone(readers),
            _place: place,
        })
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Reading>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    pub(super) fn conn(&mut self) -> Option<&mut SqliteConnection> {
        self.slot.as_mut()
    }

    /// Closes the connection, and with it whatever it was in the middle of.
    pub(super) fn close(&mut self) {
        self.slot.take();
    }

    /// Counts a transaction that was kept; now and then copies the WAL into the file while the writer goes on.
    pub(super) fn committed(&self) {
        let before = self.readers.transactions.fetch_add(1, Ordering::Relaxed);
        if !(before + 1).is_multiple_of(CHECKPOINT_AFTER) {
            return;
        }
        // without a reader at hand it can wait
        if let Some(mut reader) = Readers::at_hand(&self.readers) {
            tokio::spawn(async move {
                if let Ok(conn) = reader.conn() {
                    // what it leaves over the writer copies
                    let _ = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)")
                        .execute(conn)
                        .await;
                }
            });
        }
    }
}

impl Reading {
    /// The connection.
    ///
    /// # Errors
    /// As [`Frozen::check`].
    pub(super) fn conn(&mut self) -> Result<&mut SqliteConnection> {
        if let Some(frozen) = &self.frozen {
            frozen.check()?;
        }
        Ok(&mut self.conn)
    }
}

impl Reader {
    /// # Errors
    /// As [`Reading::conn`].
    pub(super) fn conn(&mut self) -> Result<&mut SqliteConnection> {
        match &mut self.reading {
            Some(reading) => reading.conn(),
            None => Err(no_connection()),
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut idle = self.readers.idle();
        let reading = self.reading.take();
        // a file that was found with nobody at it may be in use the next time
        let reading = reading.filter(|reading| reading.frozen.is_none());
        if idle.len() < IDLE_READERS {
            idle.extend(reading);
        }
    }
}
