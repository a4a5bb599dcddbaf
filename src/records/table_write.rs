//! The rows of a batch, written to their tables.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::batch::Batch;
use super::cells::{column, keys_json};
use super::lookup::{self, Existing};
use super::merge::{Fate, Merge, TableRows, Winner, merge, winners};
use crate::base::{Counts, Result, TableColumn};
use crate::db::{Conn, Insertion, Rows, quote};

/// What became of the rows of one table.
pub(super) struct TableResult<'a> {
    /// What was decided.
    pub merge: Merge<'a>,
    /// For each winner whose key was there already, the batch that wrote it.
    written_by: Vec<Option<i64>>,
    losers: u64,
}

impl TableResult<'_> {
    /// The rows by what became of them.
    pub fn count_rows(&self) -> Counts {
        let count = |fate: Fate| self.merge.fates.iter().filter(|f| **f == fate).count() as u64;
        Counts {
            read: self.merge.fates.len() as u64 + self.losers,
            inserted: count(Fate::Inserted),
            updated: count(Fate::Updated),
            unchanged: count(Fate::Kept),
            duplicate: self.losers,
            quarantined: 0,
        }
    }

    /// The batches that wrote the rows that stay as they are.
    pub fn kept_by(&self) -> BTreeSet<i64> {
        let fates = self.merge.fates.iter().zip(&self.written_by);
        let kept = fates.filter(|(fate, _)| **fate == Fate::Kept);
        kept.filter_map(|(_, batch)| *batch).collect()
    }

    /// A record whose row this very task has written in one of its batches `own` repeats it, wherever batches are cut.
    pub fn count_records(&self, own: &BTreeSet<i64>, counts: &mut Counts) {
        counts.duplicate += self.losers;
        for (fate, written_by) in self.merge.fates.iter().zip(&self.written_by) {
            match (fate, written_by) {
                (Fate::Inserted, _) => counts.inserted += 1,
                (Fate::Updated, _) => counts.updated += 1,
                (Fate::Kept, Some(by)) if own.contains(by) => counts.duplicate += 1,
                (Fate::Kept, _) => counts.unchanged += 1,
            }
        }
    }
}

/// A batch on its way into its tables.
pub(super) struct Writing<'w, 'r> {
    pub batch: &'w Batch<'r>,
    /// For each record whether it can go on.
    pub live: &'w [bool],
    pub number: i64,
    pub at: DateTime<Utc>,
}

/// The rows of a batch for one table, one for each key.
struct Sought<'w, 'r> {
    rows: &'w TableRows<'r>,
    winners: Vec<Winner>,
    losers: usize,
    /// Their keys, as they are looked up.
    keys: String,
}

/// What a table has of those keys.
struct Found<'w, 'r> {
    sought: Sought<'w, 'r>,
    existing: HashMap<Arc<str>, Existing>,
}

/// What is to be written to a table.
struct Decided<'w, 'r> {
    rows: &'w TableRows<'r>,
    result: TableResult<'r>,
    new: Insertion<'w>,
    changed: Rows<'w>,
}

impl<'w, 'r> Writing<'w, 'r> {
    /// Holds the rows of records that can go on against their tables, and writes what differs; one result for each table.
    ///
    /// What is to be written to one table, and what is to be looked up for the next, is made out while the database still writes the one
    /// before.
    pub async fn write(&self, mut conn: Conn<'_>) -> Result<Vec<TableResult<'r>>> {
        let postgres = conn.is_postgres();
        let mut tables = self.batch.tables.iter();
        let mut seek = || tables.next().map(|rows| self.seek(rows));
        let mut results = Vec::with_capacity(self.batch.tables.len());
        let mut sought = seek();
        let mut ready = None;
        loop {
            let this = match (ready.take(), sought.take()) {
                (Some(ready), next) => {
                    sought = next;
                    ready
                }
                (None, Some(first)) => {
                    let found = find(conn.again(), first).await?;
                    sought = seek();
                    self.decide(found, postgres)?
                }
                (None, None) => return Ok(results),
            };
            // one table twice: the second time it must be read after it was written
            let is_free = |next: &mut Sought<'_, '_>| next.rows.table.name != this.rows.table.name;
            let found = match sought.take_if(is_free) {
                Some(next) => Some(find(conn.again(), next).await?),
                None => None,
            };
            let (result, following) = futures::join!(store(conn.again(), this), async {
                if sought.is_none() {
                    sought = seek();
                }
                let decide = |found| self.decide(found, postgres);
                found.map(decide).transpose()
            });
            results.push(result?);
            ready = following?;
        }
    }

    fn seek(&self, rows: &'w TableRows<'r>) -> Sought<'w, 'r> {
        let (winners, losers) = winners(rows, self.live);
        Sought {
            keys: keys_json(winners.iter().map(|winner| rows.key(winner.row))),
            rows,
            winners,
            losers: losers.len(),
        }
    }

    fn decide(&self, found: Found<'w, 'r>, postgres: bool) -> Result<Decided<'w, 'r>> {
        let rows = found.sought.rows;
        let merge = merge(rows, &found.sought.winners, &found.existing);
        let written_by = |winner: &Winner| found.existing.get(&winner.id)?.batch;
        let new = self.values(rows, &merge.inserted);
        Ok(Decided {
            rows,
            new: new.insertion(&rows.table.name, postgres)?,
            changed: self.values(rows, &merge.updated),
            result: TableResult {
                written_by: found.sought.winners.iter().map(written_by).collect(),
                losers: found.sought.losers as u64,
                merge,
            },
        })
    }

    /// The rows `chosen`, with the columns that Galen keeps.
    fn values(&self, rows: &'w TableRows<'r>, chosen: &[usize]) -> Rows<'w> {
        let mut values = Rows::new();
        for (place, c) in rows.columns.iter().enumerate() {
            let cells = chosen.iter().map(|row| &rows.row(*row)[place]);
            values = column(values, &c.name, c.cell_type, cells);
        }
        let row_id = |row: &usize| self.batch.delivered[rows.records[*row]].row_id;
        values = values.int("_row_id", chosen.iter().map(row_id));
        values = values.text("_version", chosen.iter().map(|row| rows.version(*row)));
        values = values.constant_int("_batch_id", self.number);
        for name in times(rows) {
            values = values.constant_time(name, self.at);
        }
        values.folded()
    }
}

