//! A file on its way into a Delta table, one chunk a commit.

mod chunk;
mod progress;

use std::collections::HashSet;
use std::sync::Arc;

use chrono::{DateTime, NaiveDateTime, Utc};
use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::datatypes::Int64Type;
use deltalake::DeltaTable;
use deltalake::kernel::Transaction;
use deltalake::kernel::transaction::CommitProperties;
use deltalake::operations::write::SchemaMode;
use deltalake::protocol::SaveMode;

use self::chunk::{Chunk, number, unreadable};
use self::progress::{Progress, keep, kept};
use super::compute::{Compute, Joins};
use super::error::delta;
use super::files::records_with_hashes;
use super::lock::TableLock;
use super::provenance::{DELIVERY, QUARANTINE};
use super::warehouse::{provider, quoted};
use super::{LAYERS, Lake};
use crate::base::{BadRecord, Counts, DagId, Error, Result, TextBatch, sha256};
use crate::config::Settings;
use crate::records::{Delivery, check_staged_columns, undated};

/// A delivery in progress.
///
/// Each commit brings a chunk together with how far it came, so that a delivery that was cut off anywhere goes on behind its last chunk,
/// and one that is done adds nothing. Records that cannot be read are committed to the table beside it just before.
pub struct Landing {
    settings: Arc<Settings>,
    lake: Lake,
    delivery: Delivery,
    layer: String,
    table: String,
    /// The delivery in the log.
    id: String,
    stored: Option<DeltaTable>,
    aside: Option<DeltaTable>,
    /// As the table has it.
    progress: Progress,
    /// With what waits in `chunk`.
    next: Progress,
    chunk: Chunk,
    /// Rejects of the next records that the table beside has already: it was cut off between the two commits.
    set_aside: u64,
    _lock: TableLock,
}

impl Landing {
    /// Looks how far `delivery` has come; waits until nobody else writes the table.
    ///
    /// # Errors
    /// When `into` is not a table of a layer, or the tables cannot be read.
    pub async fn begin(
        settings: &Arc<Settings>,
        dag_id: &DagId,
        delivery: Delivery,
    ) -> Result<Self> {
        check_landing_name(&delivery.into).map_err(Error::new)?;
        let (layer, table) = delivery.into.split_once('.').unwrap_or_default();
        let (layer, table) = (layer.to_owned(), table.to_owned());
        let lake = Lake::new(settings, dag_id);
        let lock = lake.lock(&layer, &table).await?;
        let id = progress::id(&delivery);
        let stored = lake.open(&layer, &table).await?;
        let aside = lake.open(&layer, &format!("{table}{QUARANTINE}")).await?;
        let progress = match &stored {
            Some(stored) => Progress::find(stored, &id).await?,
            None => Progress::default(),
        };
        let there = match &aside {
            Some(aside) => kept(aside, &id, "set_aside").await?.unwrap_or_default(),
            None => 0,
        };
        let set_aside = u64::try_from(there)
            .unwrap_or_default()
            .saturating_sub(progress.set_aside);
        let progress = progress.seen_by(progress::number_of(&delivery));
        Ok(Self {
            settings: Arc::clone(settings),
            lake,
            layer,
            table,
            id,
            stored,
            aside,
            next: progress,
            progress,
            chunk: Chunk::default(),
            set_aside,
            delivery,
            _lock: lock,
        })
    }

    /// Records of the file that were looked at already, and are to be passed over.
    pub fn records_done(&self) -> u64 {
        self.progress.records
    }

    /// Whether nothing is left to do.
    pub fn is_done(&self) -> bool {
        self.progress.done
    }

    /// What became of the records that are the delivery's; what another run has landed of them is unchanged.
    pub fn counts(&self) -> Counts {
        self.progress.counts()
    }

