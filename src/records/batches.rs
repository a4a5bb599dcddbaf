//! Batches on their way into the tables, a few to a transaction.

use chrono::{DateTime, Utc};

use super::Records;
use super::batch::{self, Batch, Head, Writer, Written};
use crate::base::Result;
use crate::db::Tx;

/// Batches of one transaction, at most. Hashed keys are spread all over their indexes: eight batches write to few more pages than one.
const BATCHES: usize = 8;
/// Records at which a transaction ends.
const RECORDS: usize = 4_000;

/// Batches that a task writes one after the other, each as a whole or not at all.
///
/// A transaction takes a few of them; what is not committed when this is dropped was never there.
pub struct Batches {
    records: Records,
    writer: Writer,
    open: Option<Open>,
}

/// A transaction and what it has.
struct Open {
    tx: Tx,
    head: Head,
    batches: usize,
    records: usize,
}

impl Open {
    async fn begin(records: &Records) -> Result<Self> {
        let mut tx = records.begin().await?;
        Ok(Self {
            head: Head::read(tx.conn()?).await?,
            tx,
            batches: 0,
            records: 0,
        })
    }
}

impl Batches {
    /// None written yet.
    pub fn new(records: Records, writer: Writer) -> Self {
        Self {
            records,
            writer,
            open: None,
        }
    }

    /// Writes `batch`: tables, row audit, quarantine, and the records' `_processed`. It is sure to be kept after the next
    /// [`Batches::commit`].
    ///
    /// # Errors
    /// A transient one when another task has taken one of the records meanwhile; the database's otherwise. Nothing since the last commit
    /// is kept then.
    pub async fn write(&mut self, batch: Batch<'_>, at: DateTime<Utc>) -> Result<Written> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => Open::begin(&self.records).await?,
        };
        open.batches += 1;
        open.records += batch.delivered.len();
        let written =
            batch::write(open.tx.conn()?, &self.writer, &mut open.head, batch, at).await?;
        let is_full = open.batches >= BATCHES || open.records >= RECORDS;
        self.open = Some(open);
        if is_full {
            self.commit().await?;
        }
        Ok(written)
    }

    /// Whether all that was written is kept.
    pub fn are_kept(&self) -> bool {
        self.open.is_none()
    }

    /// Keeps what was written.
    ///
    /// # Errors
    /// The database's. Nothing since the last commit is kept then.
    pub async fn commit(&mut self) -> Result<()> {
        match self.open.take() {
            Some(open) => open.tx.commit().await,
            None => Ok(()),
        }
    }
}
