//! Writing a whole Delta table, and keeping its files in order.

use std::sync::Arc;

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
use futures::TryStreamExt;

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
        let retention = TimeDelta::from_std(retention)
            .map_err(|error| Error::new("`vacuum` is too long a time").because(error))?;
        table
            .vacuum()
            .with_retention_period(retention)
            .with_enforce_retention_duration(false)
            .with_mode(VacuumMode::Full)
            .await
            .map_err(delta)?;
    }
    Ok(())
}

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
