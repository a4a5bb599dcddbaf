//! One batch of staged records, written to all its tables in one transaction.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;

use super::audit::{self, Chain, Change, Stamp};
use super::cells::{column, record_id};
use super::merge::{Fate, Merge, TableRows, Winner, merge, winners};
use super::{Records, lookup, set_aside};
use crate::base::{AuditAnchor, Cell, Counts, Digest, Error, Result, RunId, TableColumn, TaskId};
use crate::db::{Conn, Rows, quote};
use crate::on_conn;

/// The reason of a record whose row points to a row that does not exist.
pub const MISSING_PARENT: &str = "missing_parent";

/// Who writes.
#[derive(Debug, Clone)]
pub struct Writer {
    /// The run.
    pub run_id: RunId,
    /// The task.
    pub task_id: TaskId,
    /// The try.
    pub try_number: u32,
    /// The staging table read.
    pub source_table: String,
    /// Names the rules applied: see [`Records::note_rules`].
    pub rules: Digest,
}

/// Staged records and the rows made of them.
pub struct Batch<'a> {
    /// `_row_id` of each record, ascending.
    pub row_ids: &'a [i64],
    /// For each record the reasons for which it cannot go on.
    pub reasons: Vec<Vec<&'a str>>,
    /// Rows for each table, parents before children.
    pub tables: Vec<TableRows<'a>>,
    /// Place in `tables` of the main one, by which records are counted.
    pub main: usize,
}

/// What a batch did.
#[derive(Debug, Clone, Default)]
pub struct Written {
    /// What became of the records in the main table.
    pub counts: Counts,
    /// What became of the rows in each table.
    pub tables: BTreeMap<String, Counts>,
}

impl Records {
    /// Writes `batch`: tables, row audit, quarantine, and the records' `_processed`, all or nothing.
    ///
    /// # Errors
    /// A transient one when another task has taken one of the records meanwhile; the database's otherwise. Nothing is kept then.
    pub async fn write_batch(
        &self,
        writer: &Writer,
        mut batch: Batch<'_>,
        at: DateTime<Utc>,
    ) -> Result<Written> {
        let mut tx = self.begin().await?;
        let head = Head::read(tx.conn()?).await?;
        let number = head.batch + 1;
        let batch_id = format!("{}/{}/{number}", writer.run_id, writer.task_id);
        reject_orphans(tx.conn()?, &mut batch).await?;
        let live: Vec<bool> = batch.reasons.iter().map(Vec::is_empty).collect();
        let mut written = Written::default();
        written.counts.read = batch.row_ids.len() as u64;
        written.counts.quarantined = live.iter().filter(|live| !**live).count() as u64;
        let mut changes = Vec::new();
        for (place, rows) in batch.tables.iter().enumerate() {
            let own = format!("{}/{}/", writer.run_id, writer.task_id);
            let result = write_table(tx.conn()?, rows, &live, &batch, &batch_id, at).await?;
            if place == batch.main {
                result.count_records(&own, &mut written.counts);
            }
            *written.tables.entry(rows.table.name.clone()).or_default() += result.count_rows();
            changes.extend(result.merge.changes);
        }
        let changed_by = format!("{}/{}", writer.run_id, writer.task_id);
        let stamp = Stamp {
            batch: number,
            batch_id: &batch_id,
            changed_by: &changed_by,
            at,
        };
        audit::insert(tx.conn()?, &changes, head.last_audit, &stamp).await?;
        set_aside::write(tx.conn()?, writer, &batch, at).await?;
        mark_processed(tx.conn()?, writer, batch.row_ids, &batch_id).await?;
        head.next(&changes, &stamp)
            .note(tx.conn()?, writer, &stamp, &written)
            .await?;
        tx.commit().await?;
        Ok(written)
    }

