//! The tables of one DAG behind one door: models, and what they read.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::catalog::view::ViewTable;
use deltalake::DeltaTable;
use futures::future::BoxFuture;
use tokio::sync::OnceCell;

use super::compute::{Compute, Joins};
use super::error::{planning, running};
use super::model::{Materialized, Models, OP, TableName, parse_query};
use super::op_table::OpTable;
use super::{At, LAYERS, Lake};
use crate::base::{DagId, Error, Result};
use crate::config::Settings;
use crate::records::{Records, Snapshot};

/// Builds, tests, queries and publishes the models of one DAG.
pub struct Warehouse {
    pub(super) settings: Arc<Settings>,
    pub(super) dag_id: DagId,
    pub(super) lake: Lake,
    pub(super) models: Arc<Models>,
    pub(super) records: Records,
    snapshot: OnceCell<Arc<Snapshot>>,
}

/// A table that a query can read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredTable {
    /// Its name within the layer.
    pub table: String,
    /// Its layer.
    pub layer: String,
    /// Its rows now; `None` for a view, whose rows are counted by reading them.
    pub rows: Option<u64>,
    /// The columns that name a row.
    pub key: Vec<String>,
}

impl Warehouse {
    /// The models of the DAG whose records these are. Touches neither disk nor database.
    pub fn new(settings: Arc<Settings>, records: Records, models: Arc<Models>) -> Self {
        let dag_id = records.dag_id().clone();
        Self {
            lake: Lake::new(&settings, &dag_id),
            settings,
            dag_id,
            models,
            records,
            snapshot: OnceCell::new(),
        }
    }

    /// The same, reading operational tables from `snapshot`; without one, a snapshot is taken when the first is read.
    #[must_use]
    pub fn with_snapshot(self, snapshot: Arc<Snapshot>) -> Self {
        Self {
            snapshot: OnceCell::new_with(Some(snapshot)),
            ..self
        }
    }

    /// Its models.
    pub fn models(&self) -> &Models {
        &self.models
    }

    /// Where its Delta tables are.
    pub fn lake(&self) -> &Lake {
        &self.lake
    }

    /// The tables of all layers that exist, views among them.
    ///
    /// # Errors
    /// When a table cannot be read.
    pub async fn tables(&self) -> Result<Vec<StoredTable>> {
        let mut found: BTreeMap<(usize, String), StoredTable> = BTreeMap::new();
        for (place, layer) in LAYERS.into_iter().enumerate() {
            for table in self.lake.tables(layer).await? {
                let full_name = format!("{layer}.{table}");
                let rows = self.count(&full_name).await?;
                let key = self
                    .models
                    .get(&full_name)
                    .map(|model| model.header.unique_key.clone());
                let stored = StoredTable {
                    table: table.clone(),
                    layer: layer.to_owned(),
                    rows: Some(rows),
                    key: key.unwrap_or_default(),
                };
                found.insert((place, table), stored);
            }
            let views = self.models.iter().filter(|model| {
                model.layer == layer && model.header.materialized == Materialized::View
            });
            for view in views {
                let stored = StoredTable {
                    table: view.name.clone(),
                    layer: layer.to_owned(),
                    rows: None,
                    key: view.header.unique_key.clone(),
                };
                found.insert((place, view.name.clone()), stored);
            }
        }
        Ok(found.into_values().collect())
    }

    /// The rows of a table or view.
    pub async fn count(&self, full_name: &str) -> Result<u64> {
        let sql = format!("SELECT count(*) FROM {}", quoted(full_name));
        let compute = self.session(&sql, None).await?;
        let numbers = numbers(&compute, &sql).await?;
        Ok(numbers.first().copied().unwrap_or(0))
    }

    /// A session that knows the tables that `sql` reads, as they are now or were at `at`.
    pub(super) async fn session(&self, sql: &str, at: Option<At>) -> Result<Compute> {
        let (_, tables) = parse_query(sql).map_err(|(place, message)| {
            Error::new(match place.line {
                0 => message,
                line => format!("line {line}, column {}: {message}", place.column),
            })
        })?;
        self.session_with(&tables, at, Joins::Fast).await
    }

