//! What `process` reads: staged records that wait, and what earlier batches of a task did.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use sqlx::AssertSqlSafe;

use super::fitting::existing_columns;
use super::staging_table::{records_table, state_table};
use super::{Delivered, Records, Written};
use crate::base::{Counts, Digest, Error, Result, RunId, TaskId, nearest, sha256};
use crate::db::{Conn, copy_out, quote};
use crate::on_conn;

/// Rows read in one statement.
const PAGE: u64 = 500;
/// Arguments that a function takes in PostgreSQL, and SQLite takes as many.
const MAX_ARGUMENTS: usize = 100;

/// Columns of a staging table by the names a reader gave them.
#[derive(Debug, Clone)]
pub struct StagedColumns {
    table: String,
    /// The names in the table.
    names: Vec<String>,
}

/// Staged records, in `_row_id` order.
#[derive(Debug, Default)]
pub struct Staged {
    /// Where each was delivered.
    pub delivered: Vec<Delivered>,
    /// Column after column.
    pub text: Vec<Vec<Option<String>>>,
}

/// What earlier batches of a task did, in this run.
#[derive(Debug, Default)]
pub struct Progress {
    /// Sum over the batches, by the main table.
    pub counts: Counts,
    /// The same by table.
    pub tables: BTreeMap<String, Counts>,
}

impl Progress {
    /// Adds what one more batch did.
    pub fn add(&mut self, written: Written) {
        self.counts += written.counts;
        for (table, counts) in written.tables {
            *self.tables.entry(table).or_default() += counts;
        }
    }
}

impl StagedColumns {
    /// The name in the table of the column that is asked for as number `index`.
    pub fn name(&self, index: usize) -> &str {
        &self.names[index]
    }

    /// A query for all rows of the query `source` as one JSON text: `[[row id, chunk, [[cell, …], …]], …]`, cells in groups of as many as a function
    /// takes. Row by row and cell by cell costs several times as much on the way from either database.
    fn as_json(&self, source: &str, postgres: bool) -> String {
        let (array, all) = match postgres {
            true => ("json_build_array", "json_agg"),
            false => ("json_array", "json_group_array"),
        };
        let groups = self.names.chunks(MAX_ARGUMENTS).map(|names| {
            let names: Vec<String> = names
                .iter()
                .map(|name| format!("r.{}", quote(name)))
                .collect();
            format!("{array}({})", names.join(", "))
        });
        let groups: Vec<String> = groups.collect();
        format!(
            "SELECT CAST(COALESCE({all}({array}(r._row_id, r._chunk, {array}({}))), '[]') AS TEXT) FROM ({source}) AS r",
            groups.join(", ")
        )
    }

    /// A query for the records behind row `after` that wait, at most `limit`.
    fn waiting(&self, after: i64, limit: u64) -> String {
        format!(
            "SELECT s._row_id, s._chunk{} FROM (SELECT _row_id FROM {} WHERE NOT _processed AND _row_id > {after} ORDER BY _row_id LIMIT {limit}) AS w
             CROSS JOIN {} AS s WHERE s._row_id = w._row_id ORDER BY s._row_id",
            self.list(0..self.names.len()),
            quote(&state_table(&self.table)),
            quote(&records_table(&self.table))
        )
    }

    fn list(&self, indexes: impl Iterator<Item = usize>) -> String {
        indexes
            .map(|index| format!(", s.{}", quote(&self.names[index])))
            .collect()
    }
}

impl Staged {
    fn new(width: usize) -> Self {
        Self {
            delivered: Vec::new(),
            text: vec![Vec::new(); width],
        }
    }

    /// Adds a row: its `_row_id`, its chunk and its cells.
    fn push(&mut self, row: Vec<Option<String>>) -> Result<()> {
        let mut fields = row.into_iter();
        let mut number = || {
            let number = fields.next().flatten().and_then(|text| text.parse().ok());
            number.ok_or_else(|| Error::new("a staged record has no number"))
        };
        self.delivered.push(Delivered {
            row_id: number()?,
            chunk: number()?,
        });
        self.text
            .iter_mut()
            .zip(fields)
            .for_each(|(column, cell)| column.push(cell));
        Ok(())
    }

