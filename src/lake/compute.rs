//! The one place that makes the engine's session, so that another (a cluster) can stand behind the same SQL.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Once};

use datafusion::arrow::array::RecordBatch;
use datafusion::catalog::{MemorySchemaProvider, SchemaProvider, TableProvider};
use datafusion::common::TableReference;
use datafusion::config::SqlParserOptions;
use datafusion::dataframe::DataFrame;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::context::SessionState;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use datafusion::sql::parser::Statement;
use deltalake::delta_datafusion::planner::DeltaPlanner;
use rustix::fs::{Access, access};
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use super::error::{planning, running};
use super::memory;
use super::model::{LAYERS, OP, explain, parse_query};
use crate::base::{Error, Result};
use crate::config::Settings;

/// Schema of what a build keeps aside while it runs.
pub(super) const ASIDE: &str = "aside";

/// How two tables are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Joins {
    /// One side in memory: fast, while it fits.
    Fast,
    /// Both sides sorted, on disk where need be.
    Frugal,
}

/// A session of the engine with empty schemas `op`, one per layer, and [`ASIDE`].
pub(super) struct Compute {
    session: SessionContext,
}

impl Compute {
    /// A session that runs queries: bounded in memory, spilling to `state/spill`; not at all for who may only read what is under `state`.
    ///
    /// # Errors
    /// When the folder for spilled rows cannot be made.
    pub fn new(settings: &Settings, joins: Joins) -> Result<Self> {
        Self::with_config(settings, config(joins, memory::bytes(settings)))
    }

    fn with_config(settings: &Settings, config: SessionConfig) -> Result<Self> {
        let mode = match is_read_only(&settings.state_dir()) {
            true => DiskManagerMode::Disabled,
            false => DiskManagerMode::Directories(vec![spill_folder(settings)?]),
        };
        let disk = DiskManagerBuilder::default().with_mode(mode);
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(memory::pool(settings))
            .with_disk_manager_builder(disk)
            .build_arc()
            .map_err(running)?;
        let state = SessionStateBuilder::new()
            .with_default_features()
            .with_config(config)
            .with_runtime_env(runtime)
            .with_query_planner(DeltaPlanner::new());
        Self::with_schemas(state)
    }

    /// A session that only plans.
    ///
    /// # Errors
    /// None in practice.
    pub fn planner() -> Result<Self> {
        let state = SessionStateBuilder::new()
            .with_default_features()
            .with_config(config(Joins::Fast, LITTLE));
        Self::with_schemas(state)
    }

    fn with_schemas(state: SessionStateBuilder) -> Result<Self> {
        let session = SessionContext::new_with_state(state.build());
        let catalog = session
            .catalog(CATALOG)
            .ok_or_else(|| Error::new("the engine has no catalog"))?;
        for schema in LAYERS.into_iter().chain([OP, ASIDE]) {
            catalog
                .register_schema(schema, Arc::new(MemorySchemaProvider::new()))
                .map_err(planning)?;
        }
        Ok(Self { session })
    }

    /// Makes `provider` known as `schema.table`, in place of what had that name.
    ///
    /// # Errors
    /// When there is no such schema.
    pub fn register(
        &self,
        schema: &str,
        table: &str,
        provider: Arc<dyn TableProvider>,
    ) -> Result<()> {
        let catalog = self.session.catalog(CATALOG);
        let known: Option<Arc<dyn SchemaProvider>> =
            catalog.and_then(|catalog| catalog.schema(schema));
        let schema = known.ok_or_else(|| Error::new(format!("there is no schema `{schema}`")))?;
        if schema.table_exist(table) {
            schema.deregister_table(table).map_err(planning)?;
        }
        schema
            .register_table(table.to_owned(), provider)
            .map_err(planning)?;
        Ok(())
    }

    /// Whether `schema.table` is known.
    pub fn knows(&self, schema: &str, table: &str) -> bool {
        self.session
            .table_exist(TableReference::partial(schema, table))
            .unwrap_or(false)
    }

    /// The logical plan of a query; nothing runs.
    ///
    /// # Errors
    /// The engine's own, whose diagnostics say where.
    pub async fn plan_statement(
        &self,
        statement: Statement,
    ) -> std::result::Result<LogicalPlan, datafusion::error::DataFusionError> {
        self.session.state().statement_to_plan(statement).await
    }

    /// A query as a frame; nothing runs yet.
    ///
    /// # Errors
    /// When it cannot be planned.
    pub async fn query(&self, sql: &str) -> Result<DataFrame> {
        let state = self.session.state();
        let plan = state.create_logical_plan(sql).await.map_err(|error| {
            let asked = parse_query(sql).ok();
            let (place, message, hint) = explain(error, asked.as_ref().map(|(query, _)| query));
            let error = Error::new(match place.line {
                0 => message,
                line => format!("line {line}, column {}: {message}", place.column),
            });
            match hint {
                Some(hint) => error.hint(hint),
                None => error,
            }
        })?;
        Ok(self.frame(plan))
    }

