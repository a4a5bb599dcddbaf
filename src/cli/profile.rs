//! `galen profile`: what is in a file.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::{App, Exit, Printer, Table};
use crate::base::Result;
use crate::sources::{ColumnProfile, MIN_COUNT, profile};

/// Tell what is in a file: rows, encoding, delimiter, and for each column its kind, nulls, distinct and frequent values
///
/// CSV, a JSON array or NDJSON, plain or gzip. A value is shown only when it came at least 11 times, and the smallest and
/// largest of numbers and dates only, so that nothing points at a person.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  galen profile data_sample/visits.csv
  galen profile raw/results.ndjson.gz --json")]
pub struct Profile {
    /// The file
    file: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Reads the file and prints what is in it.
pub fn show(args: &Profile, app: &App, printer: &mut Printer) -> Result<Exit> {
    let name = args.file.display().to_string();
    let limit = usize::try_from(app.settings.limits.max_record_bytes).unwrap_or(usize::MAX);
    // a file that nobody declared is looked for where the command was given
    let found = profile(&args.file, &name, limit).map_err(|error| match args.file.exists() {
        true => error,
        false => error.hint("relative paths start in the current folder"),
    })?;
    if args.json {
        printer.line(&json!(found).to_string())?;
        return Ok(Exit::Success);
    }
    let mut table = Table::new([
        "column", "kind", "others", "nulls", "distinct", "min", "max", "longest", "frequent",
    ]);
    for column in &found.columns {
        table.row(row(column));
    }
    printer.table(&table, false)?;
    let mark = if found.bom {
        " with a byte order mark"
    } else {
        ""
    };
    let delimiter = match found.delimiter {
        Some('\t') => ", delimiter tab".to_owned(),
        Some(delimiter) => format!(", delimiter `{delimiter}`"),
        None => String::new(),
    };
    printer.note(&format!(
        "{} rows of {} columns, {}{mark}{delimiter}; values are shown that came {MIN_COUNT} times or more",
        found.rows,
        found.columns.len(),
        found.encoding,
    ));
    for (reason, count) in &found.rejected {
        printer.note(&format!("{count} records cannot be read: {reason}"));
    }
    Ok(Exit::Success)
}

fn row(column: &ColumnProfile) -> [Value; 9] {
    let near = if column.distinct_is_exact { "" } else { "~" };
    let kind = match column.format {
        Some(format) => format!("{} {format}", column.kind.as_str()),
        None => column.kind.as_str().to_owned(),
    };
    let frequent: Vec<String> = column
        .frequent
        .iter()
        .map(|one| format!("{} ({})", one.value, one.count))
        .collect();
    [
        json!(column.name),
        json!(kind),
        json!(column.others),
        json!(column.nulls),
        json!(format!("{near}{}", column.distinct)),
        json!(column.min),
        json!(column.max),
        json!(column.longest),
        json!(frequent.join(", ")),
    ]
}
