//! `galen query`: one SELECT over a DAG's tables.

use std::path::PathBuf;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use clap::{Args, ValueEnum};

use super::out_file::OutFile;
use super::{App, Exit, Printer};
use crate::base::Result;
use crate::lake::{At, Format};

/// Ask a DAG's tables: one SELECT over all layers and `op`
///
/// Nothing is changed. Tables are named with their schema: `op.visits`, `gold.daily`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  galen query clinic \"SELECT day, count(*) FROM silver.visits GROUP BY day\"
  galen query clinic \"SELECT * FROM gold.daily\" --format parquet --out daily.parquet
  galen query clinic \"SELECT * FROM gold.daily\" --at 3
  galen query clinic \"SELECT * FROM gold.daily\" --at 2026-01-31T06:00:00Z")]
pub struct Query {
    /// The DAG
    dag: String,
    /// One SELECT
    sql: String,
    /// How rows are written
    #[arg(long, value_enum, default_value_t = As::Table)]
    format: As,
    /// The tables as they were: a version, a date (its end, in UTC) or a timestamp
    #[arg(long, value_name = "VERSION|TIME", value_parser = at)]
    at: Option<At>,
    /// Write to this file, which appears whole or not at all
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum As {
    Table,
    Csv,
    Json,
    Parquet,
}

impl From<As> for Format {
    fn from(given: As) -> Self {
        match given {
            As::Table => Self::Table,
            As::Csv => Self::Csv,
            As::Json => Self::Json,
            As::Parquet => Self::Parquet,
        }
    }
}

fn at(text: &str) -> std::result::Result<At, String> {
    if let Ok(version) = text.parse() {
        return Ok(At::Version(version));
    }
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(At::Time(time.with_timezone(&Utc)));
    }
    let end = NaiveTime::from_hms_micro_opt(23, 59, 59, 999_999).unwrap_or_default();
    let day = text.parse::<NaiveDate>();
    day.map(|day| At::Time(day.and_time(end).and_utc()))
        .map_err(|_| {
            "expected a version, as `3`, a date or a timestamp, as `2026-01-31T06:00:00Z`"
                .to_owned()
        })
}

/// Writes the rows to stdout or a file.
pub async fn query(args: &Query, app: &App, printer: &mut Printer) -> Result<Exit> {
    let rows = app.warehouse(&args.dag)?.query(&args.sql, args.at).await?;
    let Some(path) = &args.out else {
        rows.write(args.format.into(), printer).await?;
        return Ok(Exit::Success);
    };
    let mut file = OutFile::create(path)?;
    let rows = rows.write(args.format.into(), &mut file).await?;
    file.keep()?;
    printer.note(&format!("{rows} rows to `{}`", path.display()));
    Ok(Exit::Success)
}
