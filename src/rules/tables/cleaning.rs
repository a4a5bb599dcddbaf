//! The rules of one table, compiled for its columns.

use super::cell::Standards;
use super::cleansing::Cleanse;
use super::column_type::ColumnType;
use super::compatibility::Compatibility;
use super::dates::Evidence;
use super::judge::{Judge, Judged};
use super::known::Parent;
use super::place::{Problems, unknown};
use super::rule::Rule;
use super::severity::Severity;
use crate::base::{Error, Problem};

/// What is done to the records of a table: cleanse, standardize, judge. Compiled once, applied to chunks of any size.
#[derive(Debug)]
pub struct Cleaning {
    pub(super) table: String,
    pub(super) compatibility: Compatibility,
    /// Names, in the order of the table.
    pub(super) columns: Vec<String>,
    pub(super) types: Vec<(String, ColumnType)>,
    /// What is done to each column.
    pub(super) plans: Vec<ColumnPlan>,
    /// Every rule that can fail; others name it by its number.
    pub(super) rules: Vec<Rule>,
    pub(super) judges: Vec<Judge>,
    pub(super) parents: Vec<Parent>,
    pub(super) key: Vec<String>,
    /// Columns that a row is known by: the key first when there is one, then those of each `UNIQUE` rule.
    pub(super) identities: Vec<Vec<String>>,
    pub(super) evidence: Vec<Evidence>,
}

/// The steps of a column.
#[derive(Debug, Default)]
pub(super) struct ColumnPlan {
    pub steps: Vec<Step>,
    pub standards: Option<Standards>,
}

/// A step of a column.
#[derive(Debug)]
pub(super) struct Step {
    pub what: Cleanse,
    /// As written.
    pub text: String,
    /// The rule that fails when a value does not fit.
    pub rule: Option<usize>,
    /// The evidence that it needs.
    pub evidence: Option<usize>,
    /// The column that tells groups of values apart.
    pub by: Option<String>,
}

/// A query that must find no row, for the warehouse to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query<'a> {
    /// Number of its rule.
    pub rule: usize,
    /// One `SELECT`, whose rows fail.
    pub sql: &'a str,
}

impl Cleaning {
    /// The table.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// The columns that records have afterwards, with their types.
    pub fn columns(&self) -> &[(String, ColumnType)] {
        &self.types
    }

    /// The columns that identify a row, by the table's stage job; empty without one. Of rows with equal keys that differ the later
    /// delivery stays, which is for the writer to see to.
    pub fn key(&self) -> &[String] {
        &self.key
    }

    /// Every rule that can fail, by number.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The keys that the caller must know for [`Cleaning::apply`], one set for each.
    pub fn parents(&self) -> &[Parent] {
        &self.parents
    }

    /// The relationship rules whose table or columns are not there, as problems. `columns_of` gives the columns of a table that the caller
    /// knows.
    pub fn check_parents(&self, columns_of: &dyn Fn(&str) -> Option<Vec<String>>) -> Vec<Problem> {
        let mut problems = Problems::default();
        for judge in &self.judges {
            let Judged::Relationship { parent, .. } = judge.what else {
                continue;
            };
            let (place, parent) = (&self.rules[judge.rule].place, &self.parents[parent]);
            let table = &parent.table;
            let Some(columns) = columns_of(table) else {
                problems.add(place, &Error::new(format!("unknown table `{table}`")));
                continue;
            };
            for name in parent.columns.iter().filter(|name| !columns.contains(name)) {
                let message = format!("table `{table}` has no column `{name}`");
                let known = columns.iter().map(String::as_str);
                problems.add(place, &unknown(message, name, known));
            }
        }
        problems.0
    }

    /// The rules that look at whole tables and must be run where those are.
    pub fn queries(&self) -> Vec<Query<'_>> {
        let mut queries = Vec::new();
        for judge in &self.judges {
            if let Judged::Sql(sql) = &judge.what {
                queries.push(Query {
                    rule: judge.rule,
                    sql,
                });
            }
        }
        queries
    }

    /// Whether what the rules say can change while records and rules stay: they ask for the time, or for tables of others.
    pub fn looks_beyond(&self) -> bool {
        let mut judges = self.judges.iter();
        judges.any(|judge| matches!(judge.what, Judged::Freshness(..) | Judged::Sql(_)))
    }

    /// What is done, in words: a line for each column and each quality rule.
    pub fn describe(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (column, plan) in self.columns.iter().zip(&self.plans) {
            let steps: Vec<&str> = plan.steps.iter().map(|step| step.text.as_str()).collect();
            if !steps.is_empty() {
                lines.push(format!("cleanse {column}: {}", steps.join(", ")));
            }
            if let Some(standards) = &plan.standards {
                lines.push(format!("standardize {column}: {}", standards.describe()));
            }
        }
        for judge in &self.judges {
            let rule = &self.rules[judge.rule];
            let severity = match rule.severity {
                Severity::Error => "",
                Severity::Warn => " (warn)",
            };
            let columns = match rule.columns.as_slice() {
                [] => String::new(),
                columns => format!(" {}", columns.join(", ")),
            };
            lines.push(format!("check{columns}: {}{severity}", rule.kind));
        }
        lines
    }

    /// The number of a column.
    pub(super) fn place_of(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|name| name == column)
    }
}

impl Standards {
    fn describe(&self) -> String {
        if self.phone {
            return "last ten digits of the number".to_owned();
        }
        let mut parts = Vec::new();
        match self.values.len() {
            0 => {}
            1 => parts.push("1 value".to_owned()),
            many => parts.push(format!("{many} values")),
        }
        if self.negative.is_some() {
            parts.push("numbers below zero".to_owned());
        }
        parts.join(", ")
    }
}
