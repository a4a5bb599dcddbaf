//! How far a delivery has come, as the log of its Delta table says: kept as `txn` actions of the commits that bring its rows.

use deltalake::DeltaTable;
use deltalake::kernel::Transaction;

use crate::base::{Counts, Result, sha256};
use crate::lake::error::delta;
use crate::records::Delivery;

/// How far one delivery has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// Records of the file that were looked at, good and bad.
    pub records: u64,
    /// Whether that is all of them.
    pub done: bool,
    /// What became of those that are the delivery's.
    pub inserted: u64,
    pub unchanged: u64,
    pub quarantined: u64,
    /// Rows set aside, whoever came so far.
    pub set_aside: u64,
    /// A number for the run and task that came so far.
    pub by: i64,
}

/// The identifier of `delivery` in the log: file, layout and window.
pub(super) fn id(delivery: &Delivery) -> String {
    let (start, end) = delivery.window_texts();
    format!("{}/{}/{start}/{end}", delivery.file_hash, delivery.layout)
}

/// A number for a task of a run.
pub(super) fn number_of(delivery: &Delivery) -> i64 {
    let name = format!("{}\n{}", delivery.run_id, delivery.task_id);
    let digest = sha256(name).0;
    let mut head = [0; 8];
    head.copy_from_slice(&digest[..8]);
    i64::from_be_bytes(head) & i64::MAX
}

/// The number that the log of `table` keeps as `part` of the delivery `id`.
pub(super) async fn kept(table: &DeltaTable, id: &str, part: &str) -> Result<Option<i64>> {
    let log = table.log_store();
    let snapshot = table.snapshot().map_err(delta)?;
    snapshot
        .transaction_version(log.as_ref(), format!("{id}/{part}"))
        .await
        .map_err(delta)
}

/// The action that keeps `number` as `part` of the delivery `id`.
pub(super) fn keep(id: &str, part: &str, number: u64) -> Transaction {
    Transaction::new(
        format!("{id}/{part}"),
        i64::try_from(number).unwrap_or(i64::MAX),
    )
}

impl Progress {
    /// The progress of the delivery `id`, at the start when there is none.
    pub async fn find(table: &DeltaTable, id: &str) -> Result<Self> {
        let Some(records) = kept(table, id, "records").await? else {
            return Ok(Self::default());
        };
        let of = async |part: &str| -> Result<i64> {
            Ok(kept(table, id, part).await?.unwrap_or_default().max(0))
        };
        Ok(Self {
            records: records.max(0) as u64,
            done: of("done").await? > 0,
            inserted: of("inserted").await? as u64,
            unchanged: of("unchanged").await? as u64,
            quarantined: of("quarantined").await? as u64,
            set_aside: of("set_aside").await? as u64,
            by: of("by").await?,
        })
    }

    /// The actions that keep it.
    pub fn actions(&self, id: &str) -> Vec<Transaction> {
        let parts = [
            ("records", self.records),
            ("done", u64::from(self.done)),
            ("inserted", self.inserted),
            ("unchanged", self.unchanged),
            ("quarantined", self.quarantined),
            ("set_aside", self.set_aside),
            ("by", self.by as u64),
        ];
        parts
            .into_iter()
            .map(|(part, number)| keep(id, part, number))
            .collect()
    }

    /// The same, as the task numbered `by` reports it: what another has landed is unchanged.
    pub fn seen_by(mut self, by: i64) -> Self {
        if self.records > 0 && self.by != by {
            self.unchanged += self.inserted + self.quarantined;
            self.inserted = 0;
            self.quarantined = 0;
        }
        self
    }

    /// What became of the records.
    pub fn counts(&self) -> Counts {
        Counts {
            read: self.inserted + self.unchanged + self.quarantined,
            inserted: self.inserted,
            unchanged: self.unchanged,
            quarantined: self.quarantined,
            ..Counts::default()
        }
    }
}
