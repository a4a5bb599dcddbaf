//! `clean`: rule tables from one Delta table to the next.

mod convert;
mod outcome;
mod parents;
mod prepared;
mod same;
mod work;

use std::sync::Arc;

use async_trait::async_trait;
use futures::TryStreamExt;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use self::prepared::Prepared;
use self::work::Work;
use super::blocking::blocking;
use super::{Operator, Outcome, TaskContext, TaskError, Verdict, sound_models};
use crate::base::{Counts, Error, Problem, Result};
use crate::dag::{Dag, DagFiles, Flaw};
use crate::lake::{LAYERS, QUARANTINE, Warehouse, incoming};
use crate::rules::tables::Compatibility;

pub(super) use self::parents::tables as parent_tables;
pub(super) use self::prepared::made;

/// Cleanses, standardizes and judges the records of a Delta table by the rule tables (CSV) of a folder, and puts what passes in the place
/// of another table, with the types that the rules give. Records that break a rule of severity `error` go to the table beside it,
/// whose name ends with `_quarantine`, with all their reasons. A run does the whole table anew, in bounded memory, unless neither records nor
/// rules have changed; readers see the old table or the new one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Clean {
    /// The table to read, as `bronze.visits`. Rule tables know it by its name without the layer.
    pub(super) from: String,
    /// The table to write, as `silver.visits`.
    pub(super) into: String,
    /// The folder of rule tables in the DAG's folder.
    pub(super) rules: String,
    /// Whether rules are right (`corrected`) or mean what they meant in the pipeline from which their columns come (`source`).
    #[serde(default)]
    pub(super) compatibility: Compatibility,
    /// Columns by which the files of the table are kept apart.
    #[serde(default)]
    pub(super) partition_by: Vec<String>,
}

#[async_trait]
impl Operator for Clean {
    fn check(&self, dag: &Dag, files: &DagFiles) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        for (pointer, name) in [("/from", &self.from), ("/into", &self.into)] {
            if let Err(message) = check_name(name) {
                flaws.push(Flaw::at(pointer, message));
            }
        }
        if self.from == self.into {
            flaws.push(Flaw::at("/into", "a table cannot be cleaned into itself"));
        }
        match flaws.is_empty() {
            true => self
                .check_rules(dag, files)
                .into_iter()
                .map(Flaw::from)
                .collect(),
            false => flaws,
        }
    }

    async fn run(&self, context: &TaskContext) -> Result<Verdict, TaskError> {
        let work = self.clean(context);
        tokio::select! {
            biased;
            () = context.cancel.cancelled() => Err(TaskError::Cancelled),
            done = work => Ok(Verdict::Done(done?)),
        }
    }
}

impl Clean {
    /// The name by which rule tables know the table.
    pub(super) fn table(&self) -> &str {
        self.from
            .split_once('.')
            .map_or(&self.from, |(_, name)| name)
    }

    fn quarantine(&self) -> String {
        format!("{}{QUARANTINE}", self.into)
    }

    async fn clean(&self, context: &TaskContext) -> Result<Outcome> {
        let models = Arc::new(sound_models(&context.dag, &context.files)?);
        let warehouse = Warehouse::new(context.settings.clone(), context.records.clone(), models);
        // it stands for both tables: two runs that took one lock each would wait for each other
        let _lock = warehouse.lock(&self.into).await?;
        let stored = warehouse.stored_columns(&self.from).await?;
        let mut prepared = Prepared::new(self, &context.files, &stored)?;
        // before the records are read: what changes in between is seen by the next run
        let made_of = self
            .made_of(&prepared.cleaning, context, &warehouse)
            .await?;
        if let Some(made_of) = made_of
            && let Some(outcome) = self.as_it_was(made_of, &warehouse).await?
        {
            let fields = json!({"from": self.from, "into": self.into, "counts": outcome.counts});
            context
                .log
                .info("nothing has changed since the table was cleaned", fields);
            return Ok(outcome);
        }
        let known = parents::known(&prepared.cleaning, self, &context.dag, &warehouse).await?;
        if prepared.cleaning.needs_survey() {
            let mut chunks = warehouse
                .batches(&prepared.select(&self.from, false))
                .await?;
            while let Some(chunk) = next(&mut chunks).await? {
                prepared = blocking(move || {
                    let frame = convert::frame(&chunk, prepared.columns())?;
                    prepared.cleaning.survey(&frame)?;
                    Ok(prepared)
                })
                .await?;
            }
        }
        let key = prepared.cleaning.key().to_vec();
        let latest = (!key.is_empty()).then_some((key.as_slice(), prepared::PLACE));
        let chunks = warehouse
            .batches(&prepared.select(&self.from, true))
            .await?;
        let (passed, passed_rows) = incoming(prepared.incoming());
        let (rejected, rejected_rows) = incoming(prepared.rejected());
        let quarantine = self.quarantine();
        // what fails first tells why; the work only that nobody listens
        let (aside, replaced, work) = tokio::try_join!(
            biased;
            warehouse.replace(&quarantine, rejected_rows, None, &[], made_of),
            warehouse.replace(&self.into, passed_rows, latest, &self.partition_by, made_of),
            Work::new(prepared, known).run(chunks, passed, rejected),
        )?;
        let told = work.counts();
        let counts = Counts {
            read: told.read,
            inserted: replaced.rows,
            // a later delivery stands in the place of these
            updated: told.passed.saturating_sub(replaced.rows),
            unchanged: 0,
            duplicate: told.duplicate,
            quarantined: told.quarantined,
        };
        let fields = json!({
            "from": self.from, "into": self.into, "counts": counts, "warned": told.warned, "version": replaced.version,
            "quarantine_version": aside.version,
        });
        context.log.info("cleaned a table", fields);
        let cleaning = work.cleaning();
        let mut statuses = cleaning.statuses(work.seen(), context.clock.now());
        statuses.extend(outcome::ask(cleaning, &warehouse, replaced.rows).await?);
        outcome::keep(self, cleaning, &statuses, context, warehouse.lake())?;
        outcome::stop(cleaning, &statuses)?;
        Ok(Outcome {
            counts,
            tables: [(self.into.clone(), counts)].into(),
            outputs: [("rows".to_owned(), json!(replaced.rows))]
                .into_iter()
                .collect(),
            ..Outcome::default()
        })
    }
}

/// The next of `chunks`.
async fn next(chunks: &mut crate::lake::Batches) -> Result<Option<crate::lake::RecordBatch>> {
    chunks.try_next().await.map_err(crate::lake::read_error)
}

fn check_name(name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let good = name.split_once('.').is_some_and(|(layer, table)| {
        LAYERS.contains(&layer)
            && table.starts_with(|c: char| c.is_ascii_lowercase())
            && table.chars().all(plain)
            && table.len() <= 63
    });
    match good {
        true => Ok(()),
        false => Err(format!(
            "`{name}` is not a table of a layer, expected `layer.name` with a layer of {}",
            LAYERS.join(", ")
        )),
    }
}

/// The first of `problems` as an error.
fn first(problems: Vec<Problem>) -> Error {
    let first = problems.into_iter().next().map(Error::from);
    first.unwrap_or_else(|| Error::new("the rule tables do not fit"))
}
