//! Records whose rows point to rows that do not exist.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::batch::Batch;
use super::cells::record_id;
use super::lookup;
use super::merge::TableRows;
use crate::base::{Cell, Result, TableColumn};
use crate::db::Conn;

/// The reason of a record whose row points to a row that does not exist.
pub const MISSING_PARENT: &str = "missing_parent";

/// Gives a reason to each record with a row whose parent is neither in the database nor made by a record of the batch that can go on.
pub(super) async fn reject_orphans(mut conn: Conn<'_>, batch: &mut Batch<'_>) -> Result<()> {
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
        let mut orphans: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
        for link in &links {
            for record in link.orphans(&live) {
                orphans.entry(record).or_default().insert(&link.expected);
            }
        }
        if orphans.is_empty() {
            return Ok(());
        }
        // a record that leaves takes its rows with it, which may be parents of others
        for (record, expected) in orphans {
            batch.reasons[record].push(MISSING_PARENT);
            let expected = expected.into_iter().map(|text| text.to_owned().into());
            batch.expected.entry(record).or_default().extend(expected);
        }
    }
}

/// A foreign key, with what is needed to tell whether its parents are there.
struct Link {
    /// What is expected of a row, in words.
    expected: String,
    /// Record and parent's key of each row that has a parent.
    children: Vec<(usize, Arc<str>)>,
    /// Keys of parents in the database.
    present: HashSet<Arc<str>>,
    /// Keys of parents made in the batch, and the records that make them.
    made: HashMap<Arc<str>, Vec<usize>>,
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
        let mut keys: BTreeMap<Arc<str>, Vec<Cell>> = BTreeMap::new();
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
        let mut made: HashMap<Arc<str>, Vec<usize>> = HashMap::new();
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
        let columns = foreign.columns.join(", ");
        Ok(Self {
            expected: format!(
                "`{}.{columns}`: a row of `{}`",
                rows.table.name, foreign.table
            ),
            children,
            present: present.into_iter().collect(),
            made,
        })
    }

    fn orphans(&self, live: &[bool]) -> Vec<usize> {
        let has_parent = |id: &Arc<str>| {
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
