//! An SQL condition over a record whose columns may be text: where it compares a text with a number, the text is read as one.

use std::collections::BTreeSet;

use polars::prelude::*;
use polars::sql::sql_expr;

use super::column_type::ColumnType;
use super::key::column;
use crate::base::{Error, Result};
use crate::rules::convert;
use crate::rules::expression::{Expression, as_text, evaluate};

/// A condition that fits the types of its columns.
#[derive(Debug)]
pub(super) struct Condition {
    expression: Expression,
    /// Columns of text that it reads as numbers.
    numbers: BTreeSet<String>,
}

/// What a condition says of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    Holds,
    Fails,
    /// A column is null; whether it may be is not for a condition to say.
    Null,
    /// No column is null and still there is no answer, as when a text is no number.
    Nothing,
}

impl Condition {
    /// Fits `expression` to columns of these types.
    ///
    /// # Errors
    /// When it reads no column, does not fit the types, or is not a condition.
    pub fn new(expression: &Expression, types: &[(String, ColumnType)]) -> Result<Self> {
        if expression.columns().is_empty() {
            return Err(Error::new(format!(
                "`{}` reads no column",
                expression.text()
            )));
        }
        let type_of = |name: &str| {
            let found = types.iter().find(|(known, _)| known == name);
            found.map(|(_, of)| *of)
        };
        let is_date = |name: &str| {
            let of = type_of(name);
            matches!(of, Some(ColumnType::Date | ColumnType::Timestamp))
        };
        let (mut numbers, summed) = sql_expr(expression.text())
            .map(|expr| numeric(&expr, &is_date))
            .unwrap_or_default();
        if let Some(name) = numbers.iter().find(|name| is_date(name)) {
            let text = expression.text();
            return Err(Error::new(format!(
                "`{text}` takes column `{name}` for a number, it is a date"
            ))
            .hint("dates are written `DATE '2025-12-31'`"));
        }
        numbers.extend(summed);
        let is_text = |name: &String| {
            matches!(
                type_of(name),
                Some(ColumnType::Text | ColumnType::Decimal(_))
            )
        };
        numbers.retain(is_text);
        let condition = Self {
            expression: expression.clone(),
            numbers,
        };
        condition.try_out(types)?;
        Ok(condition)
    }

    /// Evaluates it over no records, which finds types that do not fit.
    fn try_out(&self, types: &[(String, ColumnType)]) -> Result<()> {
        let columns: Vec<Column> = types
            .iter()
            .map(|(name, of)| Column::new_empty(name.as_str().into(), &data_type(*of)))
            .collect();
        let frame = DataFrame::new(0, columns)
            .map_err(|error| Error::new("columns cannot be tried out").because(error))?;
        // polars may not run on a thread of an async runtime
        let tried = std::thread::scope(|scope| {
            let answer = scope.spawn(|| self.evaluate(&frame).map(drop));
            answer.join()
        });
        let tried = tried.unwrap_or_else(|_| Err(Error::new("the condition cannot be tried out")));
        tried.map_err(|error| match error.hint_text() {
            Some(_) => error,
            None => error.hint(
                "in a condition a column is text or a number, not both; a `cast` rule gives it a type",
            ),
        })
    }

    /// What it says of each record of `frame`.
    ///
    /// # Errors
    /// When it fails as a whole. No value is in the message.
    pub fn evaluate(&self, frame: &DataFrame) -> Result<Vec<Said>> {
        let mut columns = Vec::new();
        let mut nulls = vec![false; frame.height()];
        for name in self.expression.columns() {
            let column = column(frame, name)?;
            for (row, is_null) in column.is_null().iter().enumerate() {
                nulls[row] |= is_null == Some(true);
            }
            columns.push(match self.numbers.contains(name) {
                true => numbers(column)?,
                false => column.clone(),
            });
        }
        let narrow = DataFrame::new(frame.height(), columns)
            .map_err(|error| Error::new("columns differ in length").because(error))?;
        let answer = evaluate(&narrow, &[&self.expression])?.remove(0);
        if answer.dtype() == &DataType::Null {
            return Ok(nulls.iter().map(|null| said(None, *null)).collect());
        }
        let answer = answer.bool().map_err(|_| {
            Error::new(format!("`{}` is not a condition", self.expression.text()))
                .hint("expected an expression that is true or false")
        })?;
        Ok(answer
            .iter()
            .zip(nulls)
            .map(|(answer, null)| said(answer, null))
            .collect())
    }
}

const fn said(answer: Option<bool>, has_null: bool) -> Said {
    match (answer, has_null) {
        (Some(true), _) => Said::Holds,
        (Some(false), _) => Said::Fails,
        (None, true) => Said::Null,
        (None, false) => Said::Nothing,
    }
}