    /// Adds rows as [`StagedColumns::as_json`] gives them; how many there were.
    fn extend(&mut self, rows: &str) -> Result<usize> {
        type Row = (i64, i64, Vec<Vec<Option<String>>>);
        let rows: Vec<Row> = serde_json::from_str(rows)
            .map_err(|error| Error::new("staged records cannot be read").because(error))?;
        let number = rows.len();
        for (row_id, chunk, groups) in rows {
            self.delivered.push(Delivered { chunk, row_id });
            let cells = groups.into_iter().flatten();
            self.text
                .iter_mut()
                .zip(cells)
                .for_each(|(column, cell)| column.push(cell));
        }
        debug_assert!(self.delivered.is_sorted());
        Ok(number)
    }
}

impl Records {
    /// Finds the columns `wanted` of staging table `table`, whatever the case of their letters.
    ///
    /// # Errors
    /// When there is no such table, or it lacks a column; the hint names the nearest.
    pub async fn staged_columns(&self, table: &str, wanted: &[String]) -> Result<StagedColumns> {
        let mut read = self.read().await?;
        let existing = existing_columns(read.conn()?, table).await?;
        if !existing.iter().any(|name| name == "_processed") {
            return Err(
                Error::new(format!("staging table `{table}` does not exist")).hint(
                    "an `ingest` task before this one makes it; compare its `into` with `from`",
                ),
            );
        }
        let find = |name: &String| {
            let known = existing
                .iter()
                .find(|known| known.to_lowercase() == name.to_lowercase());
            known.cloned().ok_or_else(|| {
                let error =
                    Error::new(format!("column `{name}` is not in staging table `{table}`"));
                match nearest(name, existing.iter().map(String::as_str)) {
                    Some(known) => error.hint(format!("did you mean `{known}`?")),
                    None => error.hint("its columns are those of the file"),
                }
            })
        };
        Ok(StagedColumns {
            table: table.to_owned(),
            names: wanted.iter().map(find).collect::<Result<_>>()?,
        })
    }

    /// The next records behind row `after` that wait, at most `limit`.
    ///
    /// # Errors
    /// The database's.
    pub async fn unprocessed(
        &self,
        columns: &StagedColumns,
        after: i64,
        limit: u64,
    ) -> Result<Staged> {
        let mut staged = Staged::new(columns.names.len());
        if self.database().is_postgres() {
            let sql = format!("COPY ({}) TO STDOUT", columns.waiting(after, limit));
            // dropped half-way, it closes its connection
            let mut tx = self.database().begin().await?;
            if let Conn::Postgres(c) = tx.conn()? {
                copy_out(c, &sql, |row| staged.push(row)).await?;
            }
            tx.commit().await?;
            return Ok(staged);
        }
        let mut read = self.read().await?;
        while (staged.delivered.len() as u64) < limit {
            let after = staged.delivered.last().map_or(after, |last| last.row_id);
            let page = PAGE.min(limit - staged.delivered.len() as u64);
            let sql = columns.as_json(&columns.waiting(after, page), false);
            // planned for the table as it is by now
            let rows: String = on_conn!(read.conn()?, c => {
                sqlx::query_scalar(AssertSqlSafe(sql)).persistent(false).fetch_one(&mut *c).await
            })?;
            if staged.extend(&rows)? < page as usize {
                break;
            }
        }
        Ok(staged)
    }

    /// Makes it cheap to look at groups of staged records: an index over the group's column and `sources`.
    ///
    /// # Errors
    /// The database's.
    pub async fn index_groups(
        &self,
        columns: &StagedColumns,
        within: usize,
        sources: &[usize],
    ) -> Result<()> {
        let names: Vec<String> = std::iter::once(&within)
            .chain(sources.iter().filter(|source| **source != within))
            .map(|index| quote(&columns.names[*index]))
            .collect();
        let names = names.join(", ");
        let digest = sha256(&names).to_string();
        let name = quote(&format!("{}_by_{}", columns.table, &digest[..8]));
        let sql = format!(
            "CREATE INDEX IF NOT EXISTS {name} ON {} ({names})",
            quote(&records_table(&columns.table))
        );
        let mut tx = self.begin().await?;
        tx.conn()?.run_script(&sql).await?;
        tx.commit().await
    }

