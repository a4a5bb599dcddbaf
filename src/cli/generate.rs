//! `galen generate`: synthetic rows from a declaration, outside any run.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{NaiveDate, TimeDelta};
use clap::Args;
use serde_json::json;

use super::{App, Exit, Printer, Table};
use crate::base::{Error, Result};
use crate::generate::{ANSWER_KEY, Plan, Request, compile, generate};

/// Make up synthetic rows from a declaration and write them as CSV
///
/// The same declaration, seed and dates give the same bytes on any machine. Planted mistakes are counted in
/// `answer_key.json` beside the files.
#[derive(Debug, Args)]
pub struct Generate {
    /// The declaration, as `dags/<dag_id>/generate.yaml`; word files are looked for beside it
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Folder for the files
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// A day [default: today, in UTC]
    #[arg(long, value_name = "D", conflicts_with_all = ["from", "to"])]
    date: Option<NaiveDate>,
    /// First of several days
    #[arg(long, value_name = "D", requires = "to")]
    from: Option<NaiveDate>,
    /// Last of several days
    #[arg(long, value_name = "D", requires = "from")]
    to: Option<NaiveDate>,
    /// A scale of the declaration, such as `tiny`, or a factor such as `2.5`
    #[arg(long)]
    scale: Option<String>,
    /// Row count of the first table that follows the scale; the others keep their proportion to it
    #[arg(long, value_name = "N", conflicts_with = "scale")]
    rows: Option<u64>,
    /// In place of the declaration's seed
    #[arg(long)]
    seed: Option<u64>,
    /// Write this table only; may be given more than once
    #[arg(long = "table", value_name = "TABLE")]
    tables: Vec<String>,
    /// Blocks made at the same time; changes no byte [default: one a processor]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    threads: usize,
    /// Print one JSON array of objects
    #[arg(long)]
    json: bool,
}

/// Writes the files, prints their sizes to stdout and the answer key to stderr.
pub fn run(args: &Generate, app: &App, printer: &mut Printer) -> Result<Exit> {
    let plan = plan(&args.file)?;
    let request = Request {
        seed: args.seed,
        scale: args.scale.clone(),
        rows: args.rows,
        tables: args.tables.clone(),
        days: args.days(app.clock.now().date_naive())?,
        out: args.out.clone(),
        threads: args.threads,
    };
    let Some(report) = generate(&plan, &request, &|| false)? else {
        return Ok(Exit::Failed);
    };
    let mut files = Table::new(["table", "rows", "file", "written"]);
    for file in &report.files {
        files.row([
            json!(file.table),
            json!(file.rows),
            json!(file.path.display().to_string()),
            json!(file.written),
        ]);
    }
    printer.table(&files, args.json)?;
    if !report.key.is_empty() {
        let key = request.out.join(ANSWER_KEY);
        printer.note(&format!("planted mistakes (`{}`):", key.display()));
        let mut planted = Table::new(["table", "mistake", "expect", "rows"]);
        for line in &report.key {
            planted.row([
                json!(line.table),
                json!(line.defect),
                json!(line.expect.to_string()),
                json!(line.rows),
            ]);
        }
        printer.note(planted.to_string().trim_end());
    }
    Ok(Exit::Success)
}

impl Generate {
    fn days(&self, today: NaiveDate) -> Result<Vec<NaiveDate>> {
        let (Some(from), Some(to)) = (self.from, self.to) else {
            return Ok(vec![self.date.unwrap_or(today)]);
        };
        if from > to {
            return Err(Error::new(format!("`--from {from}` is after `--to {to}`")));
        }
        let days = 0..=(to - from).num_days();
        Ok(days.map(|day| from + TimeDelta::days(day)).collect())
    }
}

fn plan(file: &Path) -> Result<Plan> {
    let folder = file.parent().unwrap_or(Path::new(""));
    let text = read(file)?;
    let lookup = |name: &str| read(&folder.join(name));
    compile(&file.display().to_string(), &text, &lookup).map_err(|problems| {
        let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Error::new(texts.join("\n"))
    })
}

fn read(file: &Path) -> Result<Arc<str>> {
    let text = std::fs::read_to_string(file);
    text.map(Arc::from).map_err(|error| {
        Error::new(format!("file `{}` cannot be read", file.display())).because(error)
    })
}