    /// Where the row audit stands: the last batch and the digest after it; `None` before the first.
    ///
    /// # Errors
    /// The database's.
    pub async fn audit_head(&self) -> Result<Option<AuditAnchor>> {
        let mut read = self.read().await?;
        let head = Head::read(read.conn()?).await?;
        Ok((head.batch > 0).then_some(AuditAnchor {
            batch: head.batch as u64,
            digest: head.digest,
        }))
    }
}

/// The end of the chain of batches.
pub(super) struct Head {
    pub batch: i64,
    pub last_audit: i64,
    pub digest: Digest,
}

impl Head {
    async fn read(conn: Conn<'_>) -> Result<Self> {
        const SQL: &str =
            "SELECT batch, last_audit, digest FROM _batches ORDER BY batch DESC LIMIT 1";
        let row: Option<(i64, i64, String)> =
            on_conn!(conn, c => sqlx::query_as(SQL).fetch_optional(&mut *c).await)?;
        let (batch, last_audit, digest) = row.unwrap_or_default();
        Ok(Self {
            batch,
            last_audit,
            digest: Digest::parse(&digest).unwrap_or_default(),
        })
    }

    fn next(&self, changes: &[Change], stamp: &Stamp<'_>) -> Self {
        let mut chain = Chain::new(&self.digest, stamp.batch, stamp.batch_id);
        for (id, change) in (self.last_audit + 1..).zip(changes) {
            chain.change(id, change, stamp.changed_by, stamp.at);
        }
        Self {
            batch: stamp.batch,
            last_audit: self.last_audit + changes.len() as i64,
            digest: chain.digest(),
        }
    }

    async fn note(
        &self,
        conn: Conn<'_>,
        writer: &Writer,
        stamp: &Stamp<'_>,
        written: &Written,
    ) -> Result<()> {
        const SQL: &str = "INSERT INTO _batches
            (batch, batch_id, run_id, task_id, try_number, source_table, rules, at, counts, tables, last_audit, digest)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
        let counts = serde_json::to_string(&written.counts).unwrap_or_default();
        let tables = serde_json::to_string(&written.tables).unwrap_or_default();
        on_conn!(conn, c => sqlx::query(SQL)
            .bind(self.batch)
            .bind(stamp.batch_id)
            .bind(writer.run_id.as_str())
            .bind(writer.task_id.as_str())
            .bind(i64::from(writer.try_number))
            .bind(&writer.source_table)
            .bind(writer.rules.to_string())
            .bind(stamp.at)
            .bind(counts)
            .bind(tables)
            .bind(self.last_audit)
            .bind(self.digest.to_string())
            .execute(&mut *c).await.map(drop))?;
        Ok(())
    }
}

/// Gives a reason to each record with a row whose parent is neither in the database nor made by a record of the batch that can go on.
async fn reject_orphans(mut conn: Conn<'_>, batch: &mut Batch<'_>) -> Result<()> {
    if batch.tables.iter().all(|rows| rows.parents.is_empty()) {
        return Ok(());
    }
    let mut links = Vec::new();
    for rows in &batch.tables {
        for number in &rows.parents {
            links.push(Link::new(conn.again(), rows, *number, &batch.tables).await?);
        }
    }
    loop {
        let live: Vec<bool> = batch.reasons.iter().map(Vec::is_empty).collect();
        let mut orphans: Vec<usize> = links.iter().flat_map(|link| link.orphans(&live)).collect();
        orphans.sort_unstable();
        orphans.dedup();
        if orphans.is_empty() {
            return Ok(());
        }
        // a record that leaves takes its rows with it, which may be parents of others
        for record in orphans {
            batch.reasons[record].push(MISSING_PARENT);
        }
    }
}

/// A foreign key, with what is needed to tell whether its parents are there.
struct Link {
    /// Record and parent's key of each row that has a parent.
    children: Vec<(usize, String)>,
    /// Keys of parents in the database.
    present: HashSet<String>,
    /// Keys of parents made in the batch, and the records that make them.
    made: HashMap<String, Vec<usize>>,
}

