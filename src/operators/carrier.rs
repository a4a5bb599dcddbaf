//! Where `ingest` brings the records of a file: a staging table, or a Delta table of layer `bronze`.

use chrono::{DateTime, NaiveDateTime, Utc};

use super::TaskContext;
use crate::base::{Counts, Result, TextBatch};
use crate::lake::{Landing, Warehouse, check_landing_name};
use crate::records::{Delivery, Staging, check_staging_name};

/// A delivery in progress, the same promise on both ways: a cut anywhere loses nothing and repeats nothing.
pub(super) enum Carrier {
    /// Into a staging table, for operational tables.
    Staging(Box<Staging>),
    /// Into a Delta table, for models alone.
    Landing(Box<Landing>),
}

impl Carrier {
    /// What is wrong with `into`, if anything.
    pub fn check_name(into: &str) -> std::result::Result<(), String> {
        match into.contains('.') {
            true => check_landing_name(into),
            false => check_staging_name(into),
        }
    }

    /// Looks how far `delivery` has come.
    pub async fn begin(context: &TaskContext, delivery: Delivery) -> Result<Self> {
        if Warehouse::is_layered(&delivery.into) {
            let landing = Landing::begin(&context.settings, context.dag_id(), delivery).await?;
            return Ok(Self::Landing(Box::new(landing)));
        }
        let staging = Staging::begin(&context.records, delivery).await?;
        Ok(Self::Staging(Box::new(staging)))
    }

    /// Records of the file that were looked at already, and are to be passed over.
    pub fn records_done(&self) -> u64 {
        match self {
            Self::Staging(staging) => staging.records_done(),
            Self::Landing(landing) => landing.records_done(),
        }
    }

    /// Whether nothing is left to do.
    pub fn is_done(&self) -> bool {
        match self {
            Self::Staging(staging) => staging.is_done(),
            Self::Landing(landing) => landing.is_done(),
        }
    }

    /// What became of the records.
    pub fn counts(&self) -> Counts {
        match self {
            Self::Staging(staging) => staging.counts(),
            Self::Landing(landing) => landing.counts(),
        }
    }

    /// Makes the table fit for the file's `columns`; gives the names of those added to a table that was there.
    pub async fn prepare(&mut self, columns: &[String], at: DateTime<Utc>) -> Result<Vec<String>> {
        match self {
            Self::Staging(staging) => staging.prepare(columns, at).await,
            Self::Landing(landing) => landing.prepare(columns),
        }
    }

    /// Takes `batch`, the next records of the file.
    pub async fn write(
        &mut self,
        batch: TextBatch,
        moments: &[Option<NaiveDateTime>],
        at: DateTime<Utc>,
    ) -> Result<()> {
        match self {
            Self::Staging(staging) => staging.write(batch, moments, at).await,
            Self::Landing(landing) => landing.write(batch, moments, at).await,
        }
    }

    /// Keeps what was taken so far.
    pub async fn flush(&mut self, at: DateTime<Utc>) -> Result<()> {
        match self {
            Self::Staging(_) => Ok(()),
            Self::Landing(landing) => landing.flush(at).await,
        }
    }

    /// Notes that the file has no more records.
    pub async fn finish(&mut self, at: DateTime<Utc>) -> Result<()> {
        match self {
            Self::Staging(staging) => staging.finish(at).await,
            Self::Landing(landing) => landing.finish(at).await,
        }
    }
}
