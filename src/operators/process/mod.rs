//! `process`: staged records to operational tables, one transaction a batch.

mod prepared;
mod shaping;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use self::prepared::{Prepared, compile};
use self::shaping::{Chunk, Shaping};
use super::{Operator, Outcome, TaskContext, TaskError, Verdict};
use crate::dag::{Dag, DagFiles, Flaw};
use crate::records::{Batches, Progress, Writer};

/// Takes staged records that wait, in the order in which they were staged, shapes them as a targets file says, and writes
/// them to the DAG's tables: each batch with its row audit and its quarantine in one transaction.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// The staging table to read.
    pub from: String,
    /// The file in the DAG's folder that says how records become rows.
    pub targets: String,
    /// Records in a transaction; the installation's `records.batch_size` when absent. The result does not depend on it.
    #[schemars(range(min = 1, max = 100_000))]
    pub batch_size: Option<u32>,
    /// Records the task takes in one run, at most; 0: all that wait.
    #[serde(default)]
    pub max_rows: u64,
}

#[async_trait]
impl Operator for Process {
    fn check(&self, dag: &Dag, files: &DagFiles) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        if self
            .batch_size
            .is_some_and(|size| !(1..=100_000).contains(&size))
        {
            flaws.push(Flaw::at(
                "/batch_size",
                "expected a whole number from 1 to 100000",
            ));
        }
        if let Err(error) = files.text(&self.targets) {
            flaws.push(Flaw::of("/targets", &error));
            return flaws;
        }
        let problems = compile(&self.targets, dag, files).err().unwrap_or_default();
        flaws.extend(problems.into_iter().map(Flaw::from));
        flaws
    }

    async fn run(&self, context: &TaskContext) -> Result<Verdict, TaskError> {
        let prepared = Prepared::new(&self.from, &self.targets, context).await?;
        let batch_size = self
            .batch_size
            .unwrap_or(context.settings.records.batch_size)
            .max(1) as usize;
        let before = prepared
            .records
            .progress_of(&context.run_id, &context.task_id)
            .await?;
        let left = match self.max_rows {
            0 => u64::MAX,
            most => most.saturating_sub(before.counts.read),
        };
        let mut shaping = Shaping::start(prepared.clone(), batch_size, left);
        let mut batches = Batches::new(prepared.records.clone(), self.writer(&prepared, context));
        let mut done = before;
        while let Some(chunk) = next(&mut shaping, &mut batches, context).await? {
            for start in (0..chunk.len()).step_by(batch_size) {
                if context.cancel.is_cancelled() {
                    return Err(TaskError::Cancelled);
                }
                let batch = chunk.batch(&prepared, start, batch_size);
                done.add(batches.write(batch, context.clock.now()).await?);
            }
            // tens of thousands of cells to free: not while the database waits
            tokio::task::spawn_blocking(move || drop(chunk));
            if batches.are_kept() {
                log_progress(context, &done);
            }
        }
        Ok(Verdict::Done(Outcome {
            counts: done.counts,
            tables: done.tables,
            audit: prepared.records.audit_head().await?,
            ..Outcome::default()
        }))
    }
}

impl Process {
    fn writer(&self, prepared: &Prepared, context: &TaskContext) -> Writer {
        Writer {
            run_id: context.run_id.clone(),
            task_id: context.task_id.clone(),
            try_number: context.try_number,
            source_table: self.from.clone(),
            rules: prepared.rules,
        }
    }
}

/// The next chunk. While there is none, what was written is kept and others may write.
async fn next(
    shaping: &mut Shaping,
    batches: &mut Batches,
    context: &TaskContext,
) -> Result<Option<Chunk>, TaskError> {
    if let Some(chunk) = shaping.at_hand()? {
        return Ok(Some(chunk));
    }
    batches.commit().await?;
    tokio::select! {
        () = context.cancel.cancelled() => Err(TaskError::Cancelled),
        chunk = shaping.next() => Ok(chunk?),
    }
}

fn log_progress(context: &TaskContext, done: &Progress) {
    let so_far = json!({"so_far": done.counts});
    context.log.info("records processed", so_far);
}