    /// Holds the file's `columns` against the table's; gives the names of those that a table that was there will have more.
    ///
    /// # Errors
    /// When the file lacks a column of the table, or its columns cannot be those of a table.
    pub fn prepare(&mut self, columns: &[String]) -> Result<Vec<String>> {
        let present: Vec<String> = match &self.stored {
            None => Vec::new(),
            Some(stored) => {
                let snapshot = stored.snapshot().map_err(delta)?;
                let fields = snapshot.snapshot().arrow_schema();
                fields.fields().iter().map(|f| f.name().clone()).collect()
            }
        };
        let (names, added) =
            check_staged_columns(&self.delivery.into, &self.delivery.file, &present, columns)?;
        self.chunk = Chunk::new(names);
        Ok(added)
    }

    /// Takes `batch`, the next records of the file; commits when there are enough of them. `moments` has the date of each good record
    /// when the delivery has a window, `None` where it cannot be told.
    ///
    /// # Errors
    /// When the table cannot be written; transient when somebody else has written it.
    pub async fn write(
        &mut self,
        mut batch: TextBatch,
        moments: &[Option<NaiveDateTime>],
        at: DateTime<Utc>,
    ) -> Result<()> {
        let looked_at = (batch.len() + batch.rejects.len()) as u64;
        let mut rejects = std::mem::take(&mut batch.rejects);
        let mut places: Vec<usize> = (0..batch.len()).collect();
        if let Some(window) = self.delivery.window {
            let dates = |&place: &usize| moments.get(place).copied().flatten();
            let lost = places.iter().filter(|place| dates(place).is_none());
            rejects.extend(lost.map(|&place| undated(&batch, place)));
            places.retain(|place| dates(place).is_some_and(|date| window.contains(date)));
            let here = self.known(&batch, &places).await?;
            let before = places.len();
            places.retain(|&place| {
                !here.contains(&(number(batch.line(place)), batch.hash(place).to_string()))
            });
            self.next.unchanged += (before - places.len()) as u64;
            self.forget_known(&mut rejects).await?;
        }
        self.next.records += looked_at;
        self.next.inserted += places.len() as u64;
        self.next.quarantined += rejects.len() as u64;
        self.next.set_aside += rejects.len() as u64;
        self.chunk.add(&batch, &places);
        self.chunk.reject(rejects);
        match self.chunk.is_full(self.settings.lake.chunk_records) {
            true => self.commit(at).await,
            false => Ok(()),
        }
    }

    /// Commits what waits.
    ///
    /// # Errors
    /// As [`Landing::write`].
    pub async fn flush(&mut self, at: DateTime<Utc>) -> Result<()> {
        match self.next == self.progress {
            true => Ok(()),
            false => self.commit(at).await,
        }
    }

    /// Commits what waits, and that the file has no more records.
    ///
    /// # Errors
    /// As [`Landing::write`].
    pub async fn finish(&mut self, at: DateTime<Utc>) -> Result<()> {
        self.next.done = true;
        self.commit(at).await
    }

    async fn commit(&mut self, at: DateTime<Utc>) -> Result<()> {
        self.next.by = progress::number_of(&self.delivery);
        let rejects = std::mem::take(&mut self.chunk.rejects);
        let passed = usize::try_from(self.set_aside)
            .unwrap_or(usize::MAX)
            .min(rejects.len());
        self.set_aside -= passed as u64;
        if passed < rejects.len() {
            let batch = unreadable(&rejects[passed..], &self.delivery, &self.id, at)?;
            let action = keep(&self.id, "set_aside", self.next.set_aside);
            let name = format!("{}{QUARANTINE}", self.table);
            let aside = self.aside.take();
            self.aside = Some(self.append(aside, &name, batch, vec![action]).await?);
        }
        let batch = self.chunk.records(&self.delivery, at)?;
        let actions = self.next.actions(&self.id);
        let stored = self.stored.take();
        let table = self.table.clone();
        self.stored = Some(self.append(stored, &table, batch, actions).await?);
        self.progress = self.next;
        Ok(())
    }