    /// A session that knows `tables`.
    pub(super) async fn session_with(
        &self,
        tables: &[TableName],
        at: Option<At>,
        joins: Joins,
    ) -> Result<Compute> {
        let compute = Compute::new(&self.settings, joins)?;
        for table in tables {
            let Some(schema) = &table.schema else {
                return Err(Error::new(format!(
                    "table `{}` is named without its schema",
                    table.table
                ))
                .hint(format!(
                    "schemas: `{OP}` and the layers {}",
                    LAYERS.join(", ")
                )));
            };
            self.register(&compute, schema, &table.table, at).await?;
        }
        Ok(compute)
    }

    /// Makes a table known to `compute`, with everything that a view needs.
    pub(super) fn register<'a>(
        &'a self,
        compute: &'a Compute,
        schema: &'a str,
        table: &'a str,
        at: Option<At>,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            if compute.knows(schema, table) {
                return Ok(());
            }
            let full_name = format!("{schema}.{table}");
            if schema == OP {
                let provider = self.operational(table, at).await?;
                return compute.register(OP, table, provider);
            }
            let model = self.models.get(&full_name);
            if let Some(view) = model.filter(|m| m.header.materialized == Materialized::View) {
                for read in &view.reads {
                    let schema = read.schema.as_deref().unwrap_or_default();
                    self.register(compute, schema, &read.table, at).await?;
                }
                let plan = compute.query(&view.sql).await?.into_unoptimized_plan();
                return compute.register(schema, table, Arc::new(ViewTable::new(plan, None)));
            }
            let stored = match at {
                Some(at) => Some(self.lake.open_at(schema, table, at).await?),
                None => self.lake.open(schema, table).await?,
            };
            let stored = stored.ok_or_else(|| self.not_there(&full_name))?;
            compute.register(schema, table, provider(&stored, compute).await?)
        })
    }

    async fn operational(&self, table: &str, at: Option<At>) -> Result<Arc<dyn TableProvider>> {
        if at.is_some() {
            return Err(Error::new(format!(
                "operational table `{OP}.{table}` has no past versions"
            ))
            .hint(
                "`--at` is for the tables of the layers; leave operational tables out of the query",
            ));
        }
        let take = async || self.records.snapshot().await.map(Arc::new);
        let snapshot = self.snapshot.get_or_try_init(take).await?;
        let columns = snapshot.columns(table).await?;
        let columns = columns.ok_or_else(|| self.not_there(&format!("{OP}.{table}")))?;
        Ok(Arc::new(OpTable::new(Arc::clone(snapshot), table, columns)))
    }

    fn not_there(&self, full_name: &str) -> Error {
        if self.models.contains(full_name) {
            return Error::new(format!("model `{full_name}` was not built yet"))
                .hint(format!("`galen run {}` builds it", self.dag_id));
        }
        let error = Error::new(format!("no table `{full_name}`"));
        let known = self.models.known();
        match crate::base::nearest(full_name, known.iter().map(String::as_str)) {
            Some(near) if near != full_name => error.hint(format!("did you mean `{near}`?")),
            _ => error.hint(format!("`galen tables {}` lists them", self.dag_id)),
        }
    }
}

/// What reads a Delta table.
pub(super) async fn provider(
    table: &DeltaTable,
    compute: &Compute,
) -> Result<Arc<dyn TableProvider>> {
    let state = compute.state();
    table
        .update_datafusion_session(&state)
        .map_err(super::error::delta)?;
    let provider = table.table_provider().with_session(Arc::new(state));
    provider.await.map_err(planning)
}

/// The whole numbers in the first row of a query; a null counts as 0.
pub(super) async fn numbers(compute: &Compute, sql: &str) -> Result<Vec<u64>> {
    use datafusion::arrow::array::AsArray;
    use datafusion::arrow::compute::cast;
    use datafusion::arrow::datatypes::{DataType, Int64Type};
    let batches = compute.rows(sql).await?;
    let Some(batch) = batches.iter().find(|batch| batch.num_rows() > 0) else {
        return Ok(Vec::new());
    };
    let mut numbers = Vec::with_capacity(batch.num_columns());
    for column in batch.columns() {
        let column =
            cast(&column.slice(0, 1), &DataType::Int64).map_err(|error| running(error.into()))?;
        let number = column
            .as_primitive_opt::<Int64Type>()
            .map(|column| column.value(0));
        numbers.push(
            number
                .and_then(|number| u64::try_from(number).ok())
                .unwrap_or(0),
        );
    }
    Ok(numbers)
}

/// `layer.table` as SQL names it.
pub(super) fn quoted(full_name: &str) -> String {
    let parts: Vec<String> = full_name.split('.').map(crate::db::quote).collect();
    parts.join(".")
}
