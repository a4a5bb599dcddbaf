//! `merge`: a Delta table from the rows of another, one a key.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::care::care;
use super::clean::check_name;
use super::models::sound_models;
use super::period::Period;
use super::{Operator, Outcome, TaskContext, TaskError, Verdict};
use crate::base::Result;
use crate::dag::{Dag, DagFiles, Flaw};
use crate::lake::{self, Latest, Warehouse};

/// Brings the rows of a Delta table into another, as that of the next layer: of rows with one key the one that was delivered last. The
/// result depends on the rows alone and not on the runs before; rows that are as they were are counted as unchanged, and a table without a
/// change is not written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Merge {
    /// The table to read, as `silver.visits`.
    pub(super) from: String,
    /// The table to write, as `gold.visits`.
    pub(super) into: String,
    /// Columns that identify a row: of rows with equal values the later delivery stays. Rows with a null among them all stay.
    #[serde(default)]
    key: Vec<String>,
    /// Columns by which rows are the same, whatever identifies them: of those the later delivery stays.
    #[serde(default)]
    dedup: Vec<String>,
    /// Whether small files of the table are put together when rows were written.
    #[serde(default)]
    optimize: bool,
    /// Files that no version of the table younger than this needs are deleted, as `7d`; none are when absent.
    vacuum: Option<Period>,
}

#[async_trait]
impl Operator for Merge {
    fn check(&self, _dag: &Dag, _files: &DagFiles) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        for (pointer, name) in [("/from", &self.from), ("/into", &self.into)] {
            if let Err(message) = check_name(name) {
                flaws.push(Flaw::at(pointer, message));
            }
        }
        if self.from == self.into {
            flaws.push(Flaw::at("/into", "a table cannot be merged into itself"));
        }
        if self.key.is_empty() && self.dedup.is_empty() {
            let flaw = Flaw::at("/key", "neither `key` nor `dedup` names a column");
            flaws.push(flaw.hint("name the columns that identify a row, as `key: [visit_id]`"));
        }
        flaws
    }

    async fn run(&self, context: &TaskContext) -> Result<Verdict, TaskError> {
        tokio::select! {
            biased;
            () = context.cancel.cancelled() => Err(TaskError::Cancelled),
            done = self.merge(context) => Ok(Verdict::Done(done?)),
        }
    }
}

impl Merge {
    async fn merge(&self, context: &TaskContext) -> Result<Outcome> {
        let models = sound_models(&context.dag, &context.files)?;
        let (settings, records) = (context.settings.clone(), context.records.clone());
        let warehouse = Warehouse::new(settings, records, models);
        let latest = Latest {
            from: &self.from,
            into: &self.into,
            key: &self.key,
            dedup: &self.dedup,
        };
        let _turn = lake::turn().await;
        let merged = warehouse.merge(latest).await?;
        let counts = merged.counts;
        let fields = json!({
            "from": self.from, "into": self.into, "counts": counts, "removed": merged.removed, "rows": merged.rows,
            "version": merged.version,
        });
        context.log.info("merged a table", fields);
        let _lock = warehouse.lock(&self.into).await?;
        warehouse
            .care(&self.into, care(self.optimize, self.vacuum))
            .await?;
        Ok(Outcome {
            counts,
            tables: [(self.into.clone(), counts)].into(),
            outputs: [("rows".to_owned(), json!(merged.rows))]
                .into_iter()
                .collect(),
            ..Outcome::default()
        })
    }
}
