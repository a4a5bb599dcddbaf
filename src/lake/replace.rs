//! Tables that a task reads and writes as a whole.

use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::execution::SendableRecordBatchStream;
use deltalake::DeltaTable;

use super::build::care::{Care, care};
use super::build::write::{kept, overwrite};
use super::compute::{ASIDE, Compute, Joins};
use super::error::delta;
use super::incoming::Incoming;
use super::lock::TableLock;
use super::types::kept_schema;
use super::{At, MadeOf, Warehouse};
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

/// Rows of which some stand in the place of others.
pub struct Later<'a> {
    /// The rows, with a column more than the table has.
    pub rows: Incoming,
    /// Of rows with equal values here, none of them null, one is kept,
    pub key: &'a [String],
    /// namely that with the greatest value in this column, the one more.
    pub place: &'a str,
}

const LATER: &str = "later";

impl Later<'_> {
    /// The query for those that are kept.
    fn sql(&self, columns: &str) -> String {
        let key: Vec<String> = self.key.iter().map(|name| quote(name)).collect();
        format!(
            "SELECT {columns} FROM (SELECT *, row_number() OVER (PARTITION BY {} ORDER BY {} DESC) AS _nth FROM {ASIDE}.{LATER}) \
             WHERE _nth = 1 OR {} IS NULL",
            key.join(", "),
            quote(self.place),
            key.join(" IS NULL OR "),
        )
    }
}

impl Warehouse {
    /// The columns of a table that is there.
    ///
    /// # Errors
    /// When it is not there or cannot be read.
    pub async fn stored_columns(&self, full_name: &str) -> Result<SchemaRef> {
        let stored = self.stored(full_name).await?;
        let snapshot = stored.snapshot().map_err(delta)?;
        Ok(snapshot.snapshot().arrow_schema())
    }

    /// The table as it is now, for queries that are to see the same rows whatever is written meanwhile.
    ///
    /// # Errors
    /// As [`Warehouse::stored_columns`].
    pub async fn now(&self, full_name: &str) -> Result<At> {
        let stored = self.stored(full_name).await?;
        Ok(At::Version(stored.version().unwrap_or(0)))
    }

    async fn stored(&self, full_name: &str) -> Result<DeltaTable> {
        let (layer, table) = full_name.split_once('.').unwrap_or_default();
        let stored = self.lake.open(layer, table).await?;
        stored.ok_or_else(|| {
            Error::new(format!("table `{full_name}` is not there yet"))
                .hint("the task that writes it must have run before: name it under `depends_on`")
        })
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

    /// The rows of `sql` over tables as they were at `at`, in parts that can be read at the same time, each batch by batch.
    ///
    /// # Errors
    /// As [`Warehouse::query`].
    pub async fn parts(&self, sql: &str, at: At) -> Result<Vec<SendableRecordBatchStream>> {
        self.query(sql, Some(at)).await?.parts().await
    }

    /// Puts `rows` and `later` in the place of the table's, in one commit: readers see the old rows or the new ones, and when the rows break
    /// off the table stays. The commit says what the rows are `made_of`. Whoever calls this holds the lock of the table, or of one that stands for it.
    ///
    /// # Errors
    /// When the rows break off or the table cannot be written.
    pub async fn replace(
        &self,
        full_name: &str,
        rows: Incoming,
        later: Option<Later<'_>>,
        partition_by: &[String],
        made_of: Option<MadeOf>,
    ) -> Result<Replaced> {
        let (layer, table) = full_name.split_once('.').unwrap_or_default();
        let compute = Compute::new(&self.settings, Joins::Fast)?;
        let rows = rows.table()?;
        let columns = rows.schema();
        let columns = columns.fields().iter().map(|field| quote(field.name()));
        let columns: Vec<String> = columns.collect();
        let columns = columns.join(", ");
        let mut sql = format!("SELECT {columns} FROM {ASIDE}.incoming");
        if let Some(later) = later {
            sql.push_str(&format!(" UNION ALL {}", later.sql(&columns)));
            compute.register(ASIDE, LATER, later.rows.table()?)?;
        }
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
