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
use serde_json::json;

use super::Building;
use crate::base::{Error, Result};
use crate::lake::MadeOf;
use crate::lake::compute::Compute;
use crate::lake::error::{delta, planning};
use crate::lake::files::{plain_rows, records_with_hashes};
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
    /// Whether there is anything to do; `changed`: whether rows were written.
    pub(in crate::lake) fn is_due(&self, changed: bool) -> bool {
        self.vacuum.is_some() || (changed && self.lays_out())
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

/// Lays out and clears away the files of `table`. `changed`: whether rows were written.
pub(in crate::lake) async fn care(
    mut table: DeltaTable,
    care: Care<'_>,
    changed: bool,
    compute: &Compute,
) -> Result<()> {
    if changed && care.lays_out() {
        let kind = match care.zorder_by {
            [] => OptimizeType::Compact,
            columns => OptimizeType::ZOrder(columns.to_vec()),
        };
        // the library's own entry does not say by which columns; other writers of Delta tables do, under this name
        let told =
            (!care.zorder_by.is_empty()).then(|| ("zOrderBy".to_owned(), json!(care.zorder_by)));
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

    /// Lays out and clears away files, as the header says. `changed`: whether rows were written.
    pub(super) async fn care(&self, changed: bool) -> Result<()> {
        let wanted = self.model.header.care();
        if !wanted.is_due(changed) {
            return Ok(());
        }
        let (layer, name) = (&self.model.layer, &self.model.name);
        let table = self.lake.open(layer, name).await?;
        let table =
            table.ok_or_else(|| Error::new("a table is gone that was just written").transient())?;
        care(table, wanted, changed, &self.compute).await
    }
}
