//! Rows that a task makes while they are written, as a table of the engine.

use std::sync::{Arc, Mutex};

use datafusion::arrow::array::{ArrayRef, RecordBatch};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use futures::stream;
use tokio::sync::mpsc;

use super::error::planning;
use crate::base::{Error, Result};

/// Where rows go in. Dropped, with all its clones, before [`Sender::end`], it makes the reader fail: rows that broke off are never taken for all of them.
#[derive(Clone)]
pub struct Sender {
    schema: SchemaRef,
    parts: mpsc::Sender<Part>,
}

/// Where rows come out, once.
#[derive(Debug)]
pub struct Incoming {
    schema: SchemaRef,
    parts: Mutex<Option<mpsc::Receiver<Part>>>,
}

#[derive(Debug)]
enum Part {
    Rows(RecordBatch),
    End,
}

/// A way for rows with `schema`; few of them are on it at any time.
pub fn incoming(schema: SchemaRef) -> (Sender, Incoming) {
    let (sender, receiver) = mpsc::channel(1);
    let sender = Sender {
        schema: Arc::clone(&schema),
        parts: sender,
    };
    let incoming = Incoming {
        schema,
        parts: Mutex::new(Some(receiver)),
    };
    (sender, incoming)
}

impl Sender {
    /// Gives rows, a column for each of the schema, when the reader has room for them.
    ///
    /// # Errors
    /// When the columns do not fit the schema, or nobody reads any more.
    pub async fn send(&self, columns: Vec<ArrayRef>) -> Result<()> {
        let rows = RecordBatch::try_new(Arc::clone(&self.schema), columns)
            .map_err(|error| Error::new("the columns do not fit their table").because(error))?;
        match rows.num_rows() {
            0 => Ok(()),
            _ => self.give(Part::Rows(rows)).await,
        }
    }

    /// Says that these were all.
    ///
    /// # Errors
    /// When nobody reads any more.
    pub async fn end(self) -> Result<()> {
        self.give(Part::End).await
    }

    async fn give(&self, part: Part) -> Result<()> {
        let given = self.parts.send(part).await;
        given.map_err(|_| Error::new("the table that rows are for is not written any more"))
    }
}

impl Incoming {
    /// As a table that can be read once.
    pub(super) fn table(self) -> Result<Arc<dyn TableProvider>> {
        let schema = Arc::clone(&self.schema);
        let table = StreamingTable::try_new(schema, vec![Arc::new(self)]).map_err(planning)?;
        Ok(Arc::new(table))
    }
}

impl PartitionStream for Incoming {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let parts = self.parts.lock().ok().and_then(|mut parts| parts.take());
        let rows = stream::try_unfold(parts, |parts| async move {
            let broken = || DataFusionError::External(Error::new("the rows broke off").into());
            let mut parts = parts.ok_or_else(broken)?;
            match parts.recv().await {
                Some(Part::Rows(rows)) => Ok(Some((rows, Some(parts)))),
                Some(Part::End) => Ok(None),
                None => Err(broken()),
            }
        });
        Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            rows,
        ))
    }
}
