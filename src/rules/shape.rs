//! Applies a plan to a batch of staged text.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt::Write;

use polars::prelude::*;

use super::convert::{self, Converted};
use super::expression::{Expression, evaluate};
use super::plan::{Plan, Target, builtin};
use super::rejections::Rejections;
use super::step::{Frame, Reasons, Step};
use crate::base::{Cell, CellType, Error, Result};

/// Column after column of staged text, all of one length.
pub type StagedText = Vec<Vec<Option<String>>>;

/// For each agreement of a plan, the value that the groups in conflict must have.
pub type References = Vec<HashMap<String, String>>;

/// What became of a batch of staged records.
pub struct Shaped {
    /// For each record why it cannot go on; zero: it can. [`Plan::words`] names them.
    pub reasons: Vec<u64>,
    /// What was expected of those records, without values, in the order of records; any number for one.
    pub expected: Vec<(u32, String)>,
    /// Rows for each target of the plan, of records without a reason only.
    pub targets: Vec<TargetRows>,
}

/// Rows for one table, in the order of their records.
#[derive(Default)]
pub struct TargetRows {
    /// For each row the record it came from.
    pub records: Vec<u32>,
    /// Row after row, each as wide as the target has columns.
    pub cells: Vec<Cell>,
    /// For each row its version, to be compared as bytes; empty texts when the target has none.
    pub versions: Vec<String>,
}

impl Plan {
    /// Shapes records given as text, columns in the order of [`Plan::staged`].
    ///
    /// # Errors
    /// When an expression does not fit the types of its columns; the batch as a whole cannot be shaped then.
    pub fn shape(&self, staged: StagedText, references: &References) -> Result<Shaped> {
        let mut base = Frame::new(self.frame(staged)?);
        for step in &self.steps {
            base.apply(step)?;
            if let Step::Agree(number) = step {
                self.agree(&mut base, *number, references)?;
            }
        }
        let mut sets = Vec::with_capacity(self.row_sets.len());
        for rows in &self.row_sets {
            let (mut frame, parents) = base.explode(&rows.list, &rows.name, &rows.keep)?;
            for step in &rows.steps {
                frame.apply(step)?;
            }
            base.rejected.inherit(&frame.rejected, &parents);
            sets.push((frame, parents));
        }
        let own: Vec<u32> = (0..base.data.height() as u32).collect();
        let mut drafts = Vec::with_capacity(self.targets.len());
        let mut found = Rejections::none(own.len());
        for target in &self.targets {
            let (frame, parents) = match target.row_set {
                Some(set) => (&sets[set].0, &sets[set].1),
                None => (&base, &own),
            };
            drafts.push(Draft::new(
                target,
                frame,
                parents,
                &base.rejected.reasons,
                &mut found,
            )?);
        }
        let mut rejected = base.rejected;
        rejected.inherit(&found, &own);
        let Rejections { reasons, expected } = rejected.sorted();
        let targets = drafts
            .into_iter()
            .map(|draft| draft.finish(&reasons))
            .collect();
        Ok(Shaped {
            reasons,
            expected,
            targets,
        })
    }

    /// The value each group must have by agreement `number`, given all staged records of the groups as text.
    ///
    /// # Errors
    /// As for [`Plan::shape`].
    pub fn reference(&self, number: usize, staged: StagedText) -> Result<HashMap<String, String>> {
        let agreement = &self.agreements[number];
        let mut frame = Frame::new(self.frame(staged)?);
        for step in &self.steps[..agreement.step] {
            frame.apply(step)?;
        }
        let groups = frame.text(&agreement.within)?;
        let values = frame.text(&agreement.column)?;
        let order: Vec<&Expression> = agreement.order_by.iter().collect();
        let versions = versions(&frame, &order)?;
        let mut first: HashMap<String, (&str, &str)> = HashMap::new();
        for (row, (group, value)) in groups.iter().zip(values.iter()).enumerate() {
            let (Some(group), Some(value), 0) = (group, value, frame.rejected.reasons[row]) else {
                continue;
            };
            let candidate = (versions[row].as_str(), value);
            let best = first.entry(group.to_owned()).or_insert(candidate);
            if candidate.cmp(best) == Ordering::Less {
                *best = candidate;
            }
        }
        Ok(first
            .into_iter()
            .map(|(group, (_, value))| (group, value.to_owned()))
            .collect())
    }

    fn agree(&self, frame: &mut Frame, number: usize, references: &References) -> Result<()> {
        let agreement = &self.agreements[number];
        let Some(expected) = references.get(number).filter(|groups| !groups.is_empty()) else {
            return Ok(());
        };
        let groups = frame.text(&agreement.within)?;
        let values = frame.text(&agreement.column)?;
        let wanted = format!(
            "`{}`: one value within `{}`",
            agreement.column, agreement.within
        );
        for (row, (group, value)) in groups.iter().zip(values.iter()).enumerate() {
            let reference = group.and_then(|group| expected.get(group));
            if let (Some(reference), Some(value)) = (reference, value)
                && reference != value
            {
                frame.rejected.add(row, agreement.reason, &wanted);
            }
        }
        Ok(())
    }

    fn frame(&self, staged: StagedText) -> Result<DataFrame> {
        let height = staged.first().map_or(0, Vec::len);
        let constants = self.constants.iter().map(|(name, text)| {
            Column::new_scalar(
                name.as_str().into(),
                Scalar::from(PlSmallStr::from_str(text)),
                height,
            )
        });
        let columns = self
            .staged
            .iter()
            .zip(staged)
            .map(|(name, cells)| Column::new(name.as_str().into(), cells))
            .chain(constants)
            .collect();
        DataFrame::new(height, columns)
            .map_err(|error| Error::new("staged columns differ in length").because(error))
    }
}

