//! Rows as text.

use std::io::Write;

use datafusion::arrow::array::{Array, RecordBatch};
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};

use super::error::running;
use super::query::unwritable;
use crate::base::Result;

/// Instants in UTC with microseconds, as everywhere else.
const INSTANT: &str = "%Y-%m-%dT%H:%M:%S%.6fZ";

/// The cells of a batch as texts.
pub(super) struct Cells<'a> {
    batch: &'a RecordBatch,
    columns: Vec<ArrayFormatter<'a>>,
}

impl<'a> Cells<'a> {
    /// Ready to write.
    pub fn new(batch: &'a RecordBatch) -> Result<Self> {
        const OPTIONS: FormatOptions<'static> = FormatOptions::new()
            .with_timestamp_format(Some(INSTANT))
            .with_timestamp_tz_format(Some(INSTANT));
        let columns = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &OPTIONS));
        let columns = columns
            .collect::<Result<_, _>>()
            .map_err(|error| running(error.into()))?;
        Ok(Self { batch, columns })
    }

    /// The texts of a row; `None` is null.
    pub fn row(&self, row: usize) -> Vec<Option<String>> {
        let columns = self.columns.iter().zip(self.batch.columns());
        columns
            .map(|(text, column)| (!column.is_null(row)).then(|| text.value(row).to_string()))
            .collect()
    }

    /// Whether the values of a column are numbers or truth values, which JSON writes without quotes.
    pub fn is_bare(&self, column: usize) -> bool {
        let kind = self.batch.column(column).data_type();
        kind.is_numeric() || *kind == DataType::Boolean
    }
}

/// A line of CSV: null is an empty field and the empty text `""`.
pub(super) fn csv_line<'a>(
    out: &mut (dyn Write + Send),
    cells: impl Iterator<Item = Option<&'a str>>,
) -> Result<()> {
    let mut line = String::new();
    for (number, cell) in cells.enumerate() {
        if number > 0 {
            line.push(',');
        }
        match cell {
            None => {}
            Some(text) if text.is_empty() || text.contains([',', '"', '\n', '\r']) => {
                line.push('"');
                line.push_str(&text.replace('"', "\"\""));
                line.push('"');
            }
            Some(text) => line.push_str(text),
        }
    }
    line.push('\n');
    out.write_all(line.as_bytes()).map_err(unwritable)
}

/// A row as a JSON object; decimals keep all their digits.
pub(super) fn json_object(names: &[String], cells: &[Option<String>], bare: &[bool]) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let members = names
        .iter()
        .zip(cells)
        .zip(bare)
        .map(|((name, cell), bare)| {
            let value = match cell {
                None => "null".to_owned(),
                Some(text) if *bare && !matches!(text.as_str(), "NaN" | "inf" | "-inf") => {
                    text.clone()
                }
                Some(text) => quoted(text),
            };
            format!("{}:{value}", quoted(name))
        });
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

/// Rows under their names, aligned; numbers to the right, `-` for null.
pub(super) fn table_text(
    names: &[String],
    rows: &[Vec<Option<String>>],
    numeric: &[bool],
) -> String {
    let shown = |cell: &Option<String>| match cell {
        None => "-".to_owned(),
        Some(text) => text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect(),
    };
    let mut lines = vec![names.to_vec()];
    lines.extend(rows.iter().map(|row| row.iter().map(shown).collect()));
    let width = |column: usize| {
        lines
            .iter()
            .map(|line| line[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..names.len()).map(width).collect();
    let mut text = String::new();
    for line in &lines {
        let cells = line
            .iter()
            .zip(&widths)
            .zip(numeric)
            .map(|((cell, width), numeric)| {
                let gap = " ".repeat(width - cell.chars().count());
                match numeric {
                    true => format!("{gap}{cell}"),
                    false => format!("{cell}{gap}"),
                }
            });
        let cells: Vec<String> = cells.collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}
