//! `clean`: rule tables from one Delta table to the next.

mod convert;
mod out;
mod outcome;
mod parents;
mod prepared;
mod source;
mod survey;
mod work;

use std::sync::Arc;

use async_trait::async_trait;
use futures::TryStreamExt;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use self::out::Out;
use self::prepared::Prepared;
use self::source::Source;
use self::work::Rules;
use super::care::care;
use super::period::Period;
use super::{FULL_REFRESH, Operator, Outcome, TaskContext, TaskError, Verdict, sound_models};
use crate::base::{Counts, Error, Problem, Result};
use crate::dag::{Dag, DagFiles, Flaw};
use crate::db::quote;
use crate::lake::{self, LAYERS, Later, MadeOf, QUARANTINE, RuleRun, Warehouse, incoming};
use crate::rules::tables::{Cleaning, Compatibility};

pub(super) use self::parents::tables as parent_tables;
pub(super) use self::prepared::{cleans, made, merges};

/// Cleanses, standardizes and judges the records of a Delta table by the rule tables (CSV) of a folder, and puts what passes in the place
/// of another table, with the types that the rules give. Records that break a rule of severity `error` go to the table beside it,
/// whose name ends with `_quarantine`, with all their reasons. A run does the whole table anew, in bounded memory, unless records and rules are
/// as they were; readers see the old table or the new one.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
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
    /// Whether small files of the tables are put together when rows were written.
    #[serde(default)]
    pub(super) optimize: bool,
    /// Files that no version of the tables younger than this needs are deleted, as `7d`; none are when absent.
    pub(super) vacuum: Option<Period>,
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

    /// The folder of rule tables, as paths of files begin with it.
    pub(super) fn folder(&self) -> &str {
        self.rules.trim_start_matches("./")
    }

    fn quarantine(&self) -> String {
        format!("{}{QUARANTINE}", self.into)
    }

    async fn clean(&self, context: &TaskContext) -> Result<Outcome> {
        let models = sound_models(&context.dag, &context.files)?;
        let warehouse = Warehouse::new(context.settings.clone(), context.records.clone(), models);
        let _turn = lake::turn().await;
        // it stands for both tables: two runs that took one lock each would wait for each other
        let _lock = warehouse.lock(&self.into).await?;
        let stored = warehouse.stored_columns(&self.from).await?;
        let prepared = Prepared::new(self, &context.files, &stored)?;
        let made_of = self
            .made_of(&prepared.cleaning, context, &warehouse)
            .await?;
        if let Some(of) = made_of
            && let Some(outcome) = self.as_it_was(of, context, &warehouse).await?
        {
            return Ok(outcome);
        }
        let known = parents::known(&prepared.cleaning, self, &context.dag, &warehouse).await?;
        // after what the tables are made of was said: records that came in between make the next run clean again
        let source = Source::now(&warehouse, &self.from).await?;
        let (prepared, repeats) = survey::survey(prepared, &source).await?;
        let rules = Arc::new(Rules {
            prepared,
            known,
            repeats,
        });
        let prepared = &rules.prepared;
        let (passed, passed_rows) = incoming(prepared.clean());
        let (rejected, rejected_rows) = incoming(prepared.rejected());
        let key = prepared.cleaning.key();
        let (later, later_rows) = match key.is_empty() {
            true => (None, None),
            false => {
                let (later, rows) = incoming(prepared.placed());
                let place = prepared::PLACE;
                (Some(later), Some(Later { rows, key, place }))
            }
        };
        let quarantine = self.quarantine();
        let out = Out {
            passed,
            rejected,
            later,
        };
        // what fails first tells why; the work only that nobody listens
        let (aside, replaced, seen) = tokio::try_join!(
            biased;
            warehouse.replace(&quarantine, rejected_rows, None, &[], made_of),
            warehouse.replace(&self.into, passed_rows, later_rows, &self.partition_by, made_of),
            out.take_all(&rules, &source, &self.into),
        )?;
        let told = seen.counts();
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
        let cleaning = &rules.prepared.cleaning;
        let mut statuses = cleaning.statuses(&seen, context.clock.now());
        statuses.extend(outcome::ask(cleaning, &warehouse, replaced.rows).await?);
        let run = RuleRun {
            at: context.clock.now(),
            run_id: context.run_id.to_string(),
            rules: outcome::tell(cleaning, &statuses, context),
            counts,
            made_of,
        };
        warehouse.lake().keep_rules(&self.into, run)?;
        outcome::stop(cleaning, &statuses)?;
        self.care(&warehouse).await?;
        Ok(self.outcome(counts, replaced.rows))
    }

    /// What the tables are made of: records, rules, and the tables that rules refer to. `None` when the rules ask for more.
    async fn made_of(
        &self,
        cleaning: &Cleaning,
        context: &TaskContext,
        warehouse: &Warehouse,
    ) -> Result<Option<MadeOf>> {
        let anew = context.params.get(FULL_REFRESH).and_then(Value::as_bool);
        if anew == Some(true) || cleaning.looks_beyond() {
            return Ok(None);
        }
        let rules = self.tables(&context.files).map_err(first)?;
        let mut texts = rules.deciding(self.table(), self.folder(), context.files.iter());
        let own = json!([self.from, self.into, self.compatibility, self.partition_by]);
        texts.push(own.to_string());
        let mut tables = parents::names(cleaning, self, &context.dag);
        tables.insert(self.from.clone());
        let tables: Vec<String> = tables.into_iter().collect();
        warehouse.made_of(texts, &tables).await
    }

    /// Leaves both tables as they are when they are made `of` this.
    async fn as_it_was(
        &self,
        of: MadeOf,
        context: &TaskContext,
        warehouse: &Warehouse,
    ) -> Result<Option<Outcome>> {
        for table in [&self.into, &self.quarantine()] {
            if !warehouse.is_made(table, of).await? {
                return Ok(None);
            }
        }
        let runs = warehouse.lake().kept_rules(&self.into)?;
        // what the rules said is told again, unless a crash came before it was kept
        let Some(last) = runs
            .into_iter()
            .last()
            .filter(|last| last.made_of == Some(of))
        else {
            return Ok(None);
        };
        let then = last.counts;
        let counts = Counts {
            inserted: 0,
            updated: 0,
            unchanged: then.inserted + then.updated + then.unchanged,
            ..then
        };
        let fields = json!({"from": self.from, "into": self.into, "counts": counts});
        context
            .log
            .info("records and rules are as they were", fields);
        let run = RuleRun {
            at: context.clock.now(),
            run_id: context.run_id.to_string(),
            counts,
            ..last
        };
        warehouse.lake().keep_rules(&self.into, run)?;
        let name: Vec<String> = self.into.split('.').map(quote).collect();
        let sql = format!("SELECT 1 FROM {}", name.join("."));
        let rows = warehouse.count_rows_of(&sql).await?;
        self.care(warehouse).await?;
        Ok(Some(self.outcome(counts, rows)))
    }

    /// Looks after the files of both tables.
    async fn care(&self, warehouse: &Warehouse) -> Result<()> {
        for table in [&self.into, &self.quarantine()] {
            warehouse
                .care(table, care(self.optimize, self.vacuum))
                .await?;
        }
        Ok(())
    }

    fn outcome(&self, counts: Counts, rows: u64) -> Outcome {
        Outcome {
            counts,
            tables: [(self.into.clone(), counts)].into(),
            outputs: [("rows".to_owned(), json!(rows))].into_iter().collect(),
            ..Outcome::default()
        }
    }
}

/// The next of `chunks`.
async fn next(chunks: &mut crate::lake::Batches) -> Result<Option<crate::lake::RecordBatch>> {
    chunks.try_next().await.map_err(crate::lake::read_error)
}

/// Whether `name` can be that of a table which tasks write, with its layer.
pub(super) fn check_name(name: &str) -> Result<(), String> {
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
