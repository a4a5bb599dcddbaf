//! What rules said of a table, run after run: one small file a table.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::kept_file::{self, unusable};
use super::{Lake, MadeOf};
use crate::base::{Counts, Result};

/// Runs of a table that are kept.
const MOST_RUNS: usize = 30;

/// What a rule said in one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeptRule {
    /// Where it is written, as `rules/dq_rule_config.csv:3`.
    pub place: String,
    /// The columns it judges.
    pub columns: Vec<String>,
    /// Its kind, as written.
    pub kind: String,
    /// `conformance`, `completeness` or `plausibility`.
    pub class: String,
    /// `error` or `warn`.
    pub severity: String,
    /// What it bears, as written; empty: nothing.
    pub threshold: String,
    /// Values or records it was asked about.
    pub checked: u64,
    /// How many of them failed.
    pub failed: u64,
    /// `pass`, `pass_with_rows`, `fail` or `not_applicable`.
    pub status: String,
    /// Whether its failure stops what reads the table, as it has no record to reject.
    #[serde(default)]
    pub stops: bool,
}

/// What all rules of a table said in one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuleRun {
    /// When.
    pub at: DateTime<Utc>,
    /// The run.
    pub run_id: String,
    /// The rules, in the order in which they are applied.
    pub rules: Vec<KeptRule>,
    /// What became of the records.
    #[serde(default)]
    pub counts: Counts,
    /// What the rows were made of, where the same makes the same again.
    #[serde(default)]
    pub made_of: Option<MadeOf>,
}

impl KeptRule {
    /// What share of what was checked failed, in percent; `None` when nothing was.
    pub fn percent(&self) -> Option<f64> {
        (self.checked > 0).then(|| self.failed as f64 * 100.0 / self.checked as f64)
    }
}

impl Lake {
    /// Keeps what rules said of the table `full_name`, in the place of what the same run said before; the file appears whole or not at all.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn keep_rules(&self, full_name: &str, run: RuleRun) -> Result<()> {
        let path = self.rules(full_name);
        let mut runs = self.kept_rules(full_name)?;
        runs.retain(|kept| kept.run_id != run.run_id);
        runs.push(run);
        runs.drain(..runs.len().saturating_sub(MOST_RUNS));
        kept_file::write(&path, &runs)
    }

    /// What rules said of the table, the last run last; none when no rule was ever applied.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn kept_rules(&self, full_name: &str) -> Result<Vec<RuleRun>> {
        Ok(kept_file::read(&self.rules(full_name))?.unwrap_or_default())
    }

    /// Full names of the tables of which something is kept.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn judged(&self) -> Result<Vec<String>> {
        let folder = self.folder_of_rules();
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(unusable(&folder, error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.map_err(|error| unusable(&folder, error))?.file_name();
            names.extend(
                name.to_string_lossy()
                    .strip_suffix(".json")
                    .map(str::to_owned),
            );
        }
        names.sort();
        Ok(names)
    }

    fn rules(&self, full_name: &str) -> PathBuf {
        self.folder_of_rules().join(format!("{full_name}.json"))
    }
}
