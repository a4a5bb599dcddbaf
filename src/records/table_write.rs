//! The rows of a batch, written to one table.

use chrono::{DateTime, Utc};

use super::batch::Batch;
use super::cells::column;
use super::lookup;
use super::merge::{Fate, Merge, TableRows, Winner, merge, winners};
use crate::base::{Counts, Result, TableColumn};
use crate::db::{Conn, Rows, quote};

/// What became of the rows of one table.
pub(super) struct TableResult {
    /// What was decided.
    pub merge: Merge,
    /// For each winner whose values were there already, the batch that wrote them.
    kept_by: Vec<Option<String>>,
    losers: u64,
}

impl TableResult {
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

    /// A record whose row this very task has written in an earlier batch repeats it, wherever batches are cut.
    pub fn count_records(&self, own: &str, counts: &mut Counts) {
        counts.duplicate += self.losers;
        for (fate, kept_by) in self.merge.fates.iter().zip(&self.kept_by) {
            match (fate, kept_by) {
                (Fate::Inserted, _) => counts.inserted += 1,
                (Fate::Updated, _) => counts.updated += 1,
                (_, Some(by)) if by.starts_with(own) => counts.duplicate += 1,
                _ => counts.unchanged += 1,
            }
        }
    }
}

/// Holds the rows of records that can go on against the table, and writes what differs.
pub(super) async fn write_table(
    mut conn: Conn<'_>,
    rows: &TableRows<'_>,
    live: &[bool],
    batch: &Batch<'_>,
    batch_id: &str,
    at: DateTime<Utc>,
) -> Result<TableResult> {
    let (winners, losers) = winners(rows, live);
    let key: Vec<&TableColumn> = rows.columns[..rows.keys].iter().collect();
    let others: Vec<&TableColumn> = rows.columns[rows.keys..].iter().collect();
    let keys = winners.iter().map(|winner| rows.key(winner.row));
    let existing = lookup::existing(conn.again(), rows.table, &key, &others, keys).await?;
    let merge = merge(rows, &winners, &existing);
    upsert(conn.again(), rows, &merge.written, batch, batch_id, at).await?;
    advance_versions(conn, rows, &merge.newer).await?;
    let kept_by = |winner: &Winner| existing.get(&winner.id).map(|old| old.batch_id.clone());
    Ok(TableResult {
        kept_by: winners.iter().map(kept_by).collect(),
        losers: losers.len() as u64,
        merge,
    })
}

async fn upsert(
    conn: Conn<'_>,
    rows: &TableRows<'_>,
    written: &[usize],
    batch: &Batch<'_>,
    batch_id: &str,
    at: DateTime<Utc>,
) -> Result<()> {
    if written.is_empty() {
        return Ok(());
    }
    let mut values = Rows::new();
    for (place, c) in rows.columns.iter().enumerate() {
        let cells = written.iter().map(|row| &rows.row(*row)[place]);
        values = column(values, &c.name, c.cell_type, cells);
    }
    let row_id = |row: &usize| batch.row_ids[rows.records[*row]];
    values = values
        .int("_row_id", written.iter().map(row_id))
        .constant_text("_batch_id", batch_id);
    let mut names: Vec<&str> = rows.columns.iter().map(|c| c.name.as_str()).collect();
    names.extend(["_row_id", "_batch_id"]);
    if let Some(versions) = rows.versions {
        values = values.text(
            "_version",
            written.iter().map(|row| versions[*row].as_str()),
        );
        names.push("_version");
    }
    for name in ["created_at", "updated_at"] {
        if rows.table.has(name) && !names.contains(&name) {
            values = values.constant_time(name, at);
            names.push(name);
        }
    }
    values
        .execute(conn, &upsert_sql(rows, &names))
        .await
        .map(drop)
}

fn upsert_sql(rows: &TableRows<'_>, names: &[&str]) -> String {
    let list: Vec<String> = names.iter().map(|name| quote(name)).collect();
    let key: Vec<String> = list[..rows.keys].to_vec();
    let set: Vec<String> = names
        .iter()
        .zip(&list)
        .skip(rows.keys)
        .filter(|(name, _)| **name != "created_at")
        .map(|(_, quoted)| format!("{quoted} = excluded.{quoted}"))
        .collect();
    format!(
        "INSERT INTO {} ({}) SELECT {} FROM ({{rows}}) AS v WHERE true ON CONFLICT ({}) DO UPDATE SET {}",
        quote(&rows.table.name),
        list.join(", "),
        list.join(", "),
        key.join(", "),
        set.join(", ")
    )
}

async fn advance_versions(conn: Conn<'_>, rows: &TableRows<'_>, newer: &[usize]) -> Result<()> {
    let Some(versions) = rows.versions.filter(|_| !newer.is_empty()) else {
        return Ok(());
    };
    let mut values = Rows::new();
    let mut equal = Vec::new();
    let table = quote(&rows.table.name);
    for (place, c) in rows.columns[..rows.keys].iter().enumerate() {
        let cells = newer.iter().map(|row| &rows.row(*row)[place]);
        values = column(values, &c.name, c.cell_type, cells);
        let name = quote(&c.name);
        equal.push(format!("{table}.{name} = v.{name}"));
    }
    values = values.text("_version", newer.iter().map(|row| versions[*row].as_str()));
    let sql = format!(
        "UPDATE {table} SET _version = v._version FROM ({{rows}}) AS v WHERE {}",
        equal.join(" AND ")
    );
    values.execute(conn, &sql).await.map(drop)
}
