//! Writing a whole Delta table, and keeping its files in order.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Column;
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::{Expr, cast};
use deltalake::kernel::transaction::CommitProperties;
use deltalake::operations::optimize::OptimizeType;
use deltalake::operations::vacuum::VacuumMode;
use deltalake::operations::write::SchemaMode;
use deltalake::protocol::SaveMode;
use futures::TryStreamExt;
use serde_json::json;

use super::Building;
use crate::base::{Error, Result};
use crate::lake::compute::Compute;
use crate::lake::error::{delta, planning};
use crate::lake::{Lake, MadeOf};

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

/// Puts the rows of `frame` in the place of those of a table, given by layer and name; readers see the old rows or the new ones. The
/// commit says `properties` too. Gives the version and the number of rows.
pub(in crate::lake) async fn overwrite(
    lake: &Lake,
    (layer, name): (&str, &str),
    frame: DataFrame,
    compute: &Compute,
    partition_by: &[String],
    properties: CommitProperties,
) -> Result<(u64, u64)> {
    let table = match lake.open(layer, name).await? {
        Some(table) => table,
        None => lake.handle(layer, name)?,
    };
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
    Ok((written.version().unwrap_or(0), rows.unwrap_or(0)))
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

/// Lays out and clears away the files of a table, given by layer and name. `changed`: whether rows were written.
pub(in crate::lake) async fn care(
    lake: &Lake,
    (layer, name): (&str, &str),
    care: Care<'_>,
    changed: bool,
    compute: &Compute,
) -> Result<()> {
    let open = async || {
        let table = lake.open(layer, name).await?;
        table.ok_or_else(|| Error::new("a table is gone that was just written").transient())
    };
    if changed && (care.optimize || !care.zorder_by.is_empty()) {
        let kind = match care.zorder_by {
            [] => OptimizeType::Compact,
            columns => OptimizeType::ZOrder(columns.to_vec()),
        };
        // the library's own entry does not say by which columns; other writers of Delta tables do, under this name
        let told =
            (!care.zorder_by.is_empty()).then(|| ("zOrderBy".to_owned(), json!(care.zorder_by)));
        open()
            .await?
            .optimize()
            .with_type(kind)
            .with_session_state(Arc::new(compute.state()))
            .with_commit_properties(CommitProperties::default().with_metadata(told))
            .await
            .map_err(delta)?;
    }
    if let Some(retention) = care.vacuum {
        let retention = TimeDelta::from_std(retention)
            .map_err(|error| Error::new("`vacuum` is too long a time").because(error))?;
        open()
            .await?
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
        overwrite(
            self.lake,
            self.target(),
            frame,
            &self.compute,
            &self.model.header.partition_by,
            MadeOf::commit(self.made_of),
        )
        .await
    }

    /// Lays out and clears away files, as the header says. `changed`: whether rows were written.
    pub(super) async fn care(&self, changed: bool) -> Result<()> {
        let header = &self.model.header;
        let wanted = Care {
            optimize: header.optimize,
            zorder_by: &header.zorder_by,
            vacuum: header.vacuum,
        };
        care(self.lake, self.target(), wanted, changed, &self.compute).await
    }

    fn target(&self) -> (&str, &str) {
        (&self.model.layer, &self.model.name)
    }
}