/// The type that a frame carries a column in.
fn data_type(of: ColumnType) -> DataType {
    match of {
        ColumnType::Text | ColumnType::Decimal(_) => DataType::String,
        ColumnType::Integer => DataType::Int64,
        ColumnType::Float => DataType::Float64,
        ColumnType::Boolean => DataType::Boolean,
        ColumnType::Date => DataType::Date,
        ColumnType::Timestamp => DataType::Datetime(TimeUnit::Microseconds, None),
    }
}

fn numbers(column: &Column) -> Result<Column> {
    let text = as_text(column)?;
    let numbers = text
        .iter()
        .map(|text| text.and_then(|text| convert::float(text.trim())));
    let numbers = Float64Chunked::from_iter_options(column.name().clone(), numbers);
    Ok(numbers.into_column())
}

/// The columns that stand beside a number, and those in a sum or a difference, which may be one of dates.
fn numeric(expr: &Expr, is_date: &dyn Fn(&str) -> bool) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut beside, mut summed) = (BTreeSet::new(), BTreeSet::new());
    for part in expr {
        let Expr::BinaryExpr { left, op, right } = part else {
            continue;
        };
        if is_number(right, is_date) {
            beside.extend(name(left));
        }
        if is_number(left, is_date) {
            beside.extend(name(right));
        }
        if is_arithmetic(*op) {
            summed.extend(name(left));
            summed.extend(name(right));
        }
    }
    (beside, summed)
}

fn name(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Column(name) => Some(name.to_string()),
        _ => None,
    }
}

fn is_arithmetic(op: Operator) -> bool {
    matches!(
        op,
        Operator::Plus
            | Operator::Minus
            | Operator::Multiply
            | Operator::RustDivide
            | Operator::TrueDivide
            | Operator::FloorDivide
            | Operator::Modulus
    )
}

fn is_number(expr: &Expr, is_date: &dyn Fn(&str) -> bool) -> bool {
    match expr {
        // a number in the text of an expression has no type yet
        Expr::Literal(value @ LiteralValue::Dyn(_)) => value.extract_str().is_none(),
        Expr::Literal(LiteralValue::Scalar(scalar)) => scalar.dtype().is_numeric(),
        Expr::BinaryExpr { left, op, right } => {
            let of_dates = |side: &Expr| name(side).is_some_and(|name| is_date(&name));
            is_arithmetic(*op) && !of_dates(left) && !of_dates(right)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types() -> Vec<(String, ColumnType)> {
        [
            ("late", ColumnType::Text),
            ("early", ColumnType::Text),
            ("name", ColumnType::Text),
            ("day", ColumnType::Date),
        ]
        .map(|(name, of)| (name.to_owned(), of))
        .to_vec()
    }

    fn says(text: &str) -> Vec<Said> {
        let expression = Expression::parse(text).expect(text);
        let condition = Condition::new(&expression, &types()).expect(text);
        let frame = df!(
            "late" => [Some("-2"), Some(" 7.5"), None, Some("x")],
            "early" => ["1", "1", "1", "1"],
            "name" => [Some("a"), None, Some("b"), Some("c")],
        );
        condition.evaluate(&frame.expect("frame")).expect(text)
    }

    #[test]
    fn text_is_read_as_a_number_where_it_meets_one() {
        use Said::{Fails, Holds, Nothing, Null};
        assert_eq!(says("late >= 0"), [Fails, Holds, Null, Nothing]);
        assert_eq!(says("late - early > 1"), [Fails, Holds, Null, Nothing]);
        assert_eq!(says("late > early + 1"), [Fails, Holds, Null, Nothing]);
        assert_eq!(
            says("early * 2 < late - early"),
            [Fails, Holds, Null, Nothing]
        );
        assert_eq!(says("late BETWEEN -5 AND 5"), [Holds, Fails, Null, Nothing]);
        assert_eq!(says("name = 'a'"), [Holds, Null, Fails, Fails]);
        assert_eq!(
            says("name = 'a' OR late > 0"),
            [Holds, Holds, Null, Nothing]
        );
        assert_eq!(says("name IS NOT NULL"), [Holds, Fails, Holds, Holds]);
    }

    #[test]
    fn what_does_not_fit_is_found_without_data() {
        for text in [
            "1 = 1",
            "late + 1",
            "late > 0 AND late = 'NA'",
            "day > 5",
            "other = 1",
        ] {
            let expression = Expression::parse(text).expect(text);
            assert!(Condition::new(&expression, &types()).is_err(), "{text}");
        }
    }
}
