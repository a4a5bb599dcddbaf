//! Which rows of the tables that a plan reads had a part in its rows: the plan rewritten so that columns of a table come along.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, JoinType, NullEquality, TableReference};
use datafusion::error::Result;
use datafusion::logical_expr::logical_plan::{Join, TableScan, Union};
use datafusion::logical_expr::{Distinct, Expr, LogicalPlan, LogicalPlanBuilder, Projection, cast};

/// Columns that come along, in the order of what names a row of their table.
const ALONG: &str = "__galen_along_";
/// Columns by which rows are found again.
const AGAIN: &str = "__galen_again_";

/// Plans that say which rows had a part.
#[derive(Default)]
pub(super) struct Contributors {
    /// A table and a plan with the columns of the one that was asked for and those that name a row of the table, as often as the table is
    /// read: a row for each pair of a row and one that had a part in it.
    pub told: Vec<(String, LogicalPlan)>,
    /// Tables that are read too, where it cannot be told which of their rows matter.
    pub untold: BTreeSet<String>,
}

impl Contributors {
    /// Of `plan`, not optimized yet. `names` has for each table the columns that name its rows.
    ///
    /// # Errors
    /// When the engine does not take a plan that was put together.
    pub fn of(plan: &LogicalPlan, names: &BTreeMap<String, Vec<String>>) -> Result<Self> {
        let mut found = Self::default();
        found.told = found.follow(plan, names)?;
        Ok(found)
    }

    fn follow(
        &mut self,
        plan: &LogicalPlan,
        names: &BTreeMap<String, Vec<String>>,
    ) -> Result<Vec<(String, LogicalPlan)>> {
        self.pass_over_subqueries(plan)?;
        match plan {
            LogicalPlan::TableScan(scan) => of_scan(scan, plan, names),
            LogicalPlan::Projection(projection) => self.on(&projection.input, names, |input| {
                let columns = projection.expr.iter().cloned().chain(along(&input));
                let made = Projection::try_new(columns.collect(), Arc::new(input))?;
                Ok(LogicalPlan::Projection(made))
            }),
            LogicalPlan::Join(join) => self.of_join(join, plan, names),
            LogicalPlan::Union(union) => self.of_union(union, names),
            // the order does not matter, and rows that stay are the same
            LogicalPlan::Sort(sort) if sort.fetch.is_none() => self.follow(&sort.input, names),
            LogicalPlan::Filter(_) | LogicalPlan::SubqueryAlias(_) | LogicalPlan::Unnest(_) => self
                .on(plan.inputs()[0], names, |input| {
                    plan.with_new_exprs(plan.expressions(), vec![input])
                }),
            LogicalPlan::Aggregate(aggregate) => {
                let groups = crate::lake::lineage::grouping_columns(&aggregate.group_expr);
                // a row of a grouping set has null for the columns that it does not group by
                let loose = matches!(aggregate.group_expr[..], [Expr::GroupingSet(_)]);
                self.on(&aggregate.input, names, |input| {
                    again(plan, input, &groups, loose)
                })
            }
            LogicalPlan::Distinct(Distinct::On(on)) => self.on(&on.input, names, |input| {
                again(plan, input, &on.select_expr, false)
            }),
            LogicalPlan::Sort(_)
            | LogicalPlan::Limit(_)
            | LogicalPlan::Window(_)
            | LogicalPlan::Distinct(Distinct::All(_)) => {
                let inner = plan.inputs()[0];
                self.on(inner, names, |input| {
                    again(plan, input, &columns(inner), false)
                })
            }
            other => {
                self.untold.extend(tables(other)?);
                Ok(Vec::new())
            }
        }
    }

    /// What `make` makes of each plan that says which rows had a part in the rows of `input`.
    fn on(
        &mut self,
        input: &LogicalPlan,
        names: &BTreeMap<String, Vec<String>>,
        make: impl Fn(LogicalPlan) -> Result<LogicalPlan>,
    ) -> Result<Vec<(String, LogicalPlan)>> {
        let inputs = self.follow(input, names)?;
        let made = inputs
            .into_iter()
            .map(|(table, input)| Ok((table, make(input)?)));
        made.collect()
    }

    fn of_join(
        &mut self,
        join: &Join,
        plan: &LogicalPlan,
        names: &BTreeMap<String, Vec<String>>,
    ) -> Result<Vec<(String, LogicalPlan)>> {
        let joined = |left: &Arc<LogicalPlan>, right: &Arc<LogicalPlan>, join_type| {
            let made = Join::try_new(
                Arc::clone(left),
                Arc::clone(right),
                join.on.clone(),
                join.filter.clone(),
                join_type,
                join.join_constraint,
                join.null_equality,
                false,
            )?;
            shaped_as(plan, LogicalPlan::Join(made))
        };
        // a row that is only looked for has a part as one that is joined
        let of_left = match join.join_type {
            JoinType::RightSemi => JoinType::Inner,
            other => other,
        };
        let of_right = match join.join_type {
            JoinType::LeftSemi => JoinType::Inner,
            other => other,
        };
        let mut found = Vec::new();
        match join.join_type {
            // rows that are not there have no part
            JoinType::RightAnti => {}
            JoinType::RightMark => self.untold.extend(tables(&join.left)?),
            _ => {
                let left = self.on(&join.left, names, |left| {
                    joined(&Arc::new(left), &join.right, of_left)
                });
                found.extend(left?);
            }
        }
        match join.join_type {
            JoinType::LeftAnti => {}
            JoinType::LeftMark => self.untold.extend(tables(&join.right)?),
            _ => {
                let right = self.on(&join.right, names, |right| {
                    joined(&join.left, &Arc::new(right), of_right)
                });
                found.extend(right?);
            }
        }
        Ok(found)
    }