    /// The groups among `groups` in which `sources` are not all alike.
    ///
    /// # Errors
    /// The database's.
    pub async fn split_groups(
        &self,
        columns: &StagedColumns,
        within: usize,
        sources: &[usize],
        groups: &[&str],
    ) -> Result<Vec<String>> {
        let mut read = self.read().await?;
        let group = format!("s.{}", quote(&columns.names[within]));
        let differ: Vec<String> = sources
            .iter()
            .map(|index| format!("MIN(s.{0}) <> MAX(s.{0})", quote(&columns.names[*index])))
            .collect();
        if differ.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT {group} FROM {} GROUP BY {group} HAVING {}",
            from_keys(
                read.conn()?.is_postgres(),
                &columns.table,
                &columns.names[within]
            ),
            differ.join(" OR ")
        );
        let groups = serde_json::Value::from(groups).to_string();
        Ok(
            on_conn!(read.conn()?, c => sqlx::query_scalar(AssertSqlSafe(sql)).persistent(false).bind(groups).fetch_all(&mut *c).await)?,
        )
    }

    /// All staged records of the groups `groups`, processed or not, in `_row_id` order.
    ///
    /// # Errors
    /// The database's.
    pub async fn group_rows(
        &self,
        columns: &StagedColumns,
        within: usize,
        groups: &[String],
    ) -> Result<Vec<Vec<Option<String>>>> {
        let mut read = self.read().await?;
        let postgres = read.conn()?.is_postgres();
        let source = format!(
            "SELECT s._row_id, s._chunk{} FROM {} ORDER BY s._row_id",
            columns.list(0..columns.names.len()),
            from_keys(postgres, &columns.table, &columns.names[within]),
        );
        let sql = columns.as_json(&source, postgres);
        let groups = serde_json::Value::from(groups).to_string();
        let rows: String = on_conn!(read.conn()?, c => {
            sqlx::query_scalar(AssertSqlSafe(sql)).persistent(false).bind(groups).fetch_one(&mut *c).await
        })?;
        let mut staged = Staged::new(columns.names.len());
        staged.extend(&rows)?;
        Ok(staged.text)
    }

    /// What earlier batches of the task did in this run.
    ///
    /// # Errors
    /// The database's.
    pub async fn progress_of(&self, run_id: &RunId, task_id: &TaskId) -> Result<Progress> {
        const SQL: &str =
            "SELECT counts, tables FROM _batches WHERE run_id = $1 AND task_id = $2 ORDER BY batch";
        let mut read = self.read().await?;
        let rows: Vec<(String, String)> = on_conn!(read.conn()?, c => {
            sqlx::query_as(SQL).bind(run_id.as_str()).bind(task_id.as_str()).fetch_all(&mut *c).await
        })?;
        let mut progress = Progress::default();
        for (counts, tables) in rows {
            progress.add(Written {
                counts: parse(&counts)?,
                tables: parse(&tables)?,
            });
        }
        Ok(progress)
    }

    /// Keeps the rules that a task applies, so that a row can be traced to them: the file, its text and its steps in words. Gives their name.
    ///
    /// # Errors
    /// The database's.
    pub async fn note_rules(&self, file: &str, text: &str, steps: &[String]) -> Result<Digest> {
        const SQL: &str =
            "INSERT INTO _rules (digest, file, steps) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
        let digest = sha256(text);
        let steps = serde_json::Value::from(steps).to_string();
        let mut tx = self.begin().await?;
        on_conn!(tx.conn()?, c => {
            sqlx::query(SQL).bind(digest.to_string()).bind(file).bind(steps).execute(&mut *c).await.map(drop)
        })?;
        tx.commit().await?;
        Ok(digest)
    }
}

/// The records `s` of staging table `table` whose column `name` is one of the parameter's keys, found by an index key by key: `OFFSET 0` keeps PostgreSQL from
/// walking through the whole table when it knows too little about it.
fn from_keys(postgres: bool, table: &str, name: &str) -> String {
    let (table, name) = (quote(&records_table(table)), quote(name));
    match postgres {
        true => format!(
            "json_array_elements_text($1::json) AS k(value)
             CROSS JOIN LATERAL (SELECT * FROM {table} AS t WHERE t.{name} = k.value OFFSET 0) AS s"
        ),
        false => format!("json_each($1) AS k CROSS JOIN {table} AS s ON s.{name} = k.value"),
    }
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text)
        .map_err(|error| Error::new("the counts of a batch cannot be read").because(error))
}
