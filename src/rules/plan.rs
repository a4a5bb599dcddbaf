//! A targets file, compiled: what to read, the steps, and the tables to write.

use super::expression::Expression;
use super::step::Step;
use crate::base::CellType;

/// How staged records become rows of tables; compiled once, applied to every batch.
#[derive(Debug)]
pub struct Plan {
    /// Columns read from staging, spelled as in the file.
    pub staged: Vec<String>,
    /// Columns with one text for all rows.
    pub(super) constants: Vec<(String, String)>,
    pub(super) steps: Vec<Step>,
    pub(super) row_sets: Vec<RowSet>,
    /// Agreements within groups, in step order.
    pub agreements: Vec<Agreement>,
    /// In file order; the first is the main one.
    pub targets: Vec<Target>,
    /// The word for each bit of a record's reasons.
    pub(super) reasons: Vec<String>,
}

/// Rows made from a list of each record.
#[derive(Debug)]
pub(super) struct RowSet {
    pub list: String,
    pub name: String,
    /// Columns of the record that go along.
    pub keep: Vec<String>,
    pub steps: Vec<Step>,
}

/// A column that must be the same in all staged records of a group.
#[derive(Debug)]
pub struct Agreement {
    /// Number of its step.
    pub(super) step: usize,
    pub(super) column: String,
    /// The staged column that names the group.
    pub within: String,
    pub(super) order_by: Vec<Expression>,
    pub(super) reason: u64,
    /// Staged columns from which `column` is made: where these are equal in a group, it agrees.
    pub sources: Vec<String>,
}

/// A table to write.
#[derive(Debug)]
pub struct Target {
    /// The table.
    pub table: String,
    pub(super) row_set: Option<usize>,
    pub(super) condition: Option<Expression>,
    /// Key columns first.
    pub columns: Vec<TargetColumn>,
    /// Number of key columns.
    pub keys: usize,
    pub(super) version: Vec<Expression>,
}

/// A column of a table and where its values come from.
#[derive(Debug)]
pub struct TargetColumn {
    /// Its name.
    pub name: String,
    /// Its type in the table.
    pub cell_type: CellType,
    pub(super) required: bool,
    pub(super) expression: Expression,
}

impl Target {
    /// Whether a version decides between rows with equal keys.
    pub fn is_versioned(&self) -> bool {
        !self.version.is_empty()
    }

    /// Whether each row of `child` comes with a row of this target whose columns `parent_columns` equal its `columns`: both are made by the
    /// same expressions from the same rows, or this one from every record.
    pub fn always_comes_with(
        &self,
        child: &Self,
        columns: &[String],
        parent_columns: &[String],
    ) -> bool {
        let same_rows = self.row_set.is_none() || self.row_set == child.row_set;
        let condition = self.condition.as_ref().map(Expression::text);
        let same_condition = condition.is_none()
            || (self.row_set == child.row_set
                && condition == child.condition.as_ref().map(Expression::text));
        let same_keys = columns.iter().zip(parent_columns).all(|(column, parent)| {
            let made_by = child.expression(column);
            made_by.is_some() && made_by == self.expression(parent)
        });
        same_rows && same_condition && same_keys
    }

    fn expression(&self, name: &str) -> Option<&str> {
        let column = self.columns.iter().find(|column| column.name == name)?;
        Some(column.expression.text())
    }
}

impl Plan {
    /// The words of a set of reasons, in the order in which the file names them.
    pub fn words(&self, reasons: u64) -> Vec<&str> {
        self.reasons
            .iter()
            .enumerate()
            .filter(|(bit, _)| reasons & (1 << bit) != 0)
            .map(|(_, word)| word.as_str())
            .collect()
    }

    /// Places in `staged` of an agreement's group and of the columns that must be alike in it.
    pub fn places(&self, agreement: &Agreement) -> (usize, Vec<usize>) {
        let place = |name: &String| self.staged.iter().position(|staged| staged == name);
        let sources = agreement.sources.iter().filter_map(place).collect();
        (place(&agreement.within).unwrap_or(0), sources)
    }

    /// What is done to a record, step by step, in words.
    pub fn describe(&self) -> Vec<String> {
        let mut lines: Vec<String> = self
            .steps
            .iter()
            .map(|step| self.describe_step(step))
            .collect();
        for rows in &self.row_sets {
            lines.push(format!("explode {} as {}", rows.list, rows.name));
            lines.extend(rows.steps.iter().map(|step| self.describe_step(step)));
        }
        lines
    }

    fn describe_step(&self, step: &Step) -> String {
        match step {
            Step::Nulls { .. } => "nulls".to_owned(),
            Step::Convert { column, name, .. } => format!("convert {column} to {name}"),
            Step::List { column, name, .. } => format!("list {column} to {name}"),
            Step::Lookup { column, names, .. } => format!("map {column} to {}", names.join(", ")),
            Step::Set(columns) => {
                let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
                format!("set {}", names.join(", "))
            }
            Step::Check { reason, .. } => format!("check {}", self.words(*reason).join(", ")),
            Step::Agree(number) => {
                let agreement = &self.agreements[*number];
                let rule = self.words(agreement.reason).join(", ");
                format!(
                    "agree {rule}: {} within {}",
                    agreement.column, agreement.within
                )
            }
        }
    }
}

/// Reasons that need no step. Their bits come first.
pub(super) mod builtin {
    /// Words by bit.
    pub const WORDS: [&str; 6] = [
        "missing_key",
        "missing_value",
        "bad_number",
        "bad_date",
        "bad_boolean",
        "bad_text",
    ];
    pub const MISSING_KEY: u64 = 1;
    pub const MISSING_VALUE: u64 = 1 << 1;
    pub const BAD_NUMBER: u64 = 1 << 2;
    pub const BAD_DATE: u64 = 1 << 3;
    pub const BAD_BOOLEAN: u64 = 1 << 4;
    pub const BAD_TEXT: u64 = 1 << 5;
}
