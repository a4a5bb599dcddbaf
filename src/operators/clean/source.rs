//! The table that is cleaned.

use crate::base::Result;
use crate::lake::{At, Batches, Warehouse};

/// The table as it was when the work began: every look at it sees the same records, and what is delivered meanwhile is for the next run.
pub(super) struct Source<'a> {
    pub warehouse: &'a Warehouse,
    pub table: &'a str,
    at: At,
}

impl<'a> Source<'a> {
    /// The table as it is now.
    pub async fn now(warehouse: &'a Warehouse, table: &'a str) -> Result<Self> {
        let at = warehouse.now(table).await?;
        Ok(Self {
            warehouse,
            table,
            at,
        })
    }

    /// The rows of `sql`, a query of the table, in parts that can be read at the same time.
    pub async fn parts(&self, sql: &str) -> Result<Vec<Batches>> {
        self.warehouse.parts(sql, self.at).await
    }
}