    /// All rows of a query.
    ///
    /// # Errors
    /// When it cannot be planned or does not come to its end.
    pub async fn rows(&self, sql: &str) -> Result<Vec<RecordBatch>> {
        self.query(sql).await?.collect().await.map_err(running)
    }

    /// A plan as a frame.
    pub fn frame(&self, plan: LogicalPlan) -> DataFrame {
        DataFrame::new(self.session.state(), plan)
    }

    /// The Parquet files of a folder as a frame with the columns of `schema`.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub async fn parquet(
        &self,
        folder: &Path,
        schema: &datafusion::arrow::datatypes::Schema,
    ) -> Result<DataFrame> {
        let options = ParquetReadOptions::default().schema(schema);
        self.session
            .read_parquet(folder.display().to_string(), options)
            .await
            .map_err(running)
    }

    /// The state that operations on Delta tables take.
    pub fn state(&self) -> SessionState {
        self.session.state()
    }
}

const CATALOG: &str = "galen";

/// Below so many bytes sorts make do with small batches.
const LITTLE: usize = 256 * 1024 * 1024;

fn config(joins: Joins, memory: usize) -> SessionConfig {
    let mut config = SessionConfig::new()
        .with_default_catalog_and_schema(CATALOG, "public")
        .with_information_schema(false);
    if joins == Joins::Frugal {
        config.options_mut().optimizer.prefer_hash_join = false;
        // with a single partition the engine would join in memory whatever it is told
        config = config.with_target_partitions(2);
        if memory < LITTLE {
            // every sort that goes on keeps so much for itself: of small batches few fit where many do not, and take far longer
            config.options_mut().execution.sort_spill_reservation_bytes = 1024 * 1024;
            config = config.with_batch_size(1024);
        }
    }
    let options = config.options_mut();
    // views of texts keep all alive that they were taken from, and a sort counts it for each of its batches: it would run out of memory
    options.execution.parquet.schema_force_view_types = false;
    options.sql_parser = SqlParserOptions {
        collect_spans: true,
        map_string_types_to_utf8view: false,
        ..options.sql_parser.clone()
    };
    // joins on columns of dictionaries, as partition columns of Delta tables are, do not bear it
    options.optimizer.hash_join_inlist_pushdown_max_size = 0;
    options
        .optimizer
        .hash_join_inlist_pushdown_max_distinct_values = 0;
    config
}

/// A folder for what is kept aside for a moment, for nobody else; removed with what processes that are gone have spilled.
///
/// # Errors
/// When it cannot be made.
pub(super) fn scratch_folder(settings: &Settings) -> Result<PathBuf> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let own = spill_folder(settings)?;
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    Ok(own.join(format!("scratch_{number}")))
}

/// This process's own folder under `state/spill`; those of processes that are gone are removed once.
fn spill_folder(settings: &Settings) -> Result<PathBuf> {
    static SWEPT: Once = Once::new();
    let all = settings.state_dir().join("spill");
    SWEPT.call_once(|| {
        let entries = std::fs::read_dir(&all).into_iter().flatten().flatten();
        for entry in entries {
            let process = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok());
            let process = process.and_then(Pid::from_raw);
            if process.is_some_and(|process| test_kill_process(process) == Err(Errno::SRCH)) {
                // what cannot be removed now is tried again by the next process
                let _ = std::fs::remove_dir_all(entry.path());
            }
        }
    });
    let own = all.join(std::process::id().to_string());
    std::fs::create_dir_all(&own).map_err(|error| {
        Error::new(format!("cannot create folder `{}`", own.display()))
            .hint("make `state` and all in it writable for this user")
            .because(error)
    })?;
    Ok(own)
}

/// Whether this user may look into `folder` and not write there.
fn is_read_only(folder: &Path) -> bool {
    folder.exists() && access(folder, Access::WRITE_OK).is_err()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use datafusion::datasource::MemTable;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn rows_on_their_way_between_threads_do_not_wait_for_ever_when_memory_is_short() {
        let home = tempfile::tempdir().expect("a folder");
        let mut settings = Settings {
            home: home.path().to_owned(),
            ..Settings::default()
        };
        settings.lake.memory_mb = 2;
        let config = config(Joins::Fast, memory::bytes(&settings));
        let config = config.with_target_partitions(2).with_batch_size(4096);
        let compute = Compute::with_config(&settings, config).expect("a session");
        let made = compute.rows(
            "SELECT value % 13 AS g, repeat(CAST(100 + value % 337 AS VARCHAR), 11) AS name FROM generate_series(1, 200000)",
        );
        let mut made = made.await.expect("rows");
        let rest = made.split_off(made.len() / 2);
        let table = MemTable::try_new(made[0].schema(), vec![made, rest]).expect("a table");
        compute
            .register(ASIDE, "names", Arc::new(table))
            .expect("known");
        let sql = "SELECT g, count(DISTINCT name) FROM aside.names GROUP BY g";
        for _ in 0..6 {
            let rows = tokio::time::timeout(Duration::from_secs(30), compute.rows(sql));
            let rows = rows.await.expect("it comes to its end").expect("rows");
            assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), 13);
        }
    }
}
