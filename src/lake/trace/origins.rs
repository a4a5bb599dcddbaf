//! Files and lines of the rows that no model makes.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::arrow::array::{Array, AsArray, Int64Array, RecordBatch, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Int64Type, Schema, TimestampMicrosecondType};
use datafusion::catalog::MemTable;

use super::held::Held;
use crate::base::{Error, Result};
use crate::db::quote;
use crate::lake::compute::ASIDE;
use crate::lake::error::{planning, running};
use crate::lake::model::OP;
use crate::lake::provenance::provenance;
use crate::lake::texts_of;
use crate::lake::types::instant;
use crate::lake::warehouse::{Warehouse, quoted};
use crate::records::TracedRecord;

/// Where rows of a source came from.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct SourceRows {
    /// Its full name.
    pub table: String,
    /// The rows that had a part.
    pub rows: u64,
    /// Those of them that came from no file that is known, as rows that a statement wrote.
    pub unknown: u64,
    /// The files, in the order of their names.
    pub files: Vec<SourceFile>,
    /// The first records.
    pub records: Vec<TracedRecord>,
}

/// A file that had a part.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct SourceFile {
    /// The file.
    pub file: String,
    /// SHA-256 of its bytes, by which the archive keeps it.
    pub file_hash: String,
    /// Its records that had a part.
    pub records: u64,
}

impl Warehouse {
    /// What is known of the `rows` rows of `table` that are held as `wanted`.
    pub(super) async fn origins(
        &self,
        table: &str,
        wanted: &str,
        rows: u64,
        most: usize,
        held: &Held,
    ) -> Result<SourceRows> {
        let sql = format!("SELECT * FROM {ASIDE}.{wanted}");
        let frame = held.compute.query(&sql).await?;
        let has = |name: &str| frame.schema().has_column_with_unqualified_name(name);
        let mut files = Vec::new();
        let mut records = Vec::new();
        if provenance().iter().all(|field| has(field.name())) {
            let from = format!("{ASIDE}.{wanted}");
            files = of_files(held, &from).await?;
            records = first(held, &from, most).await?;
        } else if has("_row_id") && has("_batch_id") {
            for staging in self.hold_batches(wanted, held).await? {
                self.register(&held.compute, OP, &staging, None).await?;
                let from = format!(
                    "(SELECT s.* FROM {ASIDE}.{wanted} w
                      JOIN {ASIDE}.{BATCHES} b ON b.batch = w._batch_id AND b.source_table = '{}'
                      JOIN {} s ON s._row_id = w._row_id)",
                    staging.replace('\'', "''"),
                    quoted(&format!("{OP}.{staging}")),
                );
                files.extend(of_files(held, &from).await?);
                records.extend(first(held, &from, most).await?);
            }
            files.sort_by(|a, b| (&a.file, &a.file_hash).cmp(&(&b.file, &b.file_hash)));
            records.truncate(most);
        }
        let known: u64 = files.iter().map(|file| file.records).sum();
        Ok(SourceRows {
            table: table.to_owned(),
            rows,
            unknown: rows.saturating_sub(known),
            files,
            records,
        })
    }

    /// Makes known from which staging table each batch read that wrote rows held as `wanted`. Gives the staging tables.
    async fn hold_batches(&self, wanted: &str, held: &Held) -> Result<BTreeSet<String>> {
        let sql = format!(
            "SELECT DISTINCT CAST(_batch_id AS BIGINT) FROM {ASIDE}.{wanted} WHERE _batch_id IS NOT NULL"
        );
        let mut batches: BTreeSet<i64> = BTreeSet::new();
        for found in held.compute.rows(&sql).await? {
            batches.extend(found.column(0).as_primitive::<Int64Type>().iter().flatten());
        }
        let sources = self.records.sources_of(&batches).await?;
        let schema = Arc::new(Schema::new(vec![
            Field::new("batch", DataType::Int64, false),
            Field::new("source_table", DataType::Utf8, false),
        ]));
        let numbers: Int64Array = sources.keys().copied().collect();
        let names = StringArray::from_iter_values(sources.values());
        let rows = RecordBatch::try_new(
            Arc::clone(&schema),
            vec![Arc::new(numbers), Arc::new(names)],
        );
        let rows = rows.map_err(|error| running(error.into()))?;
        let known = MemTable::try_new(schema, vec![vec![rows]]).map_err(planning)?;
        held.compute.register(ASIDE, BATCHES, Arc::new(known))?;
        Ok(sources.into_values().collect())
    }
}

/// Under this name in schema [`ASIDE`] batches are known.
const BATCHES: &str = "batches";

/// The files of the rows of `from`.
async fn of_files(held: &Held, from: &str) -> Result<Vec<SourceFile>> {
    let sql = format!(
        "SELECT _file, _file_hash, count(*) FROM {from} WHERE _file IS NOT NULL GROUP BY _file, _file_hash ORDER BY _file, _file_hash"
    );
    let mut files = Vec::new();
    for batch in held.compute.rows(&sql).await? {
        let (names, hashes) = (texts_of(batch.column(0))?, texts_of(batch.column(1))?);
        let counts = batch.column(2).as_primitive::<Int64Type>();
        files.extend((0..batch.num_rows()).map(|row| SourceFile {
            file: names.value(row).to_owned(),
            file_hash: text(&hashes, row),
            records: u64::try_from(counts.value(row)).unwrap_or(0),
        }));
    }
    Ok(files)
}

/// The first `most` records of `from`, in the order of files and lines.
async fn first(held: &Held, from: &str, most: usize) -> Result<Vec<TracedRecord>> {
    let columns = provenance();
    let columns: Vec<String> = columns.iter().map(|field| quote(field.name())).collect();
    let sql = format!(
        "SELECT {} FROM {from} WHERE _file IS NOT NULL ORDER BY _file, _file_hash, _line, _hash LIMIT {most}",
        columns.join(", ")
    );
    let mut records = Vec::new();
    for batch in held.compute.rows(&sql).await? {
        records.extend(of_batch(&batch)?);
    }
    Ok(records)
}

/// The records whose provenance `batch` has.
fn of_batch(batch: &RecordBatch) -> Result<Vec<TracedRecord>> {
    let texts = |column: usize| texts_of(batch.column(column));
    let (files, file_hashes, hashes, runs) = (texts(0)?, texts(1)?, texts(3)?, texts(4)?);
    let typed = |column: usize, kind: &DataType| {
        cast(batch.column(column), kind).map_err(|error| running(error.into()))
    };
    let (lines, times) = (typed(2, &DataType::Int64)?, typed(5, &instant())?);
    let lines = lines.as_primitive::<Int64Type>();
    let times = times.as_primitive::<TimestampMicrosecondType>();
    let record = |row: usize| {
        let at: Option<DateTime<Utc>> = DateTime::from_timestamp_micros(times.value(row));
        Ok(TracedRecord {
            file: text(&files, row),
            file_hash: text(&file_hashes, row),
            line: lines.value(row),
            record_hash: text(&hashes, row),
            staged_by: text(&runs, row),
            staged_at: at.ok_or_else(|| Error::new("a record was staged at no possible time"))?,
        })
    };
    (0..batch.num_rows()).map(record).collect()
}

/// A text; empty for null.
fn text(texts: &StringArray, row: usize) -> String {
    match texts.is_valid(row) {
        true => texts.value(row).to_owned(),
        false => String::new(),
    }
}
