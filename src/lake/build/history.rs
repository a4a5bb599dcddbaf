//! `scd2` models: the history of every key, a row for each version.

use chrono::SecondsFormat;
use datafusion::common::Column;
use datafusion::logical_expr::{Expr, not};
use datafusion::prelude::lit;

use super::merge::{SOURCE, TARGET, differs, of, same_key};
use super::{Building, Built};
use crate::base::{Counts, Error, Result};
use crate::db::quote;
use crate::lake::compute::ASIDE;
use crate::lake::error::delta;
use crate::lake::warehouse::{numbers, provider};

/// Columns that such a model adds, besides those of its query.
const OWN: [&str; 4] = ["valid_from", "valid_to", "is_current", "version"];
const INSTANT: &str = "'Timestamp(Microsecond, Some(\"UTC\"))'";

impl Building<'_> {
    /// Opens a version for each key that is new or changed, and closes the one before; a key that is gone is closed. All in one commit.
    pub(super) async fn history(&self) -> Result<Built> {
        let _lock = self.lake.lock(&self.model.layer, &self.model.name).await?;
        let (mut aside, read) = self.stage("NULL").await?;
        let stored = self.lake.open(&self.model.layer, &self.model.name).await?;
        let Some(stored) = stored else {
            return self.first_versions(read).await;
        };
        self.compute
            .register(ASIDE, TARGET, provider(&stored, &self.compute).await?)?;
        let columns = self.same_columns(&OWN).await?;
        let frame = self.kept_query(&self.changes(&columns)).await?;
        aside.keep(&self.compute, "changes", frame).await?;
        let sql = format!(
            "SELECT count(*) FILTER (WHERE NOT \"_close\" AND \"_known\" = 0), count(*) FILTER (WHERE NOT \"_close\" AND \"_known\" = 1),
                count(*) FILTER (WHERE \"_close\" AND \"_known\" = 0), count(*) FILTER (WHERE \"_close\") FROM {ASIDE}.changes"
        );
        let found = numbers(&self.compute, &sql).await?;
        let [inserted, updated, closed, closes] = found[..] else {
            return Err(Error::new("changes cannot be counted"));
        };
        let mut version = stored.version();
        if inserted + updated + closes > 0 {
            let list: Vec<String> = columns.iter().map(|name| quote(name)).collect();
            let sql = format!(
                "SELECT {}, {}, \"_close\" FROM {ASIDE}.changes",
                list.join(", "),
                OWN.join(", ")
            );
            let source = self.compute.query(&sql).await?;
            let all = || columns.iter().map(String::as_str).chain(OWN);
            let key = self
                .model
                .header
                .unique_key
                .iter()
                .map(String::as_str)
                .chain(["version"]);
            let on = key
                .map(|name| of(TARGET, name).eq(of(SOURCE, name)))
                .reduce(Expr::and);
            let on = on.unwrap_or_else(|| lit(false)).and(of(SOURCE, "_close"));
            let (merged, _) = self
                .merging(stored, source, on)
                .when_matched_update(|update| {
                    update
                        .update(Column::from_name("valid_to"), of(SOURCE, "valid_to"))
                        .update(Column::from_name("is_current"), lit(false))
                })
                .map_err(delta)?
                .when_not_matched_insert(|insert| {
                    all().fold(
                        insert.predicate(not(of(SOURCE, "_close"))),
                        |insert, name| insert.set(Column::from_name(name), of(SOURCE, name)),
                    )
                })
                .map_err(delta)?
                .await
                .map_err(delta)?;
            version = merged.version();
        }
        self.care().await?;
        Ok(Built {
            counts: Counts {
                read,
                inserted,
                updated,
                unchanged: read - inserted - updated,
                ..Counts::default()
            },
            closed,
            version,
            ..Built::default()
        })
    }

    async fn first_versions(&self, read: u64) -> Result<Built> {
        let sql = format!(
            "SELECT s.*, {} AS valid_from, CAST(NULL AS TIMESTAMP) AS valid_to, true AS is_current, CAST(1 AS BIGINT) AS version FROM {ASIDE}.staged s",
            self.valid_from(),
        );
        let (version, _) = self.overwrite(self.kept_query(&sql).await?).await?;
        self.care().await?;
        Ok(Built::anew(read, version))
    }

    /// From when on a version of the staged row `s` holds.
    fn valid_from(&self) -> String {
        match &self.model.header.valid_from {
            Some(column) => format!(
                "coalesce(arrow_cast(s.{}, {INSTANT}), {})",
                quote(column),
                self.as_of()
            ),
            None => self.as_of(),
        }
    }

    fn as_of(&self) -> String {
        let time = self
            .request
            .as_of
            .to_rfc3339_opts(SecondsFormat::Micros, true);
        format!("arrow_cast('{time}', {INSTANT})")
    }

    /// Versions to open and versions to close. A version starts after the one before it, whatever the clocks say.
    fn changes(&self, columns: &[String]) -> String {
        let key = &self.model.header.unique_key;
        let list = |row: &str| {
            let names = columns
                .iter()
                .map(|name| format!("{row}.{} AS {}", quote(name), quote(name)));
            names.collect::<Vec<_>>().join(", ")
        };
        let keys: Vec<String> = key.iter().map(|name| quote(name)).collect();
        let keys = keys.join(", ");
        let first = quote(&key[0]);
        let after = |from: &str| {
            format!(
                "greatest({from}, l.valid_from + INTERVAL '1 microsecond', coalesce(l.valid_to, l.valid_from))"
            )
        };
        let (from, gone) = (after(&self.valid_from()), after(&self.as_of()));
        let differs = differs(columns, "s", "c");
        format!(
            "WITH latest AS (
                SELECT {keys}, max(version) AS version, max(valid_from) AS valid_from, max(valid_to) AS valid_to
                FROM {ASIDE}.{TARGET} GROUP BY {keys}
            ), cur AS (SELECT * FROM {ASIDE}.{TARGET} WHERE is_current)
            SELECT {new}, {from} AS valid_from, arrow_cast(NULL, {INSTANT}) AS valid_to, true AS is_current,
                coalesce(l.version, 0) + 1 AS version, false AS \"_close\",
                CASE WHEN l.{first} IS NULL THEN 0 ELSE 1 END AS \"_known\"
            FROM {ASIDE}.staged s LEFT JOIN cur c ON {s_c} LEFT JOIN latest l ON {s_l}
            WHERE c.{first} IS NULL OR {differs}
            UNION ALL
            SELECT {old}, c.valid_from AS valid_from, CASE WHEN s.{first} IS NULL THEN {gone} ELSE {from} END AS valid_to,
                false AS is_current, c.version AS version, true AS \"_close\",
                CASE WHEN s.{first} IS NULL THEN 0 ELSE 1 END AS \"_known\"
            FROM cur c JOIN latest l ON {c_l} LEFT JOIN {ASIDE}.staged s ON {s_c}
            WHERE s.{first} IS NULL OR {differs}",
            new = list("s"),
            old = list("c"),
            s_c = same_key(key, "s", "c"),
            s_l = same_key(key, "s", "l"),
            c_l = same_key(key, "c", "l"),
        )
    }
}
