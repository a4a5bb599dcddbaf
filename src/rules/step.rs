//! The steps of a plan, and what each does to a set of rows.

use std::collections::{HashMap, HashSet};

use polars::prelude::*;

use super::convert;
use super::expression::{Expression, as_text, evaluate};
use super::list::{self, Item};
use super::lookup::Lookup;
use super::rejections::Rejections;
use super::spec::ListSyntax;
use crate::base::{Error, Result};

/// A set of reasons, one bit for each reason of the plan.
pub type Reasons = u64;

/// A compiled step.
#[derive(Debug)]
pub enum Step {
    /// Words that mean null.
    Nulls {
        words: HashSet<String>,
        /// `None`: all columns of text.
        columns: Option<Vec<String>>,
    },
    /// Text to a date or a number.
    Convert {
        column: String,
        name: String,
        to: Conversion,
        reason: Reasons,
    },
    /// Text to a list.
    List {
        column: String,
        name: String,
        syntax: ListSyntax,
        separator: String,
        reason: Reasons,
    },
    /// A lookup in a CSV file.
    Lookup {
        column: String,
        table: Lookup,
        names: Vec<String>,
    },
    /// New columns, none of which reads another of the same step.
    Set(Vec<(String, Expression)>),
    /// A condition that must be true.
    Check {
        condition: Expression,
        reason: Reasons,
    },
    /// Number of an agreement of the plan.
    Agree(usize),
}

/// What text is converted to.
#[derive(Debug)]
pub enum Conversion {
    /// A date in this strftime format.
    Date(String),
    /// A whole number.
    Integer,
    /// A number.
    Float,
}

/// A set of rows on its way through the steps.
pub struct Frame {
    /// The columns.
    pub data: DataFrame,
    /// Which rows cannot go on.
    pub rejected: Rejections,
    /// The lists behind the columns made by `list` steps.
    pub lists: HashMap<String, Vec<Option<Vec<Item>>>>,
}

impl Frame {
    /// Rows that have passed no step yet.
    pub fn new(data: DataFrame) -> Self {
        Self {
            rejected: Rejections::none(data.height()),
            lists: HashMap::new(),
            data,
        }
    }

    /// Applies one step; agreements are the caller's.
    ///
    /// # Errors
    /// When a column is missing or an expression does not fit its columns.
    pub fn apply(&mut self, step: &Step) -> Result<()> {
        match step {
            Step::Nulls { words, columns } => self.nulls(words, columns.as_deref()),
            Step::Convert {
                column,
                name,
                to,
                reason,
            } => self.convert(column, name, to, *reason),
            Step::List {
                column,
                name,
                syntax,
                separator,
                reason,
            } => self.list(column, name, *syntax, separator, *reason),
            Step::Lookup {
                column,
                table,
                names,
            } => self.look_up(column, table, names),
            Step::Set(columns) => self.set(columns),
            Step::Check { condition, reason } => self.check(condition, *reason),
            Step::Agree(_) => Ok(()),
        }
    }

    /// A column as text.
    ///
    /// # Errors
    /// When there is no such column.
    pub fn text(&self, name: &str) -> Result<StringChunked> {
        let column = self.data.column(name);
        as_text(column.map_err(|_| Error::new(format!("column `{name}` does not exist")))?)
    }

    /// The rows for which `condition` is true; null is not.
    ///
    /// # Errors
    /// When the expression is not a condition.
    pub fn holds(&self, condition: &Expression) -> Result<Vec<bool>> {
        let column = evaluate(&self.data, &[condition])?.remove(0);
        if column.dtype() == &DataType::Null {
            return Ok(vec![false; self.data.height()]);
        }
        let values = column.bool().map_err(|_| {
            Error::new(format!("`{}` is not a condition", condition.text()))
                .hint("expected an expression that is true or false")
        })?;
        Ok(values.iter().map(|value| value == Some(true)).collect())
    }

    fn put(&mut self, name: &str, mut column: Column) -> Result<()> {
        column.rename(name.into());
        self.data.with_column(column).map_err(|error| {
            Error::new(format!("column `{name}` has a wrong length")).because(error)
        })?;
        Ok(())
    }

    fn nulls(&mut self, words: &HashSet<String>, columns: Option<&[String]>) -> Result<()> {
        let names: Vec<String> = match columns {
            Some(columns) => columns.to_vec(),
            None => self
                .data
                .columns()
                .iter()
                .filter(|column| column.dtype() == &DataType::String)
                .map(|column| column.name().to_string())
                .collect(),
        };
        let longest = words.iter().map(String::len).max().unwrap_or(0);
        for name in names {
            let text = self.text(&name)?;
            let is_null = |t: &&str| t.len() <= longest && words.contains(*t);
            if text.iter().flatten().any(|t| is_null(&t)) {
                let kept = text.iter().map(|t| t.filter(|t| !is_null(t)));
                let kept = StringChunked::from_iter_options(PlSmallStr::EMPTY, kept);
                self.put(&name, kept.into_column())?;
            }
        }
        Ok(())
    }

