//! Tables that a task reads and writes as a whole.

use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::execution::SendableRecordBatchStream;

use super::build::care::{Care, care};
use super::build::write::{kept, overwrite};
use super::compute::{ASIDE, Compute, Joins};
use super::error::delta;
use super::incoming::Incoming;
use super::lock::TableLock;
use super::types::kept_schema;
use super::{MadeOf, Warehouse};
use crate::base::{Error, Result};
use crate::db::quote;

/// What became of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replaced {
    /// Its Delta version.
    pub version: u64,
    /// Its rows.
    pub rows: u64,
}

impl Warehouse {
    /// The columns of a table that is there.
    ///
    /// # Errors
    /// When it is not there or cannot be read.
    pub async fn stored_columns(&self, full_name: &str) -> Result<SchemaRef> {
        let (layer, table) = full_name.split_once('.').unwrap_or_default();
        let stored = self.lake.open(layer, table).await?;
        let stored = stored.ok_or_else(|| {
            Error::new(format!("table `{full_name}` is not there yet"))
                .hint("the task that writes it must have run before: name it under `depends_on`")
        })?;
        let snapshot = stored.snapshot().map_err(delta)?;
        Ok(snapshot.snapshot().arrow_schema())
    }

    /// Waits until nobody else writes the table.
    ///
    /// # Errors
    /// When its folder cannot be written.
    pub async fn lock(&self, full_name: &str) -> Result<TableLock> {
        let (layer, table) = full_name.split_once('.').unwrap_or_default();
        self.lake.lock(layer, table).await
    }

    /// The rows of `sql`, batch by batch.
    ///
    /// # Errors
    /// As [`Warehouse::query`].
    pub async fn batches(&self, sql: &str) -> Result<SendableRecordBatchStream> {
        self.query(sql, None).await?.stream().await
    }

    /// Puts `rows` in the place of the table's, in one commit: readers see the old rows or the new ones, and when the rows break off the
    /// table stays. Of rows with equal values in `latest.0`, none of them null, the one with the greatest value in column `latest.1`
    /// is kept; that column is not. The commit says what the rows are `made_of`. Whoever calls this holds the lock of the table, or of one that stands for it.
    ///
    /// # Errors
    /// When the rows break off or the table cannot be written.
    pub async fn replace(
        &self,
        full_name: &str,
        rows: Incoming,
        latest: Option<(&[String], &str)>,
        partition_by: &[String],
        made_of: Option<MadeOf>,
    ) -> Result<Replaced> {
        let (layer, table) = full_name.split_once('.').unwrap_or_default();
        let compute = Compute::new(&self.settings, Joins::Fast)?;
        let rows = rows.table()?;
        let sql = match latest {
            None => format!("SELECT * FROM {ASIDE}.incoming"),
            Some((key, place)) => {
                let columns = rows.schema();
                let columns = columns.fields().iter().map(|field| field.name());
                let columns: Vec<String> = columns
                    .filter(|name| *name != place)
                    .map(|name| quote(name))
                    .collect();
                let key: Vec<String> = key.iter().map(|name| quote(name)).collect();
                format!(
                    "SELECT {} FROM (SELECT *, row_number() OVER (PARTITION BY {} ORDER BY {} DESC) AS _nth FROM {ASIDE}.incoming) \
                     WHERE _nth = 1 OR {} IS NULL",
                    columns.join(", "),
                    key.join(", "),
                    quote(place),
                    key.join(" IS NULL OR "),
                )
            }
        };
        compute.register(ASIDE, "incoming", rows)?;
        let frame = compute.query(&sql).await?;
        let schema = Arc::new(kept_schema(frame.schema().as_arrow())?);
        let frame = kept(frame, &schema)?;
        let stored = self.lake.open_or_new(layer, table).await?;
        let properties = MadeOf::commit(made_of);
        let (stored, rows) = overwrite(stored, frame, &compute, partition_by, properties).await?;
        Ok(Replaced {
            version: stored.version().unwrap_or(0),
            rows,
        })
    }

    /// Looks after the files of a table, if it is there. Whoever calls this holds the lock of the table, or of one that stands for it.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn care(&self, full_name: &str, wanted: Care<'_>) -> Result<()> {
        let (layer, table) = full_name.split_once('.').unwrap_or_default();
        if !wanted.is_any() {
            return Ok(());
        }
        let Some(table) = self.lake.open(layer, table).await? else {
            return Ok(());
        };
        let compute = Compute::new(&self.settings, Joins::Fast)?;
        care(table, wanted, &compute).await
    }

    /// The rows of a query, counted.
    ///
    /// # Errors
    /// As [`Warehouse::query`].
    pub async fn count_rows_of(&self, sql: &str) -> Result<u64> {
        let sql = format!(
            "SELECT count(*) FROM ({}) AS counted",
            sql.trim().trim_end_matches(';')
        );
        let compute = self.session(&sql, None).await?;
        let numbers = super::warehouse::numbers(&compute, &sql).await?;
        Ok(numbers.first().copied().unwrap_or(0))
    }
}
