//! Incremental models: rows of the query merged into the table by key.

use std::sync::Arc;

use datafusion::common::Column;
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::Expr;
use deltalake::DeltaTable;
use deltalake::operations::merge::MergeBuilder;

use super::partners::Partners;
use super::write::{append, kept};
use super::{Aside, Building, Built};
use crate::base::{Counts, Error, Result};
use crate::db::quote;
use crate::lake::MadeOf;
use crate::lake::compute::ASIDE;
use crate::lake::error::{delta, planning};
use crate::lake::files::plain_rows;
use crate::lake::types::kept_schema;
use crate::lake::warehouse::{numbers, provider};

pub(super) const SOURCE: &str = "source";
pub(in crate::lake) const TARGET: &str = "target";

/// Staged rows that are to be written.
struct Found {
    /// The name under which they are kept aside.
    rows: &'static str,
    inserted: u64,
    updated: u64,
}

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
        let partners = self.partners().await?;
        let mut found = Found {
            rows: "staged",
            inserted: read,
            updated: 0,
        };
        if partners.count > 0 {
            found = self.compare(&mut aside, &columns, &partners).await?;
        }
        let mut version = stored.version();
        if found.updated > 0 {
            let merged = self.merge(stored, &columns, found.rows, &partners).await?;
            version = merged.version();
        } else if found.inserted > 0 {
            // no file that is there need be touched
            let frame = self.rows_of(found.rows, &columns).await?;
            let commit = MadeOf::commit(self.made_of);
            version = append(stored, frame, &self.compute, commit)
                .await?
                .version();
        }
        self.care().await?;
        Ok(Built {
            counts: Counts {
                read,
                inserted: found.inserted,
                updated: found.updated,
                unchanged: read - found.inserted - found.updated,
                ..Counts::default()
            },
            version,
            ..Built::default()
        })
    }

    /// Keeps aside the staged rows that the table does not have, or has otherwise.
    async fn compare(
        &self,
        aside: &mut Aside,
        columns: &[String],
        partners: &Partners,
    ) -> Result<Found> {
        let stored = self
            .compute
            .query(&format!("SELECT * FROM {ASIDE}.{TARGET}"))
            .await?;
        let near = match partners.near(None) {
            Some(near) => stored.filter(near).map_err(planning)?,
            None => stored,
        };
        self.compute.register(ASIDE, "near", near.into_view())?;
        let key = &self.model.header.unique_key;
        let select: Vec<String> = columns
            .iter()
            .map(|name| format!("s.{}", quote(name)))
            .collect();
        let is_new = format!("t.{} IS NULL", quote(&key[0]));
        let sql = format!(
            "SELECT {}, {is_new} AS \"_new\" FROM {ASIDE}.staged s LEFT JOIN {ASIDE}.near t ON {} WHERE {is_new} OR {}",
            select.join(", "),
            same_key(key, "s", "t"),
            differs(columns, "s", "t"),
        );
        let rows = "changed";
        let changed = aside
            .keep(&self.compute, rows, self.compute.query(&sql).await?)
            .await?;
        let sql = format!("SELECT count(*) FROM {ASIDE}.{rows} WHERE \"_new\"");
        let inserted = numbers(&self.compute, &sql).await?;
        let inserted = inserted.first().copied().unwrap_or(0);
        Ok(Found {
            rows,
            inserted,
            updated: changed - inserted,
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
        self.care().await?;
        Ok(Built::anew(rows, version))
    }

    /// What is kept aside under the name `rows`, without columns of its own.
    async fn rows_of(&self, rows: &str, columns: &[String]) -> Result<DataFrame> {
        let list: Vec<String> = columns.iter().map(|name| quote(name)).collect();
        let sql = format!("SELECT {} FROM {ASIDE}.{rows}", list.join(", "));
        self.compute.query(&sql).await
    }

    async fn merge(
        &self,
        stored: DeltaTable,
        columns: &[String],
        rows: &str,
        partners: &Partners,
    ) -> Result<DeltaTable> {
        let source = self.rows_of(rows, columns).await?;
        let on = self
            .model
            .header
            .unique_key
            .iter()
            .map(|name| of(TARGET, name).eq(of(SOURCE, name)));
        // literals tell the library which files cannot hold a partner
        let on = on
            .chain(partners.near(Some(TARGET)))
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
            .with_writer_properties(plain_rows())
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
