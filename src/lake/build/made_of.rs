//! What the rows of a `table` model are made of.

use std::collections::BTreeSet;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};
use deltalake::DeltaTable;

use super::Building;
use crate::base::Result;
use crate::lake::error::planning;
use crate::lake::model::{Materialized, Model, OP};
use crate::lake::{MadeOf, Warehouse};

impl Warehouse {
    /// A number for the text of a `table` model and the exact versions of the tables it reads. `None` where operational tables, which have
    /// no versions, are among them.
    ///
    /// # Errors
    /// When the log of a table cannot be read.
    pub(super) async fn made_of_model(&self, model: &Model) -> Result<Option<MadeOf>> {
        if model.header.materialized != Materialized::Table {
            return Ok(None);
        }
        let mut parts = BTreeSet::from([format!("model\n{}", model.sql)]);
        let mut seen = BTreeSet::new();
        let mut queue: Vec<String> = model.reads().collect();
        while let Some(name) = queue.pop() {
            let Some((schema, table)) = name.split_once('.').filter(|(schema, _)| *schema != OP)
            else {
                return Ok(None);
            };
            if !seen.insert(name.clone()) {
                continue;
            }
            let view = self.models.get(&name);
            if let Some(view) = view.filter(|m| m.header.materialized == Materialized::View) {
                parts.insert(format!("{name}\n{}", view.sql));
                queue.extend(view.reads());
                continue;
            }
            let Some(version) = self.lake.version_text(schema, table).await? else {
                return Ok(None);
            };
            parts.insert(version);
        }
        Ok(MadeOf::parts(parts))
    }
}

impl Building<'_> {
    /// Whether the rows of `stored` were made by the same text of the same rows, so that they would be the same again.
    pub(super) async fn is_made(&self, stored: &DeltaTable) -> Result<bool> {
        let Some(now) = self.made_of.filter(|_| !self.request.full_refresh) else {
            return Ok(false);
        };
        if !now.made(stored).await? {
            return Ok(false);
        }
        let plan = self.query("NULL").await?.into_unoptimized_plan();
        same_every_time(&plan).map_err(planning)
    }
}

/// Whether a plan gives the same rows whenever it runs: it asks neither for the time nor for chance.
fn same_every_time(plan: &LogicalPlan) -> EngineResult<bool> {
    let mut same = true;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Some(view) = scan.source.get_logical_plan()
        {
            same &= same_every_time(&view)?;
        }
        node.apply_expressions(|expression| {
            expression.apply(|part| {
                if let Expr::ScalarFunction(function) = part {
                    same &= function.func.signature().volatility == Volatility::Immutable;
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(same)
}
