//! What the rows of a table were made of, so that the same rows are not made twice.

use std::collections::BTreeSet;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};
use deltalake::DeltaTable;
use deltalake::kernel::Transaction;
use deltalake::kernel::transaction::CommitProperties;

use super::Building;
use crate::base::{Result, sha256};
use crate::lake::Warehouse;
use crate::lake::error::{delta, planning};
use crate::lake::model::{Materialized, Model, OP};

/// Under this name the log of a table says what its newest rows were made of.
const APPLICATION: &str = "galen.made_of";
/// What stands there when nobody can say.
const UNKNOWN: i64 = 0;

impl Warehouse {
    /// A number for the text of a `table` model and the exact versions of the tables it reads. `None` where operational tables, which have
    /// no versions, are among them.
    ///
    /// # Errors
    /// When the log of a table cannot be read.
    pub(super) async fn made_of(&self, model: &Model) -> Result<Option<i64>> {
        match model.header.materialized {
            Materialized::Table => self.made_of_text(&model.sql, model.reads()).await,
            _ => Ok(None),
        }
    }

    /// A number for `text`, which says what is done, and the exact versions of the tables it is done to. `None` where these have no versions.
    ///
    /// # Errors
    /// When the log of a table cannot be read.
    pub async fn made_of_text(
        &self,
        text: &str,
        tables: impl IntoIterator<Item = String>,
    ) -> Result<Option<i64>> {
        let mut parts = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut queue: Vec<String> = tables.into_iter().collect();
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
            let Some(stored) = self.lake.open(schema, table).await? else {
                return Ok(None);
            };
            // a table that was deleted and made again counts its versions from 0, under another id
            let id = stored.snapshot().map_err(delta)?.metadata().id();
            parts.insert(format!("{name}\n{id}\n{:?}", stored.version()));
        }
        // another version of Galen may compute other rows
        let own = format!("{}\n{text}", env!("CARGO_PKG_VERSION"));
        let all: Vec<String> = std::iter::once(own).chain(parts).collect();
        let digest = sha256(all.join("\n\n")).to_string();
        Ok(digest
            .get(..15)
            .and_then(|start| i64::from_str_radix(start, 16).ok()))
    }

    /// Whether the rows of a table are there and were made of what `made_of` stands for.
    ///
    /// # Errors
    /// When the log of the table cannot be read.
    pub async fn is_made_of(&self, full_name: &str, made_of: i64) -> Result<bool> {
        let (layer, table) = full_name.split_once('.').unwrap_or_default();
        match self.lake.open(layer, table).await? {
            Some(stored) => Ok(told(&stored).await? == Some(made_of)),
            None => Ok(false),
        }
    }
}

/// What the newest rows of `stored` were made of, as its log says.
async fn told(stored: &DeltaTable) -> Result<Option<i64>> {
    let log = stored.log_store();
    let snapshot = stored.snapshot().map_err(delta)?;
    let told = snapshot.transaction_version(log.as_ref(), APPLICATION);
    told.await.map_err(delta)
}

/// What a commit says of its rows: what they are made of, where somebody can say that.
pub(in crate::lake) fn commit_of(made_of: Option<i64>) -> CommitProperties {
    let made_of = made_of.unwrap_or(UNKNOWN);
    CommitProperties::default().with_application_transaction(Transaction::new(APPLICATION, made_of))
}

impl Building<'_> {
    /// Whether the rows of `stored` were made by the same text of the same rows, so that they would be the same again.
    pub(super) async fn is_made(&self, stored: &DeltaTable) -> Result<bool> {
        let Some(now) = self.made_of.filter(|_| !self.request.full_refresh) else {
            return Ok(false);
        };
        if told(stored).await? != Some(now) {
            return Ok(false);
        }
        let plan = self.query("NULL").await?.into_unoptimized_plan();
        same_every_time(&plan).map_err(planning)
    }

    /// What a commit says of its rows.
    pub(super) fn commit(&self) -> CommitProperties {
        commit_of(self.made_of)
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
