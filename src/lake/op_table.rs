//! An operational table as the engine reads it: straight from a snapshot of its database, chunk by chunk.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::stream;

use super::op_batch::batch;
use super::op_filter::condition;
use super::types::of_cell;
use crate::base::CellType;
use crate::records::{Scan, Snapshot};

/// One table of a snapshot.
#[derive(Debug)]
pub(super) struct OpTable {
    snapshot: Arc<Snapshot>,
    table: String,
    columns: Vec<(String, CellType)>,
    schema: SchemaRef,
}

impl OpTable {
    /// `table` with `columns`, as the snapshot says them.
    pub fn new(snapshot: Arc<Snapshot>, table: &str, columns: Vec<(String, CellType)>) -> Self {
        let fields = columns
            .iter()
            .map(|(name, cell_type)| Field::new(name, of_cell(*cell_type), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<Field>>()));
        Self {
            snapshot,
            table: table.to_owned(),
            columns,
            schema,
        }
    }
}

#[async_trait]
impl TableProvider for OpTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> EngineResult<Vec<TableProviderFilterPushDown>> {
        // the engine looks again: a database may give more rows than asked for, never fewer
        Ok(filters
            .iter()
            .map(|filter| match condition(filter, &self.columns) {
                Some(_) => TableProviderFilterPushDown::Inexact,
                None => TableProviderFilterPushDown::Unsupported,
            })
            .collect())
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        let all: Vec<usize> = (0..self.columns.len()).collect();
        let wanted = projection.unwrap_or(&all);
        let part = OpScan {
            snapshot: Arc::clone(&self.snapshot),
            scan: Scan {
                table: self.table.clone(),
                columns: wanted.iter().map(|at| self.columns[*at].clone()).collect(),
                conditions: filters
                    .iter()
                    .filter_map(|filter| condition(filter, &self.columns))
                    .collect(),
            },
            schema: Arc::new(self.schema.project(wanted)?),
        };
        let schema = Arc::clone(&part.schema);
        let exec =
            StreamingTableExec::try_new(schema, vec![Arc::new(part)], None, [], false, limit)?;
        Ok(Arc::new(exec))
    }
}

/// One reading of a table.
#[derive(Debug)]
struct OpScan {
    snapshot: Arc<Snapshot>,
    scan: Scan,
    schema: SchemaRef,
}

impl PartitionStream for OpScan {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let scanning = self.snapshot.scan(self.scan.clone());
        let schema = Arc::clone(&self.schema);
        let batches = stream::try_unfold(scanning, move |mut scanning| {
            let schema = Arc::clone(&schema);
            async move {
                let chunk = scanning
                    .next()
                    .await
                    .map_err(|error| DataFusionError::External(error.into()))?;
                let Some(chunk) = chunk else { return Ok(None) };
                Ok(Some((batch(chunk, &schema)?, scanning)))
            }
        });
        Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            batches,
        ))
    }
}
