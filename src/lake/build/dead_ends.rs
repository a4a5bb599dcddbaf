//! Where a model loses rows and nobody said that it should.

use std::fmt;
use std::sync::Arc;

use datafusion::common::JoinType;
use datafusion::logical_expr::logical_plan::Join;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};

use super::Building;
use super::covered::Reference;
use crate::base::Result;
use crate::lake::Warehouse;
use crate::lake::compute::Joins;
use crate::lake::error::{planning, running};
use crate::lake::model::Materialized;

/// A loss.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeadEnd {
    /// The model ends without a row.
    Empty,
    /// A join loses rows of its driving table, for which the other side has none.
    Join {
        /// The driving table.
        driving: String,
        /// The other side.
        other: String,
        /// Rows lost.
        lost: u64,
        /// Of so many.
        of: u64,
    },
}

impl fmt::Display for DeadEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str(
                "the model has no rows; `allow_empty: true` in its header says that it may",
            ),
            Self::Join {
                driving,
                other,
                lost,
                of,
            } => write!(
                f,
                "the join of `{driving}` with `{other}` loses {lost} of {of} rows; a LEFT JOIN keeps them, `drops: true` in the header says that they are meant to go"
            ),
        }
    }
}

impl Building<'_> {
    /// What was lost, unless the header declares it.
    pub(super) async fn dead_ends(
        &self,
        rows: u64,
        warehouse: &Warehouse,
        joins: Joins,
    ) -> Result<Vec<DeadEnd>> {
        let header = &self.model.header;
        let mut found = Vec::new();
        if rows == 0 && !header.allow_empty {
            found.push(DeadEnd::Empty);
        }
        // with a watermark the query gives only the newest rows, which the first build has looked at in full
        let newest_only = self.model.since && header.materialized == Materialized::Incremental;
        if !header.drops && !newest_only {
            let plan = self.query("NULL").await?.into_unoptimized_plan();
            let mut inner = Vec::new();
            inner_joins(&plan, &mut inner);
            for join in inner {
                if let Some(reference) = Reference::of(join)
                    && warehouse.covers(&reference, joins).await?
                {
                    continue;
                }
                found.extend(self.lost(join).await?);
            }
        }
        Ok(found)
    }

    /// Rows of the join's left side for which the right has none.
    async fn lost(&self, join: &Join) -> Result<Option<DeadEnd>> {
        let anti = Join::try_new(
            Arc::clone(&join.left),
            Arc::clone(&join.right),
            join.on.clone(),
            join.filter.clone(),
            JoinType::LeftAnti,
            join.join_constraint,
            join.null_equality,
            false,
        );
        let anti = LogicalPlan::Join(anti.map_err(planning)?);
        let lost = self.compute.frame(anti).count().await.map_err(running)? as u64;
        if lost == 0 {
            return Ok(None);
        }
        let all = LogicalPlanBuilder::from(Arc::clone(&join.left))
            .build()
            .map_err(planning)?;
        let of = self.compute.frame(all).count().await.map_err(running)? as u64;
        Ok(Some(DeadEnd::Join {
            driving: driving(&join.left),
            other: driving(&join.right),
            lost,
            of,
        }))
    }
}

/// The inner joins on the way from the result to the driving table, the last one first.
fn inner_joins<'a>(plan: &'a LogicalPlan, found: &mut Vec<&'a Join>) {
    match plan {
        LogicalPlan::Join(join) => {
            let has_condition = !join.on.is_empty() || join.filter.is_some();
            if join.join_type == JoinType::Inner && has_condition {
                found.push(join);
            }
            inner_joins(&join.left, found);
        }
        LogicalPlan::Union(union) => union
            .inputs
            .iter()
            .for_each(|input| inner_joins(input, found)),
        other => {
            if let [input] = other.inputs()[..] {
                inner_joins(input, found);
            }
        }
    }
}

/// The name of the first table that a plan reads.
fn driving(plan: &LogicalPlan) -> String {
    match plan {
        LogicalPlan::TableScan(scan) => scan.table_name.to_string(),
        other => other
            .inputs()
            .first()
            .map_or_else(|| "values".to_owned(), |input| driving(input)),
    }
}