/// Rows of a target before it is known which records can go on.
struct Draft {
    width: usize,
    /// Row number in the frame and record, of rows that the target's condition lets through.
    rows: Vec<(usize, u32)>,
    columns: Vec<Vec<Cell>>,
    versions: Vec<String>,
}

impl Draft {
    fn new(
        target: &Target,
        frame: &Frame,
        parents: &[u32],
        known: &[Reasons],
        found: &mut Rejections,
    ) -> Result<Self> {
        let holds = target
            .condition
            .as_ref()
            .map(|c| frame.holds(c))
            .transpose()?;
        let rows: Vec<(usize, u32)> = parents
            .iter()
            .copied()
            .enumerate()
            .filter(|(row, _)| holds.as_ref().is_none_or(|holds| holds[*row]))
            .collect();
        let expressions: Vec<&Expression> = target.columns.iter().map(|c| &c.expression).collect();
        let values = evaluate(&frame.data, &expressions)?;
        let mut columns = Vec::with_capacity(values.len());
        for (number, (column, value)) in target.columns.iter().zip(&values).enumerate() {
            let converted = convert::cells(value, column.cell_type).map_err(|error| {
                Error::new(format!(
                    "column `{}` of table `{}`: {error}",
                    column.name, target.table
                ))
            })?;
            let place = format!("`{}.{}`", target.table, column.name);
            mark(&converted, &place, column.cell_type, &rows, parents, found);
            let missing = match number < target.keys {
                true => builtin::MISSING_KEY,
                false => builtin::MISSING_VALUE,
            };
            if column.required {
                for (row, record) in &rows {
                    let record = *record as usize;
                    // a null that a failed conversion left behind is not missing
                    if converted.cells[*row].is_null()
                        && known[record] == 0
                        && found.reasons[record] & !MISSING == 0
                    {
                        found.add(record, missing, &format!("{place}: a value"));
                    }
                }
            }
            columns.push(converted.cells);
        }
        let version: Vec<&Expression> = target.version.iter().collect();
        Ok(Self {
            width: columns.len(),
            rows,
            columns,
            versions: versions(frame, &version)?,
        })
    }

    /// Keeps the rows of records that can go on.
    fn finish(mut self, reasons: &[Reasons]) -> TargetRows {
        let mut kept = TargetRows::default();
        kept.cells.reserve(self.rows.len() * self.width);
        for (row, record) in self.rows {
            if reasons[record as usize] != 0 {
                continue;
            }
            kept.records.push(record);
            for column in &mut self.columns {
                kept.cells
                    .push(std::mem::replace(&mut column[row], Cell::Null));
            }
            kept.versions.push(std::mem::take(&mut self.versions[row]));
        }
        kept
    }
}

const MISSING: Reasons = builtin::MISSING_KEY | builtin::MISSING_VALUE;

fn mark(
    converted: &Converted,
    place: &str,
    cell_type: CellType,
    rows: &[(usize, u32)],
    parents: &[u32],
    found: &mut Rejections,
) {
    if converted.failed.is_empty() {
        return;
    }
    let (reason, kind) = match cell_type {
        CellType::Integer => (builtin::BAD_NUMBER, "a whole number"),
        CellType::Float => (builtin::BAD_NUMBER, "a number"),
        CellType::Date => (builtin::BAD_DATE, "a date"),
        CellType::Timestamp => (builtin::BAD_DATE, "a date and time"),
        CellType::Boolean => (builtin::BAD_BOOLEAN, "true or false"),
        CellType::Text => (builtin::BAD_TEXT, "a text without the character NUL"),
    };
    let expected = format!("{place}: {kind}");
    for row in &converted.failed {
        if rows.binary_search_by_key(row, |(row, _)| *row).is_ok() {
            found.add(parents[*row] as usize, reason, &expected);
        }
    }
}

const SIGN: u64 = 1 << 63;

/// A whole number that orders as `number` does, which is finite: IEEE 754 orders the bits of positive numbers so, and those of negative ones
/// the other way round.
fn ordered(number: f64) -> u64 {
    // of the two zeros one
    let bits = (number + 0.0).to_bits();
    match bits & SIGN {
        0 => bits ^ SIGN,
        _ => !bits,
    }
}

/// One text for each row that orders as the expressions do, most important first; null comes first.
fn versions(frame: &Frame, expressions: &[&Expression]) -> Result<Vec<String>> {
    let mut texts = vec![String::new(); frame.data.height()];
    let columns = evaluate(&frame.data, expressions)?;
    for (number, column) in columns.iter().enumerate() {
        let cell_type = match column.dtype() {
            from if from.is_integer() => CellType::Integer,
            from if from.is_numeric() => CellType::Float,
            DataType::Date => CellType::Date,
            DataType::Datetime(..) => CellType::Timestamp,
            _ => CellType::Text,
        };
        let cells = convert::cells(column, cell_type)?.cells;
        for (text, cell) in texts.iter_mut().zip(&cells) {
            if number > 0 {
                text.push('\u{1f}');
            }
            let written = match cell {
                // shifted so that negative numbers come first as text too
                Cell::Integer(number) => write!(text, "{:020}", (*number as u64) ^ SIGN),
                // with a sign that sorts behind what earlier programs wrote, `10.0`: any delivery replaces that
                Cell::Float(number) => write!(text, "~{:020}", ordered(*number)),
                cell => write!(text, "{cell}"),
            };
            written.map_err(|error| Error::new("a version cannot be written").because(error))?;
        }
    }
    Ok(texts)
}
