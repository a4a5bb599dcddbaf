//! One state of a records database, read chunk by chunk for as long as it takes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::{AssertSqlSafe, Row};
use tokio::sync::OnceCell;

use super::bookkeeping::{AUDIT_COLUMNS, AUDIT_FROM};
use super::kinds::kinds;
use super::own_tables::{AUDIT_LOG, QUARANTINE, own_tables};
use super::scan::{Chunk, Scan, ScanColumn, take_postgres, take_sqlite};
use super::{Records, staging_table};
use crate::base::{CellType, Result, Schema};
use crate::db::{Conn, ReadApart, quote};

/// Rows of a chunk; what holds the memory of a scan down.
const CHUNK: usize = 8192;

/// A records database as it was when the snapshot was taken.
///
/// All its scans share one connection, and each holds it for one chunk only: any number of them can go on side by side.
#[derive(Debug)]
pub struct Snapshot {
    conn: tokio::sync::Mutex<ReadApart>,
    schema: Arc<Schema>,
    cursors: AtomicU64,
    broken: AtomicBool,
}

/// A scan under way.
#[derive(Debug)]
pub struct Scanning {
    snapshot: Arc<Snapshot>,
    scan: Scan,
    reached: Reached,
}

/// How far a scan is.
#[derive(Debug)]
enum Reached {
    Start,
    /// SQLite: after the row with this number.
    After(i64),
    /// PostgreSQL: in the cursor of this name.
    Cursor(String),
    End,
}

/// The snapshots that the tasks of one run share, by name.
#[derive(Debug, Default)]
pub struct Snapshots(Mutex<HashMap<String, Shared>>);

type Shared = Arc<OnceCell<Arc<Snapshot>>>;

impl Snapshots {
    /// The snapshot called `name`, taken when it is first asked for.
    ///
    /// # Errors
    /// As [`Records::snapshot`].
    pub async fn of(&self, name: &str, records: &Records) -> Result<Arc<Snapshot>> {
        let cell = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let cell = all.entry(name.to_owned()).or_default();
            // a transaction in which a statement failed reads nothing more
            if cell
                .get()
                .is_some_and(|snapshot| snapshot.broken.load(Ordering::Relaxed))
            {
                *cell = Shared::default();
            }
            Arc::clone(cell)
        };
        let snapshot = cell
            .get_or_try_init(async || records.snapshot().await.map(Arc::new))
            .await?;
        Ok(Arc::clone(snapshot))
    }
}

impl Records {
    /// The tables as they are now, for reading that takes its time.
    ///
    /// # Errors
    /// The database's.
    pub async fn snapshot(&self) -> Result<Snapshot> {
        let schema = self.declared().await?;
        self.make_readable().await?;
        Ok(Snapshot {
            conn: tokio::sync::Mutex::new(self.database().read_apart().await?),
            schema,
            cursors: AtomicU64::new(0),
            broken: AtomicBool::new(false),
        })
    }
}

impl Snapshot {
    /// The columns of `table` with their types: a declared table, a staging table, `audit_log` or `quarantine`; `None` when there is none.
    ///
    /// # Errors
    /// The database's.
    pub async fn columns(&self, table: &str) -> Result<Option<Vec<(String, CellType)>>> {
        if let Some(own) = own_tables().find(|own| own.name == table) {
            let columns = own.columns.into_iter();
            return Ok(Some(columns.map(|own| (own.name, own.cell_type)).collect()));
        }
        let declared = self.schema.table(table).is_ok();
        if !declared && staging_table::check_staging_name(table).is_err() {
            return Ok(None);
        }
        let mut conn = self.conn.lock().await;
        let found = kinds(conn.conn()?, &self.schema, table).await?;
        let is_staging =
            |columns: &[(String, CellType)]| columns.iter().any(|(name, _)| name == "_processed");
        Ok(found
            .map(|kinds| kinds.columns)
            .filter(|columns| declared || is_staging(columns)))
    }

    /// Starts a scan.
    pub fn scan(self: &Arc<Self>, scan: Scan) -> Scanning {
        Scanning {
            snapshot: Arc::clone(self),
            scan,
            reached: Reached::Start,
        }
    }
}

impl Scanning {
    /// The next rows; `None` after the last.
    ///
    /// # Errors
    /// The database's.
    pub async fn next(&mut self) -> Result<Option<Chunk>> {
        let chunk = self.read().await;
        if chunk.is_err() {
            self.snapshot.broken.store(true, Ordering::Relaxed);
        }
        chunk
    }

