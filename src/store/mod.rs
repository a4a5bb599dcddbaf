//! Run metadata on SQLite or PostgreSQL: DAG versions, runs, task instances, tries, events, leases, backfills.
//!
//! Belongs here: what is remembered about runs, and the one door ([`Store::apply`]) through which it changes.
//! Does not belong here: what should happen next (`engine`), and any row of a DAG's own tables (`records`).

mod backfill;
mod change;
mod door;
mod event;
mod group;
mod lease;
mod run;
mod task;
mod tries;
mod verify;
mod version;

use chrono::{DateTime, Utc};

use crate::base::Result;
use crate::config::Settings;
use crate::db::{Bell, Database, Migration, MigrationStatus};

pub use backfill::{Backfill, BackfillDate, BackfillState};
pub use change::{Change, NewBackfill, NewRun, NewVersion, Refusal};
pub use event::{EventFilter, RawEvent};
pub use lease::Lease;
pub use run::{Run, RunFilter};
pub use task::TaskInstance;
pub use tries::{Try, TryState};
pub use verify::{Anchor, Break, BreakKind, Verification};
pub use version::{RegisteredDag, StoredVersion};

const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    name: "runs",
    sqlite: include_str!("../../migrations/sqlite/0001_runs.sql"),
    postgres: include_str!("../../migrations/postgres/0001_runs.sql"),
}];

/// The run metadata of an installation; clones share its connections.
#[derive(Debug, Clone)]
pub struct Store {
    database: Database,
}

impl Store {
    /// The store these settings lead to. Connects when first used and does not migrate.
    ///
    /// # Errors
    /// When the database URL cannot be read. Must be called inside a tokio runtime.
    pub fn open(settings: &Settings) -> Result<Self> {
        Ok(Self {
            database: Database::metadata(settings)?,
        })
    }

    /// Brings the tables up to date and returns how many migrations that took.
    ///
    /// # Errors
    /// When the database cannot be reached or written, or was made by a newer version.
    pub async fn migrate(&self, at: DateTime<Utc>) -> Result<usize> {
        self.database.migrate(MIGRATIONS, at).await
    }

    /// Which migrations were applied.
    ///
    /// # Errors
    /// As for [`Store::migrate`].
    pub async fn migration_status(&self) -> Result<Vec<MigrationStatus>> {
        self.database.migration_status(MIGRATIONS).await
    }

    /// What rings when another process may have written events. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// When the system cannot watch the file.
    pub fn bell(&self) -> Result<Bell> {
        self.database.bell("galen")
    }

    /// Where the store is, for people.
    pub fn place(&self) -> String {
        self.database.place()
    }
}
