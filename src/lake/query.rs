//! Questions to the tables of a DAG: one SELECT, nothing changed.

use std::io::Write;

use datafusion::arrow::datatypes::{FieldRef, SchemaRef};
use datafusion::dataframe::DataFrame;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::context::SQLOptions;
use datafusion::parquet::arrow::ArrowWriter;
use futures::TryStreamExt;

use super::error::{planning, running};
use super::rows::{Cells, csv_line, json_object, table_text};
use super::warehouse::{Warehouse, quoted};
use super::{At, Materialized, OP};
use crate::base::{Error, Result};
use crate::db::quote;

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Aligned columns, for people.
    Table,
    /// A header, then a line a row; null is an empty field and the empty text `""`.
    Csv,
    /// One array of objects, an object a line.
    Json,
    /// A Parquet file.
    Parquet,
}

/// The rows of a query, not computed yet.
pub struct Rows {
    frame: DataFrame,
}

impl Warehouse {
    /// The rows of `sql` over the tables of all layers and `op`, as they are or as they were at `at`.
    ///
    /// # Errors
    /// When it is not one SELECT, names a table or column that is not there, or the past asked for does not exist.
    pub async fn query(&self, sql: &str, at: Option<At>) -> Result<Rows> {
        let compute = self.session(sql, at).await?;
        let frame = compute.query(sql).await?;
        SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false)
            .verify_plan(frame.logical_plan())
            .map_err(planning)?;
        Ok(Rows { frame })
    }

    /// Writes a table as CSV in the order of its key; without one, of all columns. Of a table that no model makes, the columns `_…`, which
    /// say where its records came from, stay out without `all`, and decide the order last. Gives the number of rows.
    ///
    /// # Errors
    /// When there is no such table; when `out` cannot be written.
    pub async fn export(
        &self,
        full_name: &str,
        all: bool,
        out: &mut (dyn Write + Send),
    ) -> Result<u64> {
        let model = self.models.get(full_name);
        let mut key = model
            .map(|model| model.header.unique_key.clone())
            .unwrap_or_default();
        if model.is_some_and(|model| model.header.materialized == Materialized::Scd2) {
            key.push("version".to_owned());
        }
        let table = quoted(full_name);
        let columns = self.query(&format!("SELECT * FROM {table}"), None).await?;
        let (own, mut others): (Vec<String>, Vec<String>) = columns
            .columns()
            .into_iter()
            .partition(|name| model.is_some() || !name.starts_with('_'));
        let list = |names: &[String]| {
            let names = names.iter().map(|name| quote(name));
            names.collect::<Vec<String>>().join(", ")
        };
        let shown = match all {
            true => "*".to_owned(),
            false => list(&own),
        };
        if key.is_empty() {
            key = own;
            key.append(&mut others);
        }
        let sql = format!("SELECT {shown} FROM {table} ORDER BY {}", list(&key));
        self.query(&sql, None).await?.write(Format::Csv, out).await
    }

    /// Whether a name is that of a table in a layer, as `gold.daily`.
    pub fn is_layered(name: &str) -> bool {
        name.split_once('.')
            .is_some_and(|(schema, _)| schema != OP && super::LAYERS.contains(&schema))
    }
}

impl Rows {
    /// Names of the columns.
    pub fn columns(&self) -> Vec<String> {
        let fields = self.frame.schema().fields().iter();
        fields.map(|field| field.name().clone()).collect()
    }

    /// The columns with their types.
    pub(super) fn fields(&self) -> Vec<FieldRef> {
        self.frame.schema().fields().iter().cloned().collect()
    }

    /// Computes the rows, batch by batch.
    pub(super) async fn stream(self) -> Result<SendableRecordBatchStream> {
        self.frame.execute_stream().await.map_err(running)
    }

    /// Computes the rows in parts, at least one.
    pub(super) async fn parts(self) -> Result<Vec<SendableRecordBatchStream>> {
        self.frame
            .execute_stream_partitioned()
            .await
            .map_err(running)
    }

    /// Computes the rows and writes them as they come; a table for people is written when all are there. Gives their number.
    ///
    /// # Errors
    /// When a row cannot be computed, or `out` not be written.
    pub async fn write(self, format: Format, out: &mut (dyn Write + Send)) -> Result<u64> {
        match format {
            Format::Parquet => self.write_parquet(out).await,
            format => self.write_text(format, out).await,
        }
    }

    async fn write_text(self, format: Format, out: &mut (dyn Write + Send)) -> Result<u64> {
        let names = self.columns();
        let mut batches = self.frame.execute_stream().await.map_err(running)?;
        let mut written = 0;
        let mut kept: Vec<Vec<Option<String>>> = Vec::new();
        let mut numeric = vec![false; names.len()];
        match format {
            Format::Csv => csv_line(out, names.iter().map(|name| Some(name.as_str())))?,
            Format::Json => out.write_all(b"[").map_err(unwritable)?,
            _ => {}
        }
        while let Some(batch) = batches.try_next().await.map_err(running)? {
            let cells = Cells::new(&batch)?;
            numeric = (0..names.len())
                .map(|column| cells.is_bare(column))
                .collect();
            for row in 0..batch.num_rows() {
                let texts = cells.row(row);
                match format {
                    Format::Csv => csv_line(out, texts.iter().map(Option::as_deref))?,
                    Format::Json => {
                        let start = if written == 0 { "\n" } else { ",\n" };
                        let object = json_object(&names, &texts, &numeric);
                        out.write_all(format!("{start}{object}").as_bytes())
                            .map_err(unwritable)?;
                    }
                    _ => kept.push(texts),
                }
                written += 1;
            }
        }
        match format {
            Format::Json if written == 0 => out.write_all(b"]\n").map_err(unwritable)?,
            Format::Json => out.write_all(b"\n]\n").map_err(unwritable)?,
            Format::Table => out
                .write_all(table_text(&names, &kept, &numeric).as_bytes())
                .map_err(unwritable)?,
            _ => {}
        }
        out.flush().map_err(unwritable)?;
        Ok(written)
    }

    async fn write_parquet(self, out: &mut (dyn Write + Send)) -> Result<u64> {
        let schema: SchemaRef = self.frame.schema().inner().clone();
        let failed = |_| Error::new("the Parquet file cannot be written").transient();
        let mut batches = self.frame.execute_stream().await.map_err(running)?;
        let mut writer = ArrowWriter::try_new(&mut *out, schema, None).map_err(failed)?;
        let mut written = 0;
        while let Some(batch) = batches.try_next().await.map_err(running)? {
            writer.write(&batch).map_err(failed)?;
            written += batch.num_rows() as u64;
        }
        writer.close().map_err(failed)?;
        out.flush().map_err(unwritable)?;
        Ok(written)
    }
}

pub(super) fn unwritable(error: std::io::Error) -> Error {
    Error::new("rows cannot be written")
        .because(error)
        .transient()
}