async fn find<'w, 'r>(conn: Conn<'_>, sought: Sought<'w, 'r>) -> Result<Found<'w, 'r>> {
    let rows = sought.rows;
    let key: Vec<&TableColumn> = rows.columns[..rows.keys].iter().collect();
    let others: Vec<&TableColumn> = rows.columns[rows.keys..].iter().collect();
    let existing = lookup::existing(conn, rows.table, &key, &others, &sought.keys).await?;
    Ok(Found { sought, existing })
}

async fn store<'r>(mut conn: Conn<'_>, decided: Decided<'_, 'r>) -> Result<TableResult<'r>> {
    let Decided {
        rows,
        result,
        new,
        changed,
    } = decided;
    new.run(conn.again()).await?;
    if !changed.is_empty() {
        changed.execute(conn.again(), &upsert_sql(rows)).await?;
    }
    advance_versions(conn, rows, &result.merge.newer).await?;
    Ok(result)
}

/// The columns that hold when a row was written, where the table has them and no other value is given.
fn times(rows: &TableRows<'_>) -> Vec<&'static str> {
    let given = |name: &str| rows.columns.iter().any(|column| column.name == name);
    let wanted = |name: &&str| rows.table.has(name) && !given(name);
    ["created_at", "updated_at"]
        .into_iter()
        .filter(wanted)
        .collect()
}

fn upsert_sql(rows: &TableRows<'_>) -> String {
    let mut names: Vec<&str> = rows.columns.iter().map(|c| c.name.as_str()).collect();
    names.extend(["_row_id", "_version", "_batch_id"]);
    let times = times(rows);
    names.extend(&times);
    let list: Vec<String> = names.iter().map(|name| quote(name)).collect();
    let set: Vec<String> = names
        .iter()
        .zip(&list)
        .skip(rows.keys)
        .filter(|(name, _)| **name != "created_at" || !times.contains(name))
        .map(|(_, quoted)| format!("{quoted} = excluded.{quoted}"))
        .collect();
    format!(
        "INSERT INTO {} ({list}) SELECT {list} FROM ({{rows}}) AS v WHERE true ON CONFLICT ({}) DO UPDATE SET {}",
        quote(&rows.table.name),
        list[..rows.keys].join(", "),
        set.join(", "),
        list = list.join(", "),
    )
}

async fn advance_versions(conn: Conn<'_>, rows: &TableRows<'_>, newer: &[usize]) -> Result<()> {
    if newer.is_empty() {
        return Ok(());
    }
    let mut values = Rows::new();
    let mut equal = Vec::new();
    let table = quote(&rows.table.name);
    for (place, c) in rows.columns[..rows.keys].iter().enumerate() {
        let cells = newer.iter().map(|row| &rows.row(*row)[place]);
        values = column(values, &c.name, c.cell_type, cells);
        let name = quote(&c.name);
        equal.push(format!("{table}.{name} = v.{name}"));
    }
    values = values.text("_version", newer.iter().map(|row| rows.version(*row)));
    let sql = format!(
        "UPDATE {table} SET _version = v._version FROM ({{rows}}) AS v WHERE {}",
        equal.join(" AND ")
    );
    values.execute(conn, &sql).await.map(drop)
}
