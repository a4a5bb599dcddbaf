//! Whether each row of a stored table finds a partner in another: where it does, no join of the two loses a row, and nobody need look again
//! until one of them changes.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use datafusion::common::{Column, JoinType, TableReference};
use datafusion::logical_expr::logical_plan::Join;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator};

use crate::base::{Place, Result};
use crate::db::quote;
use crate::lake::Warehouse;
use crate::lake::compute::Joins;
use crate::lake::model::TableName;
use crate::lake::warehouse::numbers;

/// Answers by versions and columns of both tables. Models of one run join the same few tables over and over.
static KNOWN: LazyLock<Mutex<HashMap<String, bool>>> = LazyLock::new(Mutex::default);
/// So many are kept; then it starts anew.
const MOST_KNOWN: usize = 1000;

/// Columns of one stored table that are to find equals in another.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reference {
    from: TableReference,
    to: TableReference,
    columns: Vec<(String, String)>,
}

impl Reference {
    /// Of a join of columns of one stored table, of whose rows the left side may hold fewer but no others, with all rows of another; `None`
    /// for joins of other kinds.
    pub fn of(join: &Join) -> Option<Self> {
        let filter = join.filter.as_ref().map(split_conjunction);
        let pairs = filter.into_iter().flatten().map(equal_columns);
        let on = join
            .on
            .iter()
            .map(|(left, right)| Some((left.try_as_col()?, right.try_as_col()?)));
        let to = whole(&join.right)?;
        let mut found: Option<Vec<TableReference>> = None;
        let mut columns = Vec::new();
        for pair in on.chain(pairs) {
            let (a, b) = pair?;
            let (left, right) = match join.left.schema().has_column(a) {
                true => (a, b),
                false => (b, a),
            };
            let from = origin(&join.left, left)?;
            // two columns of a table that is joined twice need not be of one row
            if *found.get_or_insert_with(|| from.path.clone()) != from.path {
                return None;
            }
            columns.push((from.column, origin(&join.right, right)?.column));
        }
        let from = found?.pop()?;
        Some(Self { from, to, columns })
    }

    /// The rows that find none.
    fn query(&self) -> String {
        let on: Vec<String> = self
            .columns
            .iter()
            .map(|(from, to)| format!("b.{} = a.{}", quote(to), quote(from)))
            .collect();
        format!(
            "SELECT count(*) FROM {} AS a WHERE NOT EXISTS (SELECT 1 FROM {} AS b WHERE {})",
            named(&self.from),
            named(&self.to),
            on.join(" AND ")
        )
    }
}

impl Warehouse {
    /// Whether every row finds one; `false` as well where that cannot be said for good, since a table has no versions.
    pub(super) async fn covers(&self, reference: &Reference, joins: Joins) -> Result<bool> {
        let Some(key) = self.versions(reference).await? else {
            return Ok(false);
        };
        if let Some(known) = known().get(&key) {
            return Ok(*known);
        }
        let sql = reference.query();
        let tables = [&reference.from, &reference.to].map(|table| TableName {
            schema: table.schema().map(str::to_owned),
            table: table.table().to_owned(),
            place: Place::default(),
        });
        let compute = self.session_with(&tables, None, joins).await?;
        let covers = numbers(&compute, &sql).await?.first() == Some(&0);
        if self.versions(reference).await?.as_ref() == Some(&key) {
            let mut known = known();
            if known.len() >= MOST_KNOWN {
                known.clear();
            }
            known.insert(key, covers);
        }
        Ok(covers)
    }

    async fn versions(&self, reference: &Reference) -> Result<Option<String>> {
        let version = async |table: &TableReference| {
            let layer = table.schema().unwrap_or_default();
            self.lake.version_text(layer, table.table()).await
        };
        let (from, to) = (
            version(&reference.from).await?,
            version(&reference.to).await?,
        );
        let (Some(from), Some(to)) = (from, to) else {
            return Ok(None);
        };
        let columns: Vec<String> = reference
            .columns
            .iter()
            .map(|(from, to)| format!("{}={}", quote(from), quote(to)))
            .collect();
        Ok(Some(format!("{from}\n{to}\n{}", columns.join(","))))
    }
}

fn known() -> std::sync::MutexGuard<'static, HashMap<String, bool>> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn named(table: &TableReference) -> String {
    let schema = table.schema().map(|schema| format!("{}.", quote(schema)));
    format!("{}{}", schema.unwrap_or_default(), quote(table.table()))
}

fn equal_columns(condition: &Expr) -> Option<(&Column, &Column)> {
    match condition {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Eq,
            right,
        }) => Some((left.try_as_col()?, right.try_as_col()?)),
        _ => None,
    }
}

/// The table whose rows the plan gives, all of them.
fn whole(plan: &LogicalPlan) -> Option<TableReference> {
    match plan {
        LogicalPlan::SubqueryAlias(alias) => whole(&alias.input),
        LogicalPlan::TableScan(scan) if scan.filters.is_empty() && scan.fetch.is_none() => {
            Some(scan.table_name.clone())
        }
        _ => None,
    }
}

/// Where the values of a column come from.
struct Origin {
    /// The names on the way there, from the outermost to the table's own. Columns of one plan with the same path are of one row.
    path: Vec<TableReference>,
    /// The table's column.
    column: String,
}

/// What `column` of the plan is: a row of the plan has a value of a row of a table, never a null for a row that was not found.
fn origin(plan: &LogicalPlan, column: &Column) -> Option<Origin> {
    let index = plan.schema().maybe_index_of_column(column)?;
    match plan {
        LogicalPlan::TableScan(scan) => Some(Origin {
            path: vec![scan.table_name.clone()],
            column: column.name.clone(),
        }),
        LogicalPlan::SubqueryAlias(alias) => {
            let below = Column::from(alias.input.schema().qualified_field(index));
            let mut origin = origin(&alias.input, &below)?;
            origin.path.insert(0, alias.alias.clone());
            Some(origin)
        }
        LogicalPlan::Projection(projection) => {
            let below = projection.expr.get(index)?.clone().unalias();
            origin(&projection.input, below.try_as_col()?)
        }
        LogicalPlan::Aggregate(aggregate) => {
            // of several sets of groups some leave the column out
            let below = aggregate.group_expr.get(index)?.try_as_col()?;
            origin(&aggregate.input, below)
        }
        LogicalPlan::Filter(filter) => origin(&filter.input, column),
        LogicalPlan::Sort(sort) => origin(&sort.input, column),
        LogicalPlan::Limit(limit) => origin(&limit.input, column),
        LogicalPlan::Join(join) => {
            let inner = join.join_type == JoinType::Inner;
            match join.left.schema().has_column(column) {
                true if inner || join.join_type == JoinType::Left => origin(&join.left, column),
                false if inner => origin(&join.right, column),
                _ => None,
            }
        }
        _ => None,
    }
}
