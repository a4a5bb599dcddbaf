//! Writing a whole Delta table, and keeping its files in order.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Column;
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::{Expr, cast};
use deltalake::DeltaTable;
use deltalake::kernel::transaction::CommitProperties;
use deltalake::operations::optimize::OptimizeType;
use deltalake::operations::vacuum::VacuumMode;
use deltalake::operations::write::SchemaMode;
use deltalake::protocol::SaveMode;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::ObjectStoreExt;

use super::Building;
use crate::base::{Error, Result};
use crate::lake::compute::Compute;
use crate::lake::error::{delta, planning};
use crate::lake::model::Header;

/// The rows of `frame` with the types of `schema`, whose columns are the frame's.
pub(in crate::lake) fn kept(frame: DataFrame, schema: &SchemaRef) -> Result<DataFrame> {
    let given = frame.schema().clone();
    let columns = given
        .iter()
        .zip(schema.fields())
        .map(|((qualifier, field), kept)| {
            let column = Expr::Column(Column::new(qualifier.cloned(), field.name()));
            let column = match field.data_type() == kept.data_type() {
                true => column,
                false => cast(column, kept.data_type().clone()),
            };
            column.alias(field.name())
        });
    let columns: Vec<Expr> = columns.collect();
    frame.select(columns).map_err(planning)
}

/// Puts the rows of `frame` in the place of those of `table`, which may be still to be written; readers see the old rows or the new
/// ones. The commit says `properties` too. Gives the table as it is then and the number of rows.
pub(in crate::lake) async fn overwrite(
    table: DeltaTable,
    frame: DataFrame,
    compute: &Compute,
    partition_by: &[String],
    properties: CommitProperties,
) -> Result<(DeltaTable, u64)> {
    let written = table
        .write(Vec::new())
        .with_input_plan(frame.into_unoptimized_plan())
        .with_session_state(Arc::new(compute.state()))
        .with_save_mode(SaveMode::Overwrite)
        .with_schema_mode(SchemaMode::Overwrite)
        .with_partition_columns(partition_by.to_vec())
        .with_commit_properties(properties)
        .await
        .map_err(delta)?;
    let last: Vec<_> = written
        .history(Some(1))
        .try_collect()
        .await
        .map_err(delta)?;
    let metrics = last
        .first()
        .and_then(|commit| commit.info.get("operationMetrics"));
    let rows = metrics.and_then(|metrics| metrics.get("num_added_rows")?.as_u64());
    Ok((written, rows.unwrap_or(0)))
}

/// Lays out and clears away the files of `table`, as `header` says. `changed`: whether rows were written.
pub(in crate::lake) async fn care(
    mut table: DeltaTable,
    header: &Header,
    changed: bool,
    compute: &Compute,
) -> Result<()> {
    if changed && header.lays_out() {
        let kind = match header.zorder_by.is_empty() {
            true => OptimizeType::Compact,
            false => OptimizeType::ZOrder(header.zorder_by.clone()),
        };
        (table, _) = table
            .optimize()
            .with_type(kind)
            .with_session_state(Arc::new(compute.state()))
            .await
            .map_err(delta)?;
    }
    if let Some(retention) = header.vacuum {
        clear(table, retention).await?;
    }
    Ok(())
}

/// Deletes the files that no version younger than `retention` needs, if there are any: else the log would grow with every look.
async fn clear(table: DeltaTable, retention: Duration) -> Result<()> {
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
            async move { store.head(&path.into()).await.is_ok() }
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
    /// Puts the rows of `frame` in the place of the model's.
    pub(super) async fn overwrite(&self, frame: DataFrame) -> Result<(u64, u64)> {
        let (layer, name) = (&self.model.layer, &self.model.name);
        let table = self.lake.open_or_new(layer, name).await?;
        let partition_by = &self.model.header.partition_by;
        let (table, rows) =
            overwrite(table, frame, &self.compute, partition_by, self.commit()).await?;
        Ok((table.version().unwrap_or(0), rows))
    }

    /// Lays out and clears away files, as the header says. `changed`: whether rows were written.
    pub(super) async fn care(&self, changed: bool) -> Result<()> {
        let (layer, name) = (&self.model.layer, &self.model.name);
        let header = &self.model.header;
        if header.vacuum.is_none() && !(changed && header.lays_out()) {
            return Ok(());
        }
        let table = self.lake.open(layer, name).await?;
        let table =
            table.ok_or_else(|| Error::new("a table is gone that was just written").transient())?;
        care(table, header, changed, &self.compute).await
    }
}