    async fn read(&mut self) -> Result<Option<Chunk>> {
        let snapshot = Arc::clone(&self.snapshot);
        let mut conn = snapshot.conn.lock().await;
        let chunk = match (conn.conn()?, &self.reached) {
            (_, Reached::End) => return Ok(None),
            (Conn::Sqlite(c), reached) => {
                let after = match reached {
                    Reached::After(row) => *row,
                    _ => i64::MIN,
                };
                let sql = AssertSqlSafe(self.sqlite());
                let rows = sqlx::query(sql).bind(after).fetch_all(c).await?;
                if let Some(last) = rows.last() {
                    self.reached = Reached::After(last.try_get_unchecked(0)?);
                }
                let mut chunk = self.empty(rows.len());
                for row in &rows {
                    for (index, column) in chunk.columns.iter_mut().enumerate() {
                        take_sqlite(column, row, index + 1)?;
                    }
                }
                chunk
            }
            (Conn::Postgres(c), reached) => {
                let cursor = match reached {
                    Reached::Cursor(cursor) => cursor.clone(),
                    _ => {
                        let number = snapshot.cursors.fetch_add(1, Ordering::Relaxed);
                        let cursor = format!("galen_scan_{number}");
                        let sql =
                            format!("DECLARE {cursor} NO SCROLL CURSOR FOR {}", self.postgres());
                        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *c).await?;
                        self.reached = Reached::Cursor(cursor.clone());
                        cursor
                    }
                };
                let sql = format!("FETCH {CHUNK} FROM {cursor}");
                let rows = sqlx::query(AssertSqlSafe(sql))
                    .persistent(false)
                    .fetch_all(&mut *c)
                    .await?;
                let mut chunk = self.empty(rows.len());
                for row in &rows {
                    for (index, column) in chunk.columns.iter_mut().enumerate() {
                        take_postgres(column, row, index)?;
                    }
                }
                if rows.len() < CHUNK {
                    let sql = format!("CLOSE {cursor}");
                    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *c).await?;
                }
                chunk
            }
        };
        if chunk.rows < CHUNK {
            self.reached = Reached::End;
        }
        // what was read is only as good as the file was then
        conn.conn()?;
        Ok((chunk.rows > 0).then_some(chunk))
    }

    fn empty(&self, rows: usize) -> Chunk {
        let columns = self.scan.columns.iter();
        Chunk {
            rows,
            columns: columns
                .map(|(_, cell_type)| ScanColumn::new(*cell_type, rows))
                .collect(),
        }
    }

    fn names(&self) -> Vec<String> {
        self.scan
            .columns
            .iter()
            .map(|(name, _)| quote(name))
            .collect()
    }

    fn conditions(&self, postgres: bool) -> impl Iterator<Item = String> {
        self.scan
            .conditions
            .iter()
            .filter_map(move |condition| condition.sql(postgres))
    }

    /// The rows after one, in the order of their numbers.
    fn sqlite(&self) -> String {
        let table = self.scan.table.as_str();
        let is_declared = self.snapshot.schema.table(table).is_ok();
        let (number, from, order) = match table {
            // the row of `_changes` that a change is in leads to those after it, without a look at those before
            AUDIT_LOG => (
                "id",
                format!(
                    "(SELECT c.id AS _change, {AUDIT_COLUMNS} FROM {AUDIT_FROM}
                      WHERE c.id >= coalesce((SELECT max(id) FROM _changes WHERE id <= $1), $1))"
                ),
                "_change, id",
            ),
            QUARANTINE => ("id", quote(table), "id"),
            _ if is_declared => ("_rowid_", quote(table), "_rowid_"),
            _ => ("_row_id", quote(table), "_row_id"),
        };
        let mut list = vec![number.to_owned()];
        list.extend(self.names());
        let mut conditions = vec![format!("{number} > $1")];
        conditions.extend(self.conditions(false));
        format!(
            "SELECT {} FROM {from} WHERE {} ORDER BY {order} LIMIT {CHUNK}",
            list.join(", "),
            conditions.join(" AND ")
        )
    }

    /// All rows, for a cursor.
    fn postgres(&self) -> String {
        let list = match self.scan.columns.is_empty() {
            true => "1".to_owned(),
            false => self.names().join(", "),
        };
        let conditions: Vec<String> = self.conditions(true).collect();
        let filter = match conditions.is_empty() {
            true => String::new(),
            false => format!(" WHERE {}", conditions.join(" AND ")),
        };
        format!("SELECT {list} FROM {}{filter}", quote(&self.scan.table))
    }
}
