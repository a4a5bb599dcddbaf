//! Records that were set aside on their way into Delta tables: where they came from and why, never what they say.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type, TimestampMicrosecondType};
use serde_json::json;

use super::error::running;
use super::provenance::QUARANTINE;
use super::types::instant;
use super::warehouse::{Warehouse, quoted};
use super::{LAYERS, texts_of};
use crate::base::Result;

/// A record in a table beside another.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct SetAside {
    /// The table it is in, as `silver.visits_quarantine`.
    pub table: String,
    /// Its file.
    pub file: String,
    /// Its first line in the file.
    pub line: i64,
    /// Why.
    pub reasons: Vec<String>,
    /// When its file was read.
    pub at: Option<DateTime<Utc>>,
}

impl Warehouse {
    /// Records of `table`, or of all such tables, with `reason` or any; in the order of tables, files and lines, at most `limit`.
    ///
    /// # Errors
    /// When a table cannot be read.
    pub async fn set_aside(
        &self,
        table: Option<&str>,
        reason: Option<&str>,
        limit: u64,
    ) -> Result<Vec<SetAside>> {
        let mut found: Vec<SetAside> = Vec::new();
        for (name, reasons) in self.tables_aside(table).await? {
            let left = limit.saturating_sub(found.len() as u64);
            let sql = format!(
                "SELECT _file, _line, {reasons}, _loaded_at FROM {}{} ORDER BY _file, _line, _hash LIMIT {left}",
                quoted(&name),
                with_reason(reasons, reason),
            );
            let compute = self.session(&sql, None).await?;
            for batch in compute.rows(&sql).await? {
                found.extend(of_batch(&name, &batch)?);
            }
        }
        Ok(found)
    }

    /// How many records of each such table have each reason; a record counts for all of its reasons.
    ///
    /// # Errors
    /// As [`Warehouse::set_aside`].
    pub async fn reasons_aside(
        &self,
        table: Option<&str>,
        reason: Option<&str>,
    ) -> Result<BTreeMap<(String, String), u64>> {
        let mut found: BTreeMap<(String, String), u64> = BTreeMap::new();
        for (name, reasons) in self.tables_aside(table).await? {
            let sql = format!(
                "SELECT {reasons}, count(*) FROM {}{} GROUP BY {reasons}",
                quoted(&name),
                with_reason(reasons, reason),
            );
            let compute = self.session(&sql, None).await?;
            for batch in compute.rows(&sql).await? {
                let texts = texts_of(batch.column(0))?;
                let counts = batch.column(1).as_primitive::<Int64Type>();
                for row in 0..batch.num_rows() {
                    for one in list(texts.value(row)) {
                        *found.entry((name.clone(), one)).or_default() +=
                            u64::try_from(counts.value(row)).unwrap_or(0);
                    }
                }
            }
        }
        if let Some(reason) = reason {
            found.retain(|(_, one), _| one == reason);
        }
        Ok(found)
    }

    /// The tables of what was set aside, each with its column of reasons.
    async fn tables_aside(&self, only: Option<&str>) -> Result<Vec<(String, &'static str)>> {
        let mut found = Vec::new();
        for layer in LAYERS {
            for table in self.lake.tables(layer).await? {
                let name = format!("{layer}.{table}");
                let asked = only.is_none_or(|only| only == name);
                if !asked || !table.ends_with(QUARANTINE) || self.models.contains(&name) {
                    continue;
                }
                let columns = self.stored_columns(&name).await?;
                let kinds = ["reason", "reasons"];
                let kind = kinds
                    .into_iter()
                    .find(|kind| columns.index_of(kind).is_ok());
                found.extend(kind.map(|kind| (name, kind)));
            }
        }
        Ok(found)
    }
}

fn of_batch(table: &str, batch: &RecordBatch) -> Result<Vec<SetAside>> {
    let (files, reasons) = (texts_of(batch.column(0))?, texts_of(batch.column(2))?);
    let typed = |column: usize, kind: &DataType| {
        cast(batch.column(column), kind).map_err(|error| running(error.into()))
    };
    let (lines, times) = (typed(1, &DataType::Int64)?, typed(3, &instant())?);
    let lines = lines.as_primitive::<Int64Type>();
    let times = times.as_primitive::<TimestampMicrosecondType>();
    let record = |row: usize| SetAside {
        table: table.to_owned(),
        file: files.value(row).to_owned(),
        line: lines.value(row),
        reasons: list(reasons.value(row)),
        at: match times.is_valid(row) {
            true => DateTime::from_timestamp_micros(times.value(row)),
            false => None,
        },
    };
    Ok((0..batch.num_rows()).map(record).collect())
}

/// The reasons in a text: a JSON array of them, or one.
fn list(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap_or_else(|_| vec![text.to_owned()])
}

/// The condition that a record has `reason`; every record has none.
fn with_reason(column: &str, reason: Option<&str>) -> String {
    let Some(reason) = reason else {
        return String::new();
    };
    let literal = |text: &str| format!("'{}'", text.replace('\'', "''"));
    match column {
        // reasons are JSON texts between quotes, so that one is found as such
        "reasons" => format!(
            " WHERE strpos(reasons, {}) > 0",
            literal(&json!(reason).to_string())
        ),
        column => format!(" WHERE {column} = {}", literal(reason)),
    }
}