impl Link {
    async fn new(
        conn: Conn<'_>,
        rows: &TableRows<'_>,
        number: usize,
        all: &[TableRows<'_>],
    ) -> Result<Self> {
        let foreign = &rows.table.foreign_keys[number];
        let places: Vec<usize> = foreign
            .columns
            .iter()
            .filter_map(|name| rows.columns.iter().position(|c| c.name == *name))
            .collect();
        let mut keys: BTreeMap<String, Vec<Cell>> = BTreeMap::new();
        let mut children = Vec::new();
        for (row, record) in rows.records.iter().enumerate() {
            let key: Vec<Cell> = places
                .iter()
                .map(|place| rows.row(row)[*place].clone())
                .collect();
            if !key.iter().any(Cell::is_null) {
                let id = record_id(&key);
                children.push((*record, id.clone()));
                keys.insert(id, key);
            }
        }
        let key_columns: Vec<TableColumn> = foreign
            .parent_columns
            .iter()
            .zip(&places)
            .map(|(name, place)| TableColumn {
                name: name.clone(),
                ..rows.columns[*place].clone()
            })
            .collect();
        let key_columns: Vec<&TableColumn> = key_columns.iter().collect();
        let present = lookup::present(
            conn,
            &foreign.table,
            &key_columns,
            keys.values().map(Vec::as_slice),
        )
        .await?;
        let mut made: HashMap<String, Vec<usize>> = HashMap::new();
        for parent in all
            .iter()
            .filter(|parent| parent.table.name == foreign.table)
        {
            let places: Vec<usize> = foreign
                .parent_columns
                .iter()
                .filter_map(|name| parent.columns.iter().position(|c| c.name == *name))
                .collect();
            for (row, record) in parent.records.iter().enumerate() {
                let key: Vec<Cell> = places
                    .iter()
                    .map(|place| parent.row(row)[*place].clone())
                    .collect();
                made.entry(record_id(&key)).or_default().push(*record);
            }
        }
        Ok(Self {
            children,
            present: present.into_iter().collect(),
            made,
        })
    }

    fn orphans(&self, live: &[bool]) -> Vec<usize> {
        let has_parent = |id: &String| {
            self.present.contains(id)
                || self
                    .made
                    .get(id)
                    .is_some_and(|records| records.iter().any(|r| live[*r]))
        };
        self.children
            .iter()
            .filter(|(record, id)| live[*record] && !has_parent(id))
            .map(|(record, _)| *record)
            .collect()
    }
}

/// What became of the rows of one table.
struct TableResult {
    merge: Merge,
    /// For each winner whose values were there already, the batch that wrote them.
    kept_by: Vec<Option<String>>,
    losers: u64,
}

impl TableResult {
    fn count_rows(&self) -> Counts {
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
    fn count_records(&self, own: &str, counts: &mut Counts) {
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

async fn write_table(
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

async fn mark_processed(
    conn: Conn<'_>,
    writer: &Writer,
    row_ids: &[i64],
    batch_id: &str,
) -> Result<()> {
    let ids =
        serde_json::to_string(row_ids).map_err(|error| Error::new("row ids").because(error))?;
    let list = match conn.is_postgres() {
        true => "SELECT value::bigint FROM json_array_elements_text($2::json) AS k(value)",
        false => "SELECT value FROM json_each($2)",
    };
    let sql = format!(
        "UPDATE {} SET _processed = TRUE, _batch_id = $1 WHERE _row_id IN ({list}) AND NOT _processed",
        quote(&writer.source_table)
    );
    let marked = on_conn!(conn, c => {
        sqlx::query(AssertSqlSafe(sql)).bind(batch_id).bind(ids).execute(&mut *c).await.map(|done| done.rows_affected())
    })?;
    match marked == row_ids.len() as u64 {
        true => Ok(()),
        false => Err(Error::new(format!(
            "rows of `{}` were processed by another task meanwhile",
            writer.source_table
        ))
        .hint("a retry takes the rows that are left")
        .transient()),
    }
}
