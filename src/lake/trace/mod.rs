//! Where a row of a table came from: back through the models that make it, to files and lines.
//!
//! Belongs here: which rows had a part in a row, by the plans of models over tables as they are now. Does not belong here: what a person is
//! shown, and the way of an operational row, which [`Records`](crate::records::Records) know. No value of a row leaves this room.

mod contributors;
mod held;
mod origins;
mod start;

use std::collections::{BTreeMap, BTreeSet};

use datafusion::arrow::array::RecordBatch;
use datafusion::common::{Column, NullEquality};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{
    Expr, ExprSchemable, JoinType, LogicalPlan, LogicalPlanBuilder, cast, lit,
};
use datafusion::prelude::ident;
use datafusion::scalar::ScalarValue;

pub use self::origins::{SourceFile, SourceRows};
pub use self::start::RowKey;

use self::contributors::{Contributors, along};
use self::held::Held;
use super::Warehouse;
use super::build::since_ever;
use super::compute::ASIDE;
use super::error::{planning, running};
use super::model::{Materialized, Model, TableName, render_since};
use crate::base::{Error, Result};
use crate::db::quote;

/// Where rows came from.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct RowTrace {
    /// The tables on the way, each after all that read it; views on the way are looked through.
    pub steps: Vec<Step>,
    /// What is known of the rows of those that no model makes.
    pub sources: Vec<SourceRows>,
}

/// A table on the way.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Step {
    /// Its full name.
    pub table: String,
    /// Its rows that had a part; `None` where that cannot be told, as of a table in a subquery.
    pub rows: Option<u64>,
    /// The file of the model that makes it; `None` for a table that no model makes.
    pub model: Option<String>,
}

impl Warehouse {
    /// Traces the rows of `full_name` that `key` names, by the models and tables as they are now. Of each source the first `most` records
    /// are told.
    ///
    /// # Errors
    /// When there is no such table, column or row.
    pub async fn trace(&self, full_name: &str, key: &RowKey, most: usize) -> Result<RowTrace> {
        let mut held = Held::new(self)?;
        self.hold_start(full_name, key, &mut held).await?;
        let mut steps = Vec::new();
        let mut untold = BTreeSet::new();
        let models: Vec<&Model> = self.models.iter().collect();
        for model in models.into_iter().rev() {
            let name = model.full_name();
            let Some((rows, wanted)) = held.gather(&name).await? else {
                continue;
            };
            steps.push(Step {
                table: name.clone(),
                rows: Some(rows),
                model: Some(model.path.clone()),
            });
            if rows > 0 {
                untold.extend(self.follow(model, &wanted, &mut held).await?);
            }
        }
        let mut sources = Vec::new();
        for name in held.tables() {
            let Some((rows, wanted)) = held.gather(&name).await? else {
                continue;
            };
            steps.push(Step {
                table: name.clone(),
                rows: Some(rows),
                model: None,
            });
            sources.push(self.origins(&name, &wanted, rows, most, &held).await?);
        }
        untold.retain(|name| steps.iter().all(|step| step.table != *name));
        steps.extend(untold.into_iter().map(|name| Step {
            model: self.models.get(&name).map(|model| model.path.clone()),
            table: name,
            rows: None,
        }));
        Ok(RowTrace { steps, sources })
    }

    /// Holds the rows of the tables that `model` reads which had a part in those held as `wanted`. Gives the tables of which that cannot be
    /// told.
    async fn follow(
        &self,
        model: &Model,
        wanted: &str,
        held: &mut Held,
    ) -> Result<BTreeSet<String>> {
        let mut names = BTreeMap::new();
        let mut reads: Vec<&TableName> = model.reads.iter().collect();
        while let Some(read) = reads.pop() {
            let (schema, name) = (read.schema.as_deref().unwrap_or_default(), read.full());
            self.register(&held.compute, schema, &read.table, None)
                .await?;
            // the engine puts the query of a view in its place
            if let Some(view) = self.models.get(&name)
                && view.header.materialized == Materialized::View
            {
                reads.extend(&view.reads);
            }
            names.insert(name.clone(), self.row_name(&name, held).await?);
        }
        let plan = self.whole(model, held).await?;
        let found = Contributors::of(&plan, &names).map_err(planning)?;
        let own = self.row_name(&model.full_name(), held).await?;
        let by = match model.header.unique_key.is_empty() {
            true => own,
            // what an `scd2` model adds to its key its query does not know
            false => model.header.unique_key.clone(),
        };
        for (table, plan) in found.told {
            let plan = restricted(plan, &by, wanted, &names[&table], held).await?;
            held.hold(&table, plan).await?;
        }
        Ok(found.untold)
    }