    /// Appends `rows` and `actions` in one commit.
    async fn append(
        &self,
        table: Option<DeltaTable>,
        name: &str,
        rows: RecordBatch,
        actions: Vec<Transaction>,
    ) -> Result<DeltaTable> {
        let table = match table {
            Some(table) => table,
            None => self.lake.handle(&self.layer, name)?,
        };
        let compute = Compute::new(&self.settings, Joins::Fast)?;
        let commit = CommitProperties::default().with_application_transactions(actions);
        table
            .write([rows])
            .with_session_state(Arc::new(compute.state()))
            .with_save_mode(SaveMode::Append)
            .with_schema_mode(SchemaMode::Merge)
            .with_writer_properties(records_with_hashes())
            .with_commit_properties(commit)
            .await
            .map_err(delta)
    }

    /// Line and hash of the records of `batch` at `places` that the table has: other windows of the same file have brought them.
    async fn known(&self, batch: &TextBatch, places: &[usize]) -> Result<HashSet<(i64, String)>> {
        let lines = places.iter().map(|&place| batch.line(place));
        let (Some(stored), Some(first), Some(last)) =
            (&self.stored, lines.clone().min(), lines.max())
        else {
            return Ok(HashSet::new());
        };
        self.look_up(stored, &self.table, (first, last), "").await
    }

    /// Takes out of `rejects` what other windows of the same file have set aside.
    async fn forget_known(&self, rejects: &mut Vec<BadRecord>) -> Result<()> {
        let lines = rejects.iter().map(|reject| reject.line);
        let (Some(aside), Some(first), Some(last)) =
            (&self.aside, lines.clone().min(), lines.max())
        else {
            return Ok(());
        };
        let name = format!("{}{QUARANTINE}", self.table);
        let others = format!(" AND {DELIVERY} <> '{}'", self.id);
        let known = self.look_up(aside, &name, (first, last), &others).await?;
        rejects.retain(|reject| {
            !known.contains(&(number(reject.line), sha256(&reject.raw).to_string()))
        });
        Ok(())
    }

    async fn look_up(
        &self,
        table: &DeltaTable,
        name: &str,
        lines: (u64, u64),
        and: &str,
    ) -> Result<HashSet<(i64, String)>> {
        let compute = Compute::new(&self.settings, Joins::Fast)?;
        compute.register(&self.layer, name, provider(table, &compute).await?)?;
        let sql = format!(
            "SELECT _line, CAST(_hash AS TEXT) FROM {} WHERE _file_hash = '{}' AND _line BETWEEN {} AND {}{and}",
            quoted(&format!("{}.{name}", self.layer)),
            self.delivery.file_hash,
            number(lines.0),
            number(lines.1),
        );
        let batches = compute.rows(&sql).await?;
        let mut known = HashSet::new();
        for batch in batches {
            let lines = batch.column(0).as_primitive::<Int64Type>();
            let hashes = super::texts::of(batch.column(1))?;
            let pairs = lines.iter().zip(hashes.iter());
            known.extend(pairs.filter_map(|(line, hash)| Some((line?, hash?.to_owned()))));
        }
        Ok(known)
    }
}

/// Whether `name` can be a table that records land in: `bronze.` and a name.
pub fn check_landing_name(name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let good = name
        .strip_prefix(LAYERS[0])
        .and_then(|rest| rest.strip_prefix('.'))
        .is_some_and(|table| {
            table.starts_with(|c: char| c.is_ascii_lowercase())
                && table.chars().all(plain)
                && table.len() <= 48
                && !table.ends_with(QUARANTINE)
        });
    match good {
        true => Ok(()),
        false => Err(format!(
            "`{name}` cannot be a table that files land in, expected `{0}.` and up to 48 lower-case letters, digits and `_`, a letter first, not ending with `{QUARANTINE}`",
            LAYERS[0]
        )),
    }
}
