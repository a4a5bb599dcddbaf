//! Incremental models: rows of the query merged into the table by key.

use std::sync::Arc;

use datafusion::common::Column;
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::Expr;
use deltalake::DeltaTable;
use deltalake::operations::merge::MergeBuilder;

use super::write::kept;
use super::{Building, Built};
use crate::base::{Counts, Error, Result};
use crate::db::quote;
use crate::lake::MadeOf;
use crate::lake::compute::ASIDE;
use crate::lake::error::delta;
use crate::lake::types::kept_schema;
use crate::lake::warehouse::{numbers, provider};

pub(super) const SOURCE: &str = "source";
pub(in crate::lake) const TARGET: &str = "target";

impl Building<'_> {
    /// Merges new and changed rows; a row that is as it was is not written.
    pub(super) async fn incremental(&self) -> Result<Built> {
        let _lock = self.lake.lock(&self.model.layer, &self.model.name).await?;
        let stored = self.lake.open(&self.model.layer, &self.model.name).await?;
        let Some(stored) = stored.filter(|_| !self.request.full_refresh) else {
            return self.afresh().await;
        };
        self.compute
            .register(ASIDE, TARGET, provider(&stored, &self.compute).await?)?;
        let (mut aside, read) = self.stage(&self.since_last().await?).await?;
        let columns = self.same_columns(&[]).await?;
        let key = &self.model.header.unique_key;
        let select: Vec<String> = columns
            .iter()
            .map(|name| format!("s.{}", quote(name)))
            .collect();
        let is_new = format!("t.{} IS NULL", quote(&key[0]));
        let sql = format!(
            "SELECT {}, {is_new} AS \"_new\" FROM {ASIDE}.staged s LEFT JOIN {ASIDE}.{TARGET} t ON {} WHERE {is_new} OR {}",
            select.join(", "),
            same_key(key, "s", "t"),
            differs(&columns, "s", "t"),
        );
        let changed = aside
            .keep(&self.compute, "changed", self.compute.query(&sql).await?)
            .await?;
        let inserted = numbers(
            &self.compute,
            &format!("SELECT count(*) FROM {ASIDE}.changed WHERE \"_new\""),
        )
        .await?;
        let inserted = inserted.first().copied().unwrap_or(0);
        let mut version = stored.version();
        if changed > 0 {
            version = self.merge(stored, &columns).await?.version();
        }
        self.care(changed > 0).await?;
        Ok(Built {
            counts: Counts {
                read,
                inserted,
                updated: changed - inserted,
                unchanged: read - changed,
                ..Counts::default()
            },
            version,
            ..Built::default()
        })
    }

    /// The first build, or a full refresh.
    async fn afresh(&self) -> Result<Built> {
        let (_aside, rows) = self.stage(&self.since_ever().await?).await?;
        let frame = self
            .compute
            .query(&format!("SELECT * FROM {ASIDE}.staged"))
            .await?;
        let (version, _) = self.overwrite(frame).await?;
        self.care(rows > 0).await?;
        Ok(Built::anew(rows, version))
    }

    async fn merge(&self, stored: DeltaTable, columns: &[String]) -> Result<DeltaTable> {
        let list: Vec<String> = columns.iter().map(|name| quote(name)).collect();
        let sql = format!("SELECT {} FROM {ASIDE}.changed", list.join(", "));
        let source = self.compute.query(&sql).await?;
        let on = self
            .model
            .header
            .unique_key
            .iter()
            .map(|name| of(TARGET, name).eq(of(SOURCE, name)));
        let on = on
            .reduce(Expr::and)
            .ok_or_else(|| Error::new("`unique_key` names no column"))?;
        let (table, _) = self
            .merging(stored, source, on)
            .when_matched_update(|update| {
                columns.iter().fold(update, |update, name| {
                    update.update(Column::from_name(name), of(SOURCE, name))
                })
            })
            .map_err(delta)?
            .when_not_matched_insert(|insert| {
                columns.iter().fold(insert, |insert, name| {
                    insert.set(Column::from_name(name), of(SOURCE, name))
                })
            })
            .map_err(delta)?
            .await
            .map_err(delta)?;
        Ok(table)
    }

    /// A merge of `source` into `stored`, nothing said yet of what is to happen.
    pub(super) fn merging(&self, stored: DeltaTable, source: DataFrame, on: Expr) -> MergeBuilder {
        stored
            .merge(source, on)
            .with_source_alias(SOURCE)
            .with_target_alias(TARGET)
            .with_session_state(Arc::new(self.compute.state()))
            .with_commit_properties(MadeOf::commit(self.made_of))
    }

    /// The columns of the staged rows, which must be those of the table but for its `own`.
    pub(super) async fn same_columns(&self, own: &[&str]) -> Result<Vec<String>> {
        let columns = async |name: &str| -> Result<Vec<(String, String)>> {
            let frame = self
                .compute
                .query(&format!("SELECT * FROM {ASIDE}.{name}"))
                .await?;
            let schema = kept_schema(frame.schema().as_arrow())?;
            let fields = schema.fields().iter();
            Ok(fields
                .map(|field| (field.name().clone(), field.data_type().to_string()))
                .collect())
        };
        let staged = columns("staged").await?;
        let mut stored = columns(TARGET).await?;
        stored.retain(|(name, _)| !own.contains(&name.as_str()));
        let sorted = |columns: &[(String, String)]| {
            let mut columns = columns.to_vec();
            columns.sort();
            columns
        };
        if sorted(&staged) != sorted(&stored) {
            let mut differing: Vec<&str> = staged
                .iter()
                .filter(|column| !stored.contains(column))
                .map(|(name, _)| name.as_str())
                .collect();
            differing.extend(
                stored
                    .iter()
                    .filter(|column| !staged.contains(column))
                    .map(|(name, _)| name.as_str()),
            );
            differing.sort_unstable();
            differing.dedup();
            let error = Error::new(format!(
                "the table has other columns than the query: `{}` differ",
                differing.join("`, `")
            ));
            return Err(match own.is_empty() {
                true => error.hint("`galen run … --full-refresh` builds the table anew"),
                false => error.hint("a history cannot be built anew; give the model another name, or the columns their old types"),
            });
        }
        Ok(staged.into_iter().map(|(name, _)| name).collect())
    }

    /// Every staged row must have a key, and no two the same.
    pub(super) async fn check_keys(&self) -> Result<()> {
        let key = &self.model.header.unique_key;
        let list: Vec<String> = key.iter().map(|name| quote(name)).collect();
        let nulls: Vec<String> = list.iter().map(|name| format!("{name} IS NULL")).collect();
        let sql = format!(
            "SELECT count(*) FROM {ASIDE}.staged WHERE {}",
            nulls.join(" OR ")
        );
        let first = |numbers: Vec<u64>| numbers.first().copied().unwrap_or(0);
        let without = first(numbers(&self.compute, &sql).await?);
        if without > 0 {
            return Err(Error::new(format!(
                "{without} rows have a null in `unique_key` ({})",
                key.join(", ")
            ))
            .hint("leave such rows out, or give them a key of their own"));
        }
        let list = list.join(", ");
        let sql = format!(
            "SELECT count(*) FROM (SELECT {list} FROM {ASIDE}.staged GROUP BY {list} HAVING count(*) > 1)"
        );
        let twice = first(numbers(&self.compute, &sql).await?);
        if twice > 0 {
            return Err(Error::new(format!(
                "{twice} keys ({}) stand in more than one row",
                key.join(", ")
            ))
            .hint(
                "choose one row a key, for example with `row_number() OVER (PARTITION BY …) = 1`",
            ));
        }
        Ok(())
    }

    /// The frame of `sql` with the types that a table keeps.
    pub(super) async fn kept_query(&self, sql: &str) -> Result<DataFrame> {
        let frame = self.compute.query(sql).await?;
        let schema = Arc::new(kept_schema(frame.schema().as_arrow())?);
        kept(frame, &schema)
    }
}

/// A column of one side of a merge.
pub(super) fn of(side: &str, name: &str) -> Expr {
    Expr::Column(Column::new(Some(side), name))
}

/// That the rows `a` and `b` have the same key.
pub(in crate::lake) fn same_key(key: &[String], a: &str, b: &str) -> String {
    let parts: Vec<String> = key
        .iter()
        .map(|name| format!("{a}.{0} = {b}.{0}", quote(name)))
        .collect();
    parts.join(" AND ")
}

/// That the rows `a` and `b` differ in any of the columns; two nulls are the same.
pub(super) fn differs(columns: &[String], a: &str, b: &str) -> String {
    let parts: Vec<String> = columns
        .iter()
        .map(|name| format!("({a}.{0} IS DISTINCT FROM {b}.{0})", quote(name)))
        .collect();
    // without parentheses the OR would belong to what is compared with
    parts.join(" OR ")
}
