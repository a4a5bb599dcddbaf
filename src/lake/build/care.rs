//! The files of a Delta table, laid out and cleared away.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use deltalake::DeltaTable;
use deltalake::kernel::transaction::CommitProperties;
use deltalake::operations::optimize::OptimizeType;
use deltalake::operations::vacuum::VacuumMode;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use serde_json::json;

use super::Building;
use super::unfinished::remove_unfinished;
use crate::base::{Error, Result};
use crate::lake::compute::Compute;
use crate::lake::error::delta;
use crate::lake::files::plain_rows;
use crate::lake::model::Header;

/// How the files of a table are looked after.
#[derive(Debug, Clone, Copy, Default)]
pub struct Care<'a> {
    /// Whether small files are put together when rows were written.
    pub optimize: bool,
    /// Columns by which rows are laid out in files; none: as they come.
    pub zorder_by: &'a [String],
    /// Files that no version younger than this needs are deleted.
    pub vacuum: Option<Duration>,
}

impl Care<'_> {
    /// Whether anything is asked for.
    pub(in crate::lake) fn is_any(&self) -> bool {
        self.vacuum.is_some() || self.lays_out()
    }

    fn lays_out(&self) -> bool {
        self.optimize || !self.zorder_by.is_empty()
    }
}

impl Header {
    /// How the model's files are looked after.
    pub(in crate::lake) fn care(&self) -> Care<'_> {
        Care {
            optimize: self.optimize,
            zorder_by: &self.zorder_by,
            vacuum: self.vacuum,
        }
    }
}

/// The library's own entry in the log does not say by which columns rows were laid out; other writers of Delta tables do, under this name.
const ORDER: &str = "zOrderBy";

/// Lays out the files of `table`, if that was not done since rows were written last, and clears them away.
pub(in crate::lake) async fn care(
    mut table: DeltaTable,
    care: Care<'_>,
    compute: &Compute,
) -> Result<()> {
    if care.lays_out() && !is_laid_out(&table, care).await? {
        let kind = match care.zorder_by {
            [] => OptimizeType::Compact,
            columns => OptimizeType::ZOrder(columns.to_vec()),
        };
        let told = (!care.zorder_by.is_empty()).then(|| (ORDER.to_owned(), json!(care.zorder_by)));
        (table, _) = table
            .optimize()
            .with_type(kind)
            .with_session_state(Arc::new(compute.state()))
            .with_writer_properties(plain_rows())
            .with_commit_properties(CommitProperties::default().with_metadata(told))
            .await
            .map_err(delta)?;
    }
    if let Some(retention) = care.vacuum {
        clear(table, retention).await?;
    }
    Ok(())
}

/// Whether the newest rows lie in files as wanted. The log decides, not whether this run has written rows: the one that has may have been
/// cut off before it came to lay them out.
async fn is_laid_out(table: &DeltaTable, care: Care<'_>) -> Result<bool> {
    let mut commits = table.history(None);
    while let Some(commit) = commits.try_next().await.map_err(delta)? {
        let operation = commit.operation.as_deref().unwrap_or_default();
        match operation {
            // they leave rows and files that are in use as they are
            "VACUUM START" | "VACUUM END" => {}
            "OPTIMIZE" => {
                let order = commit.info.get(ORDER);
                return Ok(care.zorder_by.is_empty() || order == Some(&json!(care.zorder_by)));
            }
            _ => return Ok(false),
        }
    }
    Ok(false)
}

/// Deletes the files that no version younger than `retention` needs, if there are any: else the log would grow with every look.
async fn clear(table: DeltaTable, retention: Duration) -> Result<()> {
    remove_unfinished(&table, retention)?;
    let retention = TimeDelta::from_std(retention)
        .map_err(|error| Error::new("`vacuum` is too long a time").because(error))?;
    let vacuum = |table: &DeltaTable| {
        let table = table.clone();
        table
            .vacuum()
            .with_retention_period(retention)
            .with_enforce_retention_duration(false)
            .with_mode(VacuumMode::Full)
    };
    let (_, planned) = vacuum(&table).with_dry_run(true).await.map_err(delta)?;
    // files that were deleted long ago are planned again and again
    let store = table.object_store();
    let there = stream::iter(planned.files_deleted)
        .map(|path| {
            let store = Arc::clone(&store);
            async move {
                // as it is, for values of partition columns are escaped in it
                let path = Path::parse(path);
                match path {
                    Ok(path) => store.head(&path).await.is_ok(),
                    Err(_) => false,
                }
            }
        })
        .buffer_unordered(LOOKS)
        .any(std::future::ready)
        .await;
    if there {
        vacuum(&table).await.map_err(delta)?;
    }
    Ok(())
}

/// Files that are looked for at the same time.
const LOOKS: usize = 16;

impl Building<'_> {
    /// Lays out and clears away files, as the header says.
    pub(super) async fn care(&self) -> Result<()> {
        let wanted = self.model.header.care();
        if !wanted.is_any() {
            return Ok(());
        }
        let (layer, name) = (&self.model.layer, &self.model.name);
        let table = self.lake.open(layer, name).await?;
        let table =
            table.ok_or_else(|| Error::new("a table is gone that was just written").transient())?;
        care(table, wanted, &self.compute).await
    }
}
