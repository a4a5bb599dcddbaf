//! Filters of the engine that a database can apply while it reads.

use chrono::DateTime;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use datafusion::scalar::ScalarValue;

use crate::base::{Cell, CellType};
use crate::records::{Compare, Condition};

/// The condition that `filter` is, on one of `columns`; `None` when it is not a simple one.
pub(super) fn condition(filter: &Expr, columns: &[(String, CellType)]) -> Option<Condition> {
    let (column, compare) = match filter {
        Expr::IsNull(inner) => (column(inner)?, Compare::Null),
        Expr::IsNotNull(inner) => (column(inner)?, Compare::NotNull),
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let (name, op, literal) = match (column(left), column(right)) {
                (Some(name), None) => (name, *op, right),
                (None, Some(name)) => (name, op.swap()?, left),
                _ => return None,
            };
            let (_, cell_type) = columns.iter().find(|(column, _)| *column == name)?;
            let cell = cell(literal, *cell_type)?;
            let compare = match op {
                Operator::Eq => Compare::Equal(cell),
                Operator::Lt => Compare::Less(cell),
                Operator::LtEq => Compare::AtMost(cell),
                Operator::Gt => Compare::Greater(cell),
                Operator::GtEq => Compare::AtLeast(cell),
                _ => return None,
            };
            (name, compare)
        }
        _ => return None,
    };
    columns
        .iter()
        .any(|(name, _)| *name == column)
        .then_some(Condition { column, compare })
}

fn column(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Column(column) => Some(column.name.clone()),
        _ => None,
    }
}

/// The literal as a cell of the column's own type.
fn cell(expr: &Expr, cell_type: CellType) -> Option<Cell> {
    let Expr::Literal(value, _) = expr else {
        return None;
    };
    Some(match (cell_type, value) {
        (
            CellType::Text,
            ScalarValue::Utf8(Some(text))
            | ScalarValue::Utf8View(Some(text))
            | ScalarValue::LargeUtf8(Some(text)),
        ) => Cell::Text(text.as_str().into()),
        (CellType::Integer, ScalarValue::Int64(Some(number))) => Cell::Integer(*number),
        (CellType::Float, ScalarValue::Float64(Some(number))) => Cell::Float(*number),
        (CellType::Boolean, ScalarValue::Boolean(Some(value))) => Cell::Boolean(*value),
        (CellType::Date, ScalarValue::Date32(Some(days))) => Cell::Date(
            chrono::NaiveDate::default()
                .checked_add_signed(chrono::TimeDelta::days(i64::from(*days)))?,
        ),
        (CellType::Timestamp, ScalarValue::TimestampMicrosecond(Some(micros), _)) => {
            Cell::Timestamp(DateTime::from_timestamp_micros(*micros)?)
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::{col, lit};

    use super::*;

    #[test]
    fn simple_filters_are_passed_on_and_others_are_not() {
        let columns = [
            ("n".to_owned(), CellType::Integer),
            ("t".to_owned(), CellType::Text),
        ];
        let found = |filter: Expr| condition(&filter, &columns);
        let expected = Condition {
            column: "n".to_owned(),
            compare: Compare::Greater(Cell::Integer(5)),
        };
        assert_eq!(found(col("n").gt(lit(5_i64))), Some(expected.clone()));
        assert_eq!(found(lit(5_i64).lt(col("n"))), Some(expected));
        assert_eq!(found(col("n").eq(lit("5"))), None);
        assert_eq!(found(col("n").eq(col("t"))), None);
        assert_eq!(found(col("x").is_null()), None);
        assert!(found(col("t").is_not_null()).is_some());
    }
}
