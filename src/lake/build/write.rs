//! Rows written to a Delta table, as a whole or to those that are there.

use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Column;
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::{Expr, cast};
use deltalake::DeltaTable;
use deltalake::kernel::transaction::CommitProperties;
use deltalake::operations::write::SchemaMode;
use deltalake::protocol::SaveMode;
use futures::TryStreamExt;

use super::Building;
use crate::base::Result;
use crate::lake::MadeOf;
use crate::lake::compute::Compute;
use crate::lake::error::{delta, planning};
use crate::lake::files::{plain_rows, records_with_hashes};

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
    let has_hashes = frame.schema().has_column_with_unqualified_name("_hash");
    let written = match has_hashes {
        true => records_with_hashes(),
        false => plain_rows(),
    };
    let written = table
        .write(Vec::new())
        .with_input_plan(frame.into_unoptimized_plan())
        .with_session_state(Arc::new(compute.state()))
        .with_save_mode(SaveMode::Overwrite)
        .with_schema_mode(SchemaMode::Overwrite)
        .with_partition_columns(partition_by.to_vec())
        .with_writer_properties(written)
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

/// Adds the rows of `frame`, which has the table's columns, to those of `table`. The commit says `properties` too.
pub(super) async fn append(
    table: DeltaTable,
    frame: DataFrame,
    compute: &Compute,
    properties: CommitProperties,
) -> Result<DeltaTable> {
    table
        .write(Vec::new())
        .with_input_plan(frame.into_unoptimized_plan())
        .with_session_state(Arc::new(compute.state()))
        .with_save_mode(SaveMode::Append)
        .with_writer_properties(plain_rows())
        .with_commit_properties(properties)
        .await
        .map_err(delta)
}

impl Building<'_> {
    /// Puts the rows of `frame` in the place of the model's.
    pub(super) async fn overwrite(&self, frame: DataFrame) -> Result<(u64, u64)> {
        let (layer, name) = (&self.model.layer, &self.model.name);
        let table = self.lake.open_or_new(layer, name).await?;
        let partition_by = &self.model.header.partition_by;
        let (table, rows) = overwrite(
            table,
            frame,
            &self.compute,
            partition_by,
            MadeOf::commit(self.made_of),
        )
        .await?;
        Ok((table.version().unwrap_or(0), rows))
    }
}
