//! Rows on the way back, kept on disk, so that they may be many.

use std::collections::BTreeMap;

use datafusion::logical_expr::LogicalPlan;

use crate::base::Result;
use crate::lake::Warehouse;
use crate::lake::build::Aside;
use crate::lake::compute::{ASIDE, Compute, Joins, scratch_folder};

/// For tables on the way, the columns that name those of their rows that had a part.
pub(super) struct Held {
    pub compute: Compute,
    aside: Aside,
    parts: BTreeMap<String, Vec<(u64, String)>>,
    next: usize,
}

impl Held {
    /// Nothing held yet.
    ///
    /// # Errors
    /// When there is no room on the disk.
    pub fn new(warehouse: &Warehouse) -> Result<Self> {
        let settings = &warehouse.settings;
        Ok(Self {
            compute: Compute::new(settings, Joins::Fast)?,
            aside: Aside::new(scratch_folder(settings)?)?,
            parts: BTreeMap::new(),
            next: 0,
        })
    }

    /// Holds the rows of `plan` for `table`, besides those that are held. Gives their number.
    pub async fn hold(&mut self, table: &str, plan: LogicalPlan) -> Result<u64> {
        let name = format!("part_{}", self.next);
        self.next += 1;
        let frame = self.compute.frame(plan);
        let rows = self.aside.keep(&self.compute, &name, frame).await?;
        let parts = self.parts.entry(table.to_owned()).or_default();
        parts.push((rows, name));
        Ok(rows)
    }

    /// All rows that are held for `table`, each once: their number, and the name under which they are in schema [`ASIDE`]; they are
    /// held no more. `None` when none were ever asked for.
    pub async fn gather(&mut self, table: &str) -> Result<Option<(u64, String)>> {
        let Some(parts) = self.parts.remove(table) else {
            return Ok(None);
        };
        if let [one] = &parts[..] {
            return Ok(Some(one.clone()));
        }
        let selects = parts
            .iter()
            .map(|(_, name)| format!("SELECT * FROM {ASIDE}.{name}"));
        let sql = selects.collect::<Vec<String>>().join(" UNION ");
        let name = format!("all_{}", self.next);
        self.next += 1;
        let frame = self.compute.query(&sql).await?;
        let rows = self.aside.keep(&self.compute, &name, frame).await?;
        Ok(Some((rows, name)))
    }

    /// The tables of which rows are held, by name.
    pub fn tables(&self) -> Vec<String> {
        self.parts.keys().cloned().collect()
    }
}
