//! What is asked of a plan, and what came of it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use chrono::{NaiveDate, TimeDelta};

use super::plan::Plan;
use super::spec::Expect;
use crate::base::{Error, Interval, Result, nearest};

/// What to generate, how much and where to.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// In place of the definition's seed.
    pub seed: Option<u64>,
    /// Name of a scale, or a factor such as `2.5`; `None` is `default`.
    pub scale: Option<String>,
    /// In place of the row count of the first table that follows the scale; the others keep their proportion to it.
    pub rows: Option<u64>,
    /// Names of the tables to write; empty for all.
    pub tables: Vec<String>,
    /// The days, in order.
    pub days: Vec<NaiveDate>,
    /// The folder for the files; made when it does not exist.
    pub out: PathBuf,
    /// Blocks made at the same time; 0 for one a processor. The result does not depend on it.
    pub threads: usize,
}

/// What was generated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The files, in the order of the definition.
    pub files: Vec<FileReport>,
    /// The answer key: planted mistakes by table.
    pub key: Vec<Planted>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileReport {
    /// The table.
    pub table: String,
    /// Where it is.
    pub path: PathBuf,
    /// Its rows, without the header.
    pub rows: u64,
    /// Whether the file was written; `false` when it was there with the same bytes.
    pub written: bool,
}

/// How many rows of a table have a planted mistake, themselves or from a row above.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planted {
    /// The table.
    pub table: String,
    /// Name of the mistake.
    pub defect: String,
    /// What should become of the rows.
    pub expect: Expect,
    /// Rows of the table.
    pub rows: u64,
}

/// The days of an interval: from the date it starts on to the one before it ends on, and always one.
pub fn days_of(interval: &Interval) -> Vec<NaiveDate> {
    let first = interval.start.date_naive();
    let days = (interval.end.date_naive() - first).num_days().max(1);
    (0..days).map(|day| first + TimeDelta::days(day)).collect()
}

impl Request {
    /// Whether the plan has the scale and the tables that are asked for.
    ///
    /// # Errors
    /// What it has not, with what it has.
    pub fn fits(&self, plan: &Plan) -> Result<()> {
        self.rows_of(plan)?;
        self.wanted(plan).map(drop)
    }

    /// Row counts by table, `None` where the definition has none.
    pub fn rows_of(&self, plan: &Plan) -> Result<Vec<Option<u64>>> {
        let leading = plan
            .tables
            .iter()
            .find_map(|table| table.rows.filter(|_| table.scaled));
        let factor = match (self.rows, leading) {
            (None, _) => scale(plan, self.scale.as_deref())?,
            (Some(rows), Some(leading)) if rows > 0 => rows as f64 / leading.max(1) as f64,
            (Some(0), _) => return Err(Error::new("`rows` is 0, expected at least 1")),
            (Some(_), _) => {
                return Err(Error::new(
                    "`rows` is given, but no table follows the scale",
                ));
            }
        };
        let scaled = |rows: u64| ((rows as f64 * factor).round() as u64).max(1);
        let rows = plan.tables.iter().map(|table| match table.rows {
            Some(rows) if table.scaled => Some(scaled(rows)),
            rows => rows,
        });
        Ok(rows.collect())
    }

    /// By table: whether it is to be written.
    pub fn wanted(&self, plan: &Plan) -> Result<Vec<bool>> {
        let names = || plan.tables.iter().filter(|table| table.file.is_some());
        for name in &self.tables {
            if !names().any(|table| table.name == *name) {
                let error = Error::new(format!("table `{name}` is not among those to generate"));
                let near = nearest(name, names().map(|table| table.name.as_str()));
                return Err(match near {
                    Some(near) => error.hint(format!("did you mean `{near}`?")),
                    None => error,
                });
            }
        }
        let asked: BTreeSet<&str> = self.tables.iter().map(String::as_str).collect();
        let wanted = plan.tables.iter().map(|table| {
            table.file.is_some() && (asked.is_empty() || asked.contains(table.name.as_str()))
        });
        Ok(wanted.collect())
    }
}

fn scale(plan: &Plan, name: Option<&str>) -> Result<f64> {
    let name = name.unwrap_or("default");
    let named = plan.scales.get(name).copied();
    match named.or_else(|| name.parse().ok()) {
        Some(factor) if factor > 0.0 && factor <= 1e6 => Ok(factor),
        Some(_) => Err(Error::new(format!(
            "scale `{name}` is not between 0 and 1000000"
        ))),
        None if name == "default" => Ok(1.0),
        None => {
            let known: Vec<&str> = plan.scales.keys().map(String::as_str).collect();
            Err(
                Error::new(format!("scale `{name}` is unknown")).hint(format!(
                    "known are default, {}, and factors such as 2.5",
                    known.join(", ")
                )),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(start: &str, end: &str) -> Interval {
        let time = |text: &str| text.parse().expect("a time");
        Interval::new(time(start), time(end)).expect("not empty")
    }

    #[test]
    fn an_interval_has_the_days_it_starts_on() {
        let texts = |interval: Interval| {
            let days = days_of(&interval).into_iter();
            days.map(|day| day.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(
            texts(interval("2026-01-01T02:00:00Z", "2026-01-02T02:00:00Z")),
            ["2026-01-01"]
        );
        assert_eq!(
            texts(interval("2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z")),
            ["2026-01-01", "2026-01-02", "2026-01-03"]
        );
        assert_eq!(
            texts(interval("2026-01-01T05:00:00Z", "2026-01-01T06:00:00Z")),
            ["2026-01-01"]
        );
    }
}
