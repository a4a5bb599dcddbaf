//! A table that is merged from another: of the rows with one key the one that was delivered last.

use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use deltalake::DeltaTable;

use super::build::aside::Aside;
use super::build::merge::{TARGET, same_key};
use super::build::write::{kept, overwrite};
use super::compute::{ASIDE, Compute, Joins};
use super::error::is_exhausted;
use super::provenance::ORDER;
use super::types::kept_schema;
use super::warehouse::{numbers, provider, quoted};
use super::{MadeOf, Warehouse};
use crate::base::{Counts, Error, Result, nearest};
use crate::db::quote;

/// Which rows of a table make another.
#[derive(Debug, Clone, Copy)]
pub struct Latest<'a> {
    /// The table that is read.
    pub from: &'a str,
    /// The table that is written.
    pub into: &'a str,
    /// Columns that identify a row: of rows with equal values the later stays; those with a null among them all stay.
    pub key: &'a [String],
    /// Columns by which rows are the same, nulls too: of those that the key leaves the later stays. Empty: none are.
    pub dedup: &'a [String],
}

impl<'a> Latest<'a> {
    /// The columns of which the table has equal values once.
    fn identity(&self) -> &'a [String] {
        match self.key {
            [] => self.dedup,
            key => key,
        }
    }
}

/// What a merge did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Merged {
    /// Rows read, by what became of them.
    pub counts: Counts,
    /// Rows that are not in the table any more, since what made them is gone.
    pub removed: u64,
    /// Rows of the table now.
    pub rows: u64,
    /// Its Delta version.
    pub version: Option<u64>,
}

impl Warehouse {
    /// Makes the rows of a table those that another leaves, in one commit: readers see the old rows or the new ones. When nothing is
    /// different nothing is written.
    ///
    /// # Errors
    /// When the table that is read is not there, lacks a column that is named, or the other cannot be written.
    pub async fn merge(&self, latest: Latest<'_>) -> Result<Merged> {
        let _lock = self.lock(latest.into).await?;
        match self.merge_with(latest, Joins::Fast).await {
            Err(error) if is_exhausted(&error) => self.merge_with(latest, Joins::Frugal).await,
            merged => merged,
        }
    }

    async fn merge_with(&self, latest: Latest<'_>, joins: Joins) -> Result<Merged> {
        let Latest { from, into, .. } = latest;
        let columns = self.stored_columns(from).await?;
        check(latest, &columns)?;
        let text = format!("{from}\n{into}\n{:?}\n{:?}", latest.key, latest.dedup);
        let made_of = self.made_of(vec![text], &[from.to_owned()]).await?;
        let read = self.count(from).await?;
        let target = into.split_once('.').unwrap_or_default();
        let stored = self.lake.open(target.0, target.1).await?;
        if let (Some(stored), Some(made_of)) = (&stored, made_of)
            && made_of.made(stored).await?
        {
            let rows = self.count(into).await?;
            return Ok(Merged {
                counts: Counts {
                    read,
                    unchanged: rows,
                    duplicate: read.saturating_sub(rows),
                    ..Counts::default()
                },
                removed: 0,
                rows,
                version: stored.version(),
            });
        }
        let sql = sql_of(latest, &columns);
        let merging = Merging {
            latest,
            compute: self.session_with(&[], None, joins).await?,
        };
        let (layer, table) = from.split_once('.').unwrap_or_default();
        self.register(&merging.compute, layer, table, None).await?;
        let frame = merging.compute.query(&sql).await?;
        let schema = Arc::new(kept_schema(frame.schema().as_arrow())?);
        let mut aside = Aside::new(self.lake.aside(target.0, target.1))?;
        let frame = kept(frame, &schema)?;
        let rows = aside.keep(&merging.compute, "staged", frame).await?;
        let compared = merging.compare(&mut aside, stored.as_ref(), rows).await?;
        let mut version = stored.as_ref().and_then(DeltaTable::version);
        if stored.is_none() || compared.differs() {
            let sql = format!("SELECT * FROM {ASIDE}.staged");
            let frame = merging.compute.query(&sql).await?;
            let commit = MadeOf::commit(made_of);
            let table = self.lake.open_or_new(target.0, target.1).await?;
            let (table, _) = overwrite(table, frame, &merging.compute, &[], commit).await?;
            version = table.version();
        }
        let Compared {
            inserted,
            updated,
            removed,
        } = compared;
        Ok(Merged {
            counts: Counts {
                read,
                inserted,
                updated,
                unchanged: rows.saturating_sub(inserted + updated),
                duplicate: read.saturating_sub(rows),
                quarantined: 0,
            },
            removed,
            rows,
            version,
        })
    }
}

/// A merge at work.
struct Merging<'a> {
    latest: Latest<'a>,
    compute: Compute,
}

/// How the staged rows differ from those of the table.
#[derive(Clone, Copy)]
struct Compared {
    inserted: u64,
    updated: u64,
    removed: u64,
}