    fn of_union(
        &mut self,
        union: &Union,
        names: &BTreeMap<String, Vec<String>>,
    ) -> Result<Vec<(String, LogicalPlan)>> {
        let mut found = Vec::new();
        for branch in &union.inputs {
            let own = columns(branch);
            found.extend(self.on(branch, names, |input| {
                let fields = union.schema.iter().zip(&own);
                let renamed = fields.map(|((qualifier, field), column)| {
                    let column = cast(column.clone(), field.data_type().clone());
                    column.alias_qualified(qualifier.cloned(), field.name())
                });
                let columns = renamed.chain(along(&input)).collect();
                let made = Projection::try_new(columns, Arc::new(input))?;
                Ok(LogicalPlan::Projection(made))
            })?);
        }
        Ok(found)
    }

    /// Rows of a query inside an expression decide over others as a whole.
    fn pass_over_subqueries(&mut self, plan: &LogicalPlan) -> Result<()> {
        plan.apply_expressions(|expression| {
            expression.apply(|part| {
                let inside = match part {
                    Expr::ScalarSubquery(subquery) => &subquery.subquery,
                    Expr::InSubquery(inside) => &inside.subquery.subquery,
                    Expr::Exists(inside) => &inside.subquery.subquery,
                    _ => return Ok(TreeNodeRecursion::Continue),
                };
                self.untold.extend(tables(inside)?);
                Ok(TreeNodeRecursion::Continue)
            })
        })?;
        Ok(())
    }
}

/// The columns that came along, in their order.
pub(super) fn along(plan: &LogicalPlan) -> Vec<Expr> {
    let fields = plan.schema().iter();
    let mut found: Vec<(usize, Expr)> = fields
        .filter_map(|(qualifier, field)| {
            let place = field.name().strip_prefix(ALONG)?.parse().ok()?;
            let column = Expr::Column(Column::new(qualifier.cloned(), field.name()));
            Some((place, column.alias(field.name())))
        })
        .collect();
    found.sort_by_key(|(place, _)| *place);
    found.into_iter().map(|(_, column)| column).collect()
}

/// `schema.table`, as the tables of models are named.
fn full_name(table: &TableReference) -> Option<String> {
    let schema = table.schema()?;
    Some(format!("{schema}.{}", table.table()))
}

/// The tables that a plan reads.
fn tables(plan: &LogicalPlan) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            found.extend(full_name(&scan.table_name));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

fn of_scan(
    scan: &TableScan,
    plan: &LogicalPlan,
    names: &BTreeMap<String, Vec<String>>,
) -> Result<Vec<(String, LogicalPlan)>> {
    let table = full_name(&scan.table_name);
    let Some((table, names)) = table.and_then(|table| names.get_key_value(&table)) else {
        return Ok(Vec::new()); // a function that makes rows
    };
    let own = names.iter().enumerate().map(|(place, name)| {
        let column = Column::new(Some(scan.table_name.clone()), name);
        Expr::Column(column).alias(format!("{ALONG}{place}"))
    });
    let columns = columns(plan).into_iter().chain(own).collect();
    let made = Projection::try_new(columns, Arc::new(plan.clone()))?;
    Ok(vec![(table.clone(), LogicalPlan::Projection(made))])
}

/// All columns of a plan.
fn columns(plan: &LogicalPlan) -> Vec<Expr> {
    let columns = plan.schema().columns().into_iter();
    columns.map(Expr::Column).collect()
}

/// `wide` with the columns of `plan` and those that came along.
fn shaped_as(plan: &LogicalPlan, wide: LogicalPlan) -> Result<LogicalPlan> {
    let columns = columns(plan).into_iter().chain(along(&wide)).collect();
    let made = Projection::try_new(columns, Arc::new(wide))?;
    Ok(LogicalPlan::Projection(made))
}

/// The rows of `plan`, whose first columns are `keys` over its input, with those of `input` that have the same keys. `loose`: null in
/// the rows of the plan stands for any.
fn again(
    plan: &LogicalPlan,
    input: LogicalPlan,
    keys: &[Expr],
    loose: bool,
) -> Result<LogicalPlan> {
    let names: Vec<String> = (0..keys.len()).map(|n| format!("{AGAIN}{n}")).collect();
    let named = keys.iter().zip(&names);
    let named = named.map(|(key, name)| key.clone().unalias().alias(name));
    let columns = named.chain(along(&input)).collect();
    let right = LogicalPlan::Projection(Projection::try_new(columns, Arc::new(input))?);
    let left = LogicalPlanBuilder::from(plan.clone());
    let own: Vec<Column> = plan.schema().columns();
    let own = own.into_iter().take(keys.len());
    let joined = match (keys.is_empty(), loose) {
        (true, _) => left.cross_join(right)?,
        (false, false) => {
            let right_keys = names.into_iter().map(Column::from_name).collect();
            let keys: (Vec<Column>, Vec<Column>) = (own.collect(), right_keys);
            left.join_detailed(
                right,
                JoinType::Inner,
                keys,
                None,
                NullEquality::NullEqualsNull,
            )?
        }
        (false, true) => {
            let same = own.zip(names).map(|(own, name)| {
                let own = Expr::Column(own);
                let other = Expr::Column(Column::from_name(name));
                own.clone().is_null().or(own.eq(other))
            });
            left.join_on(right, JoinType::Inner, same)?
        }
    };
    shaped_as(plan, joined.build()?)
}
