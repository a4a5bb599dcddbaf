//! Rows that wait on disk for their turn.

use super::build::Aside;
use super::compute::{ASIDE, Compute, Joins};
use super::error::running;
use super::incoming::Incoming;
use super::{Batches, Warehouse};
use crate::base::Result;
use crate::db::quote;

/// Rows that wait; gone when dropped.
pub struct Waiting {
    compute: Compute,
    _aside: Aside,
}

impl Warehouse {
    /// Keeps `rows` aside. Whoever calls this holds the lock of the table, or of one that stands for it.
    ///
    /// # Errors
    /// When the rows break off or cannot be kept.
    pub async fn wait(&self, full_name: &str, rows: Incoming) -> Result<Waiting> {
        let (layer, table) = full_name.split_once('.').unwrap_or_default();
        let compute = Compute::new(&self.settings, Joins::Fast)?;
        compute.register(ASIDE, "incoming", rows.table()?)?;
        let mut aside = Aside::new(self.lake.aside(layer, table))?;
        let frame = compute
            .query(&format!("SELECT * FROM {ASIDE}.incoming"))
            .await?;
        aside.keep(&compute, WAITING, frame).await?;
        Ok(Waiting {
            compute,
            _aside: aside,
        })
    }
}

const WAITING: &str = "waiting";

impl Waiting {
    /// The rows in the order of the columns `order`.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn in_order(&self, order: &[&str]) -> Result<Batches> {
        let order: Vec<String> = order.iter().map(|name| quote(name)).collect();
        let mut sql = format!("SELECT * FROM {ASIDE}.{WAITING}");
        if !order.is_empty() {
            sql.push_str(&format!(" ORDER BY {}", order.join(", ")));
        }
        let frame = self.compute.query(&sql).await?;
        frame.execute_stream().await.map_err(running)
    }
}