impl Compared {
    fn differs(self) -> bool {
        self.inserted + self.updated + self.removed > 0
    }
}

impl Merging<'_> {
    /// Holds the `rows` staged ones against those of `stored`.
    async fn compare(
        &self,
        aside: &mut Aside,
        stored: Option<&DeltaTable>,
        rows: u64,
    ) -> Result<Compared> {
        let Some(stored) = stored else {
            return Ok(Compared {
                inserted: rows,
                updated: 0,
                removed: 0,
            });
        };
        self.compute
            .register(ASIDE, TARGET, provider(stored, &self.compute).await?)?;
        let columns = async |name: &str| -> Result<Vec<(String, String)>> {
            let sql = format!("SELECT * FROM {ASIDE}.{name}");
            let frame = self.compute.query(&sql).await?;
            let schema = kept_schema(frame.schema().as_arrow())?;
            let fields = schema.fields().iter();
            let fields = fields.map(|f| (f.name().clone(), f.data_type().to_string()));
            Ok(fields.collect())
        };
        let (new, old) = (columns("staged").await?, columns(TARGET).await?);
        let has = |name: &String| old.iter().any(|(known, _)| known == name);
        let list: Vec<String> = new.iter().map(|(name, _)| quote(name)).collect();
        let list = list.join(", ");
        // a table with other columns is written anew, whatever its rows are
        let except = match new == old {
            true => format!(" EXCEPT ALL SELECT {list} FROM {ASIDE}.{TARGET}"),
            false => String::new(),
        };
        let sql = format!("SELECT {list} FROM {ASIDE}.staged{except}");
        let changed = self.compute.query(&sql).await?;
        let changed = aside.keep(&self.compute, "changed", changed).await?;
        let sql = format!("SELECT count(*) FROM {ASIDE}.{TARGET}");
        let before = self.number(&sql).await?;
        let identity = self.latest.identity();
        let updated = match identity.iter().all(has) {
            true => {
                let on = same_key(identity, "c", "t");
                let sql = format!(
                    "SELECT count(*) FROM {ASIDE}.changed c JOIN {ASIDE}.{TARGET} t ON {on}"
                );
                self.number(&sql).await?
            }
            false => 0,
        };
        let inserted = changed.saturating_sub(updated);
        Ok(Compared {
            inserted,
            updated,
            // each row that is not new stands in the place of one that was there
            removed: before.saturating_sub(rows.saturating_sub(inserted)),
        })
    }

    async fn number(&self, sql: &str) -> Result<u64> {
        let found = numbers(&self.compute, sql).await?;
        Ok(found.first().copied().unwrap_or(0))
    }
}

/// The rows that stay, of a table with `columns`.
fn sql_of(latest: Latest<'_>, columns: &SchemaRef) -> String {
    let names: Vec<&str> = columns.fields().iter().map(|f| f.name().as_str()).collect();
    // where a delivery says nothing of its place, the values decide, so that the result is the same every time
    let place = ORDER.into_iter().filter(|name| names.contains(name));
    let others = names.iter().copied().filter(|name| !ORDER.contains(name));
    let order: Vec<String> = match ORDER.iter().all(|name| names.contains(name)) {
        true => place.map(descending).collect(),
        false => place.chain(others).map(descending).collect(),
    };
    let list: Vec<String> = names.iter().map(|name| quote(name)).collect();
    let list = list.join(", ");
    let first = |rows: &str, by: &[String], or: String| {
        let by: Vec<String> = by.iter().map(|name| quote(name)).collect();
        format!(
            "SELECT {list} FROM (SELECT *, row_number() OVER (PARTITION BY {} ORDER BY {}) AS _nth FROM {rows}) WHERE _nth = 1{or}",
            by.join(", "),
            order.join(", "),
        )
    };
    let mut rows = quoted(latest.from);
    if !latest.key.is_empty() {
        let nulls = latest.key.iter();
        let nulls: String = nulls
            .map(|name| format!(" OR {} IS NULL", quote(name)))
            .collect();
        rows = format!("({})", first(&rows, latest.key, nulls));
    }
    if !latest.dedup.is_empty() {
        rows = format!("({})", first(&rows, latest.dedup, String::new()));
    }
    format!("SELECT {list} FROM {rows}")
}

fn descending(name: &str) -> String {
    format!("{} DESC NULLS LAST", quote(name))
}

/// That the columns which are named are there.
fn check(latest: Latest<'_>, columns: &SchemaRef) -> Result<()> {
    let names = || columns.fields().iter().map(|field| field.name().as_str());
    let named = latest.key.iter().chain(latest.dedup);
    for name in named {
        if !names().any(|known| known == name) {
            let error = Error::new(format!("table `{}` has no column `{name}`", latest.from));
            return Err(match nearest(name, names()) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error,
            });
        }
    }
    Ok(())
}
