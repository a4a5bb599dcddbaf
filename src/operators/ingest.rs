//! `ingest`: files into a staging table or a Delta table, each record once.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::NaiveDateTime;
use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, json};
use tokio::sync::mpsc;

use super::blocking::{blocking, joined};
use super::care::care;
use super::carrier::Carrier;
use super::fetch::{Fetched, fetch};
use super::period::Period;
use super::{Operator, Outcome, TaskContext, TaskError, Verdict};
use crate::base::{Counts, Digest, Error, Result, TextBatch, nearest, sha256};
use crate::dag::{Dag, DagFiles, Flaw};
use crate::lake::{QUARANTINE, Warehouse};
use crate::records::{Delivery, Window};
use crate::sources::{Layout, Partition, Reader, Source, find_files};

/// Takes the records of files: each file is kept in the archive by its SHA-256, and each record becomes a row of text columns
/// that knows its file, line and hash. The same bytes again add nothing. A record that cannot be read goes to quarantine with
/// its line and its bytes, and the file goes on.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ingest {
    /// Where the records are and how they are written.
    source: Source,
    /// The table; made when absent. A bare name is a staging table, from which `process` fills operational tables. `bronze.visits` is a Delta table
    /// that models and `clean` read: records land there in large chunks, and those that cannot be read in `bronze.visits_quarantine`.
    into: String,
    /// Columns that say what a record is about. With them a record that repeats the last staged version of its key is counted
    /// as duplicate and not staged, and a changed one as updated. For staging tables: the rule tables of `clean` say what identifies a row
    /// of a Delta table.
    #[serde(default)]
    key: Vec<String>,
    /// A date column by which runs share a file, so that each takes exactly its data interval.
    partition: Option<Partition>,
    /// Whether it is fine that there is no file.
    #[serde(default)]
    optional: bool,
    /// Whether small files of the Delta table are put together when records landed.
    #[serde(default)]
    optimize: bool,
    /// Files that no version of the Delta table younger than this needs are deleted, as `7d`; none are when absent.
    vacuum: Option<Period>,
}

#[async_trait]
impl Operator for Ingest {
    fn check(&self, _dag: &Dag, _files: &DagFiles) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        if let Err((pointer, message)) = self.source.resolve(usize::MAX) {
            flaws.push(Flaw::at(format!("/source{pointer}"), message));
        }
        for (pointer, message) in self.source.wrong_addresses() {
            flaws.push(Flaw::at(format!("/source{pointer}"), message));
        }
        if let Err(message) = Carrier::check_name(&self.into) {
            flaws.push(Flaw::at("/into", message));
        } else if self.into.contains('.') && !self.key.is_empty() {
            let flaw = Flaw::at("/key", "`key` is for staging tables");
            flaws.push(flaw.hint(
                "records land as they came; let a `clean` task with a `stage` job or a `UNIQUE` rule find repetitions",
            ));
        }
        let cares = [
            ("/optimize", self.optimize),
            ("/vacuum", self.vacuum.is_some()),
        ];
        for (pointer, _) in cares.into_iter().filter(|(_, given)| *given) {
            if !self.into.contains('.') {
                let message =
                    "staging tables are kept in a database, which has no files to look after";
                flaws.push(Flaw::at(pointer, message).hint("remove it"));
            }
        }
        if let Some(Err(message)) = self.partition.as_ref().map(Partition::check) {
            flaws.push(Flaw::at("/partition/format", message));
        }
        flaws
    }

    async fn run(&self, context: &TaskContext) -> Result<Verdict, TaskError> {
        let limit = usize::try_from(context.settings.limits.max_record_bytes).unwrap_or(usize::MAX);
        let (locations, layout) = self
            .source
            .resolve(limit)
            .map_err(|(_, message)| Error::new(message))?;
        let (home, optional) = (context.home.clone(), self.optional);
        let locations = locations.as_slice().to_vec();
        let files = blocking(move || find_files(&home, &locations, optional)).await?;
        let mut total = Counts::default();
        for file in &files {
            let fetched = fetch(context, file, &self.source).await?;
            let load = Load {
                context,
                ingest: self,
                layout: &layout,
                name: file.name(),
                zone: context
                    .dag
                    .schedule
                    .as_ref()
                    .map_or(Tz::UTC, |schedule| schedule.timezone),
            };
            total += load.run(fetched).await?;
        }
        if self.optimize || self.vacuum.is_some() {
            self.care(context).await?;
        }
        let outputs = json!({"files": files.len(), "records": total.read});
        Ok(Verdict::Done(Outcome {
            counts: total,
            tables: [(self.into.clone(), total)].into(),
            outputs: outputs.as_object().cloned().unwrap_or_else(Map::new),
            ..Outcome::default()
        }))
    }
}

impl Ingest {
    /// Looks after the files of the table and of the one beside it.
    async fn care(&self, context: &TaskContext) -> Result<()> {
        let (settings, records) = (context.settings.clone(), context.records.clone());
        let warehouse = Warehouse::new(settings, records, Arc::default());
        let _lock = warehouse.lock(&self.into).await?;
        for table in [self.into.clone(), format!("{}{QUARANTINE}", self.into)] {
            let wanted = care(self.optimize, self.vacuum);
            warehouse.care(&table, wanted).await?;
        }
        Ok(())
    }
}