    fn convert(
        &mut self,
        column: &str,
        name: &str,
        to: &Conversion,
        reason: Reasons,
    ) -> Result<()> {
        let text = self.text(column)?;
        let made = match to {
            Conversion::Date(format) => {
                let expected = format!("`{column}`: a date as `{format}`");
                let parse = |t: &str| convert::date(t, format).map(convert::days_of);
                let days = self.parsed(&text, reason, &expected, parse);
                Int32Chunked::from_iter_options(PlSmallStr::EMPTY, days.into_iter())
                    .into_date()
                    .into_column()
            }
            Conversion::Integer => {
                let expected = format!("`{column}`: a whole number");
                let parse = |t: &str| convert::integer(t.trim());
                let numbers = self.parsed(&text, reason, &expected, parse);
                Int64Chunked::from_iter_options(PlSmallStr::EMPTY, numbers.into_iter())
                    .into_column()
            }
            Conversion::Float => {
                let expected = format!("`{column}`: a number");
                let parse = |t: &str| convert::float(t.trim());
                let numbers = self.parsed(&text, reason, &expected, parse);
                Float64Chunked::from_iter_options(PlSmallStr::EMPTY, numbers.into_iter())
                    .into_column()
            }
        };
        self.put(name, made)
    }

    /// Parses each text; what does not parse gets `reason` and null.
    fn parsed<T>(
        &mut self,
        text: &StringChunked,
        reason: Reasons,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Vec<Option<T>> {
        let mut values = Vec::with_capacity(text.len());
        for (row, text) in text.iter().enumerate() {
            let value = text.and_then(&parse);
            if value.is_none() && text.is_some() {
                self.rejected.add(row, reason, expected);
            }
            values.push(value);
        }
        values
    }

    fn list(
        &mut self,
        column: &str,
        name: &str,
        syntax: ListSyntax,
        separator: &str,
        reason: Reasons,
    ) -> Result<()> {
        let text = self.text(column)?;
        let expected = format!("`{column}`: a list");
        let parse = |t: &str| list::parse(t, syntax, separator);
        let lists = self.parsed(&text, reason, &expected, parse);
        let json = lists.iter().map(|l| l.as_deref().map(list::to_json));
        let json = StringChunked::from_iter_options(PlSmallStr::EMPTY, json);
        self.put(name, json.into_column())?;
        self.lists.insert(name.to_owned(), lists);
        Ok(())
    }

    fn look_up(&mut self, column: &str, table: &Lookup, names: &[String]) -> Result<()> {
        let keys = self.text(column)?;
        for (index, name) in names.iter().enumerate() {
            let found = keys.iter().map(|key| table.get(key?, index));
            let found = StringChunked::from_iter_options(PlSmallStr::EMPTY, found);
            self.put(name, found.into_column())?;
        }
        Ok(())
    }

    fn set(&mut self, columns: &[(String, Expression)]) -> Result<()> {
        let expressions: Vec<&Expression> = columns.iter().map(|(_, e)| e).collect();
        let made = evaluate(&self.data, &expressions)?;
        for ((name, _), column) in columns.iter().zip(made) {
            self.put(name, column)?;
        }
        Ok(())
    }

    fn check(&mut self, condition: &Expression, reason: Reasons) -> Result<()> {
        for (row, holds) in self.holds(condition)?.into_iter().enumerate() {
            if !holds {
                self.rejected.add(row, reason, condition.text());
            }
        }
        Ok(())
    }

    /// One row for each item of list `list` that is not null, with the columns `keep`, the item in `name` and its place in
    /// `<name>_position`; and for each row the row it came from.
    ///
    /// # Errors
    /// When a column is missing.
    pub fn explode(&self, list: &str, name: &str, keep: &[String]) -> Result<(Self, Vec<u32>)> {
        let lists = self
            .lists
            .get(list)
            .ok_or_else(|| Error::new(format!("`{list}` is not a list")))?;
        let (mut parents, mut items, mut positions) = (Vec::new(), Vec::new(), Vec::new());
        for (parent, list) in (0u32..).zip(lists) {
            for (position, item) in (1i64..).zip(list.iter().flatten()) {
                if let Some(text) = item.text() {
                    parents.push(parent);
                    items.push(text);
                    positions.push(position);
                }
            }
        }
        let failed = |error: PolarsError| {
            Error::new(format!("list `{list}` cannot be exploded")).because(error)
        };
        let index = IdxCa::from_vec(PlSmallStr::EMPTY, parents.clone());
        let data = self.data.select(keep).map_err(failed)?;
        let data = data.take(&index).map_err(failed)?;
        let mut rows = Self::new(data);
        rows.put(name, Column::new(name.into(), items))?;
        let position = format!("{name}_position");
        rows.put(&position, Column::new(position.as_str().into(), positions))?;
        Ok((rows, parents))
    }
}