    /// The plan of a model for all of its rows.
    async fn whole(&self, model: &Model, held: &Held) -> Result<LogicalPlan> {
        let query = async |since: &str| -> Result<LogicalPlan> {
            let (sql, _) =
                render_since(&model.sql, since).map_err(|(_, message)| Error::new(message))?;
            Ok(held.compute.query(&sql).await?.into_unoptimized_plan())
        };
        let plan = query("NULL").await?;
        match model.header.since.as_deref().filter(|_| model.since) {
            None => Ok(plan),
            Some(column) => query(&since_ever(plan.schema().as_arrow(), column)?).await,
        }
    }
}

/// Of the pairs in `plan`, the rows that came along with one that is held as `wanted`: `by` names their common columns, `names` those that
/// come along.
async fn restricted(
    plan: LogicalPlan,
    by: &[String],
    wanted: &str,
    names: &[String],
    held: &Held,
) -> Result<LogicalPlan> {
    let list: Vec<String> = by
        .iter()
        .enumerate()
        .map(|(n, name)| format!("{} AS \"wanted_{n}\"", quote(name)))
        .collect();
    let sql = format!("SELECT DISTINCT {} FROM {ASIDE}.{wanted}", list.join(", "));
    let few = few(&sql, held).await?;
    let wanted = held.compute.query(&sql).await?.into_unoptimized_plan();
    let made = || {
        let fields = plan.schema().columns();
        let mut columns = Vec::new();
        for (n, name) in by.iter().enumerate() {
            let own = fields.iter().find(|column| column.name == *name);
            let own = own.ok_or_else(|| {
                DataFusionError::Plan(format!("the query has no column `{name}`"))
            })?;
            let own = Expr::Column(own.clone());
            let kind = wanted.schema().field(n).data_type();
            let own = match own.get_type(plan.schema())? == *kind {
                true => own,
                false => cast(own, kind.clone()),
            };
            columns.push(own.alias(format!("made_{n}")));
        }
        let came = along(&plan);
        let places: Vec<String> = (0..came.len()).map(|n| format!("came_{n}")).collect();
        let renamed = came.into_iter().zip(&places);
        columns.extend(renamed.map(|(column, place)| column.unalias().alias(place)));
        let keys = |side: &str| -> Vec<Column> {
            let names = (0..by.len()).map(|n| format!("{side}_{n}"));
            names.map(Column::from_name).collect()
        };
        // an outer join gives pairs in which nothing came along
        let is_there = places.iter().map(|place| ident(place).is_not_null());
        let is_there = is_there.reduce(Expr::or).unwrap_or_else(|| lit(true));
        let named = places
            .iter()
            .zip(names)
            .map(|(place, name)| ident(place).alias(name));
        let mut pairs = LogicalPlanBuilder::from(plan.clone()).project(columns)?;
        if let Some(few) = few {
            pairs = pairs.filter(few)?;
        }
        pairs
            .join_detailed(
                wanted.clone(),
                JoinType::Inner,
                (keys("made"), keys("wanted")),
                None,
                NullEquality::NullEqualsNull,
            )?
            .filter(is_there)?
            .project(named.collect::<Vec<Expr>>())?
            .distinct()?
            .build()
    };
    made().map_err(planning)
}

/// Rows that are few.
const FEW: usize = 20;

/// That columns `made_…` have the values of a row of `sql`, where its rows are few: the engine looks at as little of the tables as that
/// allows, which a join does not bring about.
async fn few(sql: &str, held: &Held) -> Result<Option<Expr>> {
    let batches = held
        .compute
        .rows(&format!("{sql} LIMIT {}", FEW + 1))
        .await?;
    if batches.iter().map(RecordBatch::num_rows).sum::<usize>() > FEW {
        return Ok(None);
    }
    let mut any = lit(false);
    for batch in &batches {
        for row in 0..batch.num_rows() {
            let mut all = lit(true);
            for (n, column) in batch.columns().iter().enumerate() {
                let own = ident(format!("made_{n}"));
                let value = ScalarValue::try_from_array(column, row).map_err(running)?;
                all = all.and(match value.is_null() {
                    true => own.is_null(),
                    false => own.eq(Expr::Literal(value, None)),
                });
            }
            any = any.or(all);
        }
    }
    Ok(Some(any))
}