/// One file on its way.
struct Load<'a> {
    context: &'a TaskContext,
    ingest: &'a Ingest,
    layout: &'a Layout,
    name: &'a str,
    /// The time zone of dates that name none.
    zone: Tz,
}

impl Load<'_> {
    async fn run(&self, file: Fetched) -> Result<Counts, TaskError> {
        let mut carrier = Carrier::begin(self.context, self.delivery(file.digest)).await?;
        if !carrier.is_done() {
            self.bring(&mut carrier, file.path).await?;
        }
        let counts = carrier.counts();
        self.context.log.info(
            "staged a file",
            json!({"file": self.name, "sha256": file.digest, "into": self.ingest.into, "counts": counts}),
        );
        Ok(counts)
    }

    fn delivery(&self, file_hash: Digest) -> Delivery {
        let partition = &self.ingest.partition;
        let window = partition.as_ref().map(|partition| {
            let (start, end) = partition.window(self.context.interval, self.zone);
            Window { start, end }
        });
        Delivery {
            into: self.ingest.into.clone(),
            key: self.ingest.key.clone(),
            file: self.name.to_owned(),
            file_hash,
            layout: sha256(json!([self.layout, partition]).to_string()),
            window,
            run_id: self.context.run_id.clone(),
            task_id: self.context.task_id.clone(),
        }
    }

    async fn bring(&self, carrier: &mut Carrier, path: PathBuf) -> Result<(), TaskError> {
        let (name, layout) = (self.name.to_owned(), self.layout.clone());
        let passed = carrier.records_done();
        let reader = blocking(move || {
            let mut reader = Reader::open(&path, &name, &layout)?;
            reader.skip(passed)?;
            Ok(reader)
        })
        .await?;
        let columns = reader.columns();
        let doubt = reader.doubt();
        let doubted = |error: Error| match &doubt {
            Some(hint) if !error.is_transient() => error.hint(hint),
            _ => error,
        };
        let date = self.date_column(columns).map_err(doubted)?;
        let now = || self.context.clock.now();
        let prepared = carrier.prepare(columns, now()).await;
        let added = prepared.map_err(doubted)?;
        if !added.is_empty() {
            let fields = json!({"file": self.name, "columns": added});
            self.context.log.warn("the file has new columns", fields);
        }
        let (sender, mut batches) = mpsc::channel(1);
        let reading = tokio::task::spawn_blocking(move || read(reader, &sender));
        let mut rejected = Rejected::default();
        while let Some(batch) = self.next(&mut batches).await? {
            rejected.count(&batch);
            let moments = self.moments(&batch, date);
            carrier.write(batch, &moments, now()).await?;
        }
        rejected.report(self);
        // what was read before the file broke off is kept
        carrier.flush(now()).await?;
        joined(reading).await?;
        carrier.finish(now()).await?;
        Ok(())
    }

    async fn next(
        &self,
        batches: &mut mpsc::Receiver<TextBatch>,
    ) -> Result<Option<TextBatch>, TaskError> {
        tokio::select! {
            biased;
            () = self.context.cancel.cancelled() => Err(TaskError::Cancelled),
            batch = batches.recv() => Ok(batch),
        }
    }

    fn date_column(&self, columns: &[String]) -> Result<Option<usize>> {
        let Some(Partition { column, .. }) = &self.ingest.partition else {
            return Ok(None);
        };
        let wanted = column.to_lowercase();
        let found = columns
            .iter()
            .position(|name| name.to_lowercase() == wanted);
        found.map(Some).ok_or_else(|| {
            let error = Error::new(format!(
                "`{}` has no column `{column}`, which the partition names",
                self.name
            ));
            match nearest(column, columns.iter().map(String::as_str)) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error.hint("look at the first line of the file with `galen profile`"),
            }
        })
    }

    /// The date of each record, when the delivery has a window.
    fn moments(&self, batch: &TextBatch, column: Option<usize>) -> Vec<Option<NaiveDateTime>> {
        let (Some(partition), Some(column)) = (&self.ingest.partition, column) else {
            return Vec::new();
        };
        let moment = |row| partition.moment(batch.cell(row, column)?, self.zone);
        (0..batch.len()).map(moment).collect()
    }
}

/// Reads to the end, or until nobody listens.
fn read(mut reader: Reader, batches: &mpsc::Sender<TextBatch>) -> Result<()> {
    while let Some(batch) = reader.next_batch()? {
        if batches.blocking_send(batch).is_err() {
            break;
        }
    }
    Ok(())
}

/// How many records could not be read, by reason.
#[derive(Default)]
struct Rejected {
    reasons: BTreeMap<&'static str, u64>,
    first_line: Option<u64>,
}

impl Rejected {
    fn count(&mut self, batch: &TextBatch) {
        for reject in &batch.rejects {
            *self.reasons.entry(reject.reason).or_default() += 1;
            self.first_line.get_or_insert(reject.line);
        }
    }

    fn report(&self, load: &Load<'_>) {
        if self.reasons.is_empty() {
            return;
        }
        let hint = match self.reasons.contains_key("bad_encoding") {
            true => {
                "set `encoding` of the source to `latin1` or `windows-1252` if that is what the file is"
            }
            false if load.ingest.into.contains('.') => {
                "they are in the table beside it, whose name ends with `_quarantine`"
            }
            false => "`galen quarantine list` shows them",
        };
        load.context.log.warn(
            "some records could not be read",
            json!({"file": load.name, "reasons": self.reasons, "first_line": self.first_line, "hint": hint}),
        );
    }
}
