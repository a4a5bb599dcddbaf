//! What becomes of the rows of a batch in one table: pure decisions, before anything is written.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use super::audit::Changes;
use super::cells::record_id;
use super::lookup::Existing;
use crate::base::{Cell, Table, TableColumn};

/// By what rows with one key are held against each other; the greater version stays, and of equal ones the later row.
#[derive(Debug, Clone, Copy)]
pub enum Versions<'a> {
    /// The version of each row.
    Given(&'a [String]),
    /// The places of the batch's records in the staging table `source`: what was delivered later stays. Records of two staging tables do
    /// not tell which of them was.
    Delivered {
        /// The staging table.
        source: &'a str,
        /// For each record of the batch its place, ascending.
        row_ids: &'a [i64],
    },
}

/// Begins the versions of rows whose target gives none, so that they are never held against one that a target gives.
const DELIVERED: char = '\u{1e}';

/// Rows for one table, of the records of one batch.
pub struct TableRows<'a> {
    /// The table.
    pub table: &'a Table,
    /// Columns given, key columns first.
    pub columns: &'a [TableColumn],
    /// Number of key columns.
    pub keys: usize,
    /// For each row the place of its record in the batch.
    pub records: Vec<usize>,
    /// Row after row, each as wide as `columns`.
    pub cells: &'a [Cell],
    /// Which of two rows with one key stays.
    pub versions: Versions<'a>,
    /// Numbers of the table's foreign keys whose parents may be missing.
    pub parents: Vec<usize>,
}

impl TableRows<'_> {
    /// The cells of row `row`.
    pub(super) fn row(&self, row: usize) -> &[Cell] {
        let width = self.columns.len();
        &self.cells[row * width..(row + 1) * width]
    }

    /// The key of row `row`.
    pub(super) fn key(&self, row: usize) -> &[Cell] {
        &self.row(row)[..self.keys]
    }

    /// The version of row `row`, as its table keeps it.
    pub(super) fn version(&self, row: usize) -> Cow<'_, str> {
        match self.versions {
            Versions::Given(versions) => Cow::Borrowed(&versions[row]),
            Versions::Delivered { source, row_ids } => {
                let place = row_ids[self.records[row]];
                Cow::Owned(format!("{DELIVERED}{source}#{place:019}"))
            }
        }
    }

    /// Whether row `row` may take the place of row `other`, which comes before it.
    fn follows(&self, row: usize, other: usize) -> bool {
        match self.versions {
            Versions::Given(versions) => versions[row] >= versions[other],
            Versions::Delivered { .. } => true,
        }
    }

    /// Whether a row of version `version` is older than one of version `other` in the table.
    fn is_older(&self, version: &str, other: &str) -> bool {
        let delivered = other.strip_prefix(DELIVERED);
        let comparable = match self.versions {
            Versions::Given(_) => delivered.is_none(),
            Versions::Delivered { source, .. } => {
                let place = delivered.and_then(|delivered| delivered.strip_prefix(source));
                place.is_some_and(|place| place.starts_with('#'))
            }
        };
        comparable && version < other
    }
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// The table had no such key.
    Inserted,
    /// The table had other values.
    Updated,
    /// The table had these values, or newer ones.
    Kept,
}

/// Rows of one key: who goes on.
pub(super) struct Winner {
    /// The row.
    pub row: usize,
    /// Its key as text.
    pub id: Arc<str>,
}

/// Of rows with equal keys the one with the greatest version, of those the last; in the order of keys, in which an index takes them
/// fastest. And the losers.
pub(super) fn winners(rows: &TableRows<'_>, live: &[bool]) -> (Vec<Winner>, Vec<usize>) {
    let mut places: HashMap<Arc<str>, usize> = HashMap::with_capacity(rows.records.len());
    let mut winners: Vec<Winner> = Vec::new();
    let mut losers = Vec::new();
    for row in (0..rows.records.len()).filter(|row| live[rows.records[*row]]) {
        let id = record_id(rows.key(row));
        match places.get(&id) {
            None => {
                places.insert(Arc::clone(&id), winners.len());
                winners.push(Winner { row, id });
            }
            Some(place) => {
                let best = &mut winners[*place].row;
                let loser = match rows.follows(row, *best) {
                    true => std::mem::replace(best, row),
                    false => row,
                };
                losers.push(loser);
            }
        }
    }
    winners.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    (winners, losers)
}

/// What is to be written to one table.
pub(super) struct Merge<'a> {
    /// Rows to insert.
    pub inserted: Vec<usize>,
    /// Rows to update.
    pub updated: Vec<usize>,
    /// Rows whose values are there already under an older version.
    pub newer: Vec<usize>,
    /// One for each row that is inserted or updated.
    pub changes: Changes<'a>,
    /// For each winner what became of it.
    pub fates: Vec<Fate>,
}

/// Holds the winners against the rows that exist.
pub(super) fn merge<'a>(
    rows: &TableRows<'a>,
    winners: &[Winner],
    existing: &HashMap<Arc<str>, Existing>,
) -> Merge<'a> {
    let mut merge = Merge {
        inserted: Vec::new(),
        updated: Vec::new(),
        newer: Vec::new(),
        changes: Changes::new(&rows.table.name),
        fates: Vec::with_capacity(winners.len()),
    };
    for winner in winners {
        let fate = match existing.get(&winner.id) {
            None => insert(rows, winner, &mut merge),
            Some(old) => against(rows, winner, old, &mut merge),
        };
        merge.fates.push(fate);
    }
    merge
}

fn insert<'a>(rows: &TableRows<'a>, winner: &Winner, merge: &mut Merge<'a>) -> Fate {
    merge.inserted.push(winner.row);
    let columns = rows.columns.iter().zip(rows.row(winner.row));
    let filled = columns.filter(|(_, cell)| !cell.is_null());
    merge.changes.inserted(&winner.id, filled);
    Fate::Inserted
}

fn against<'a>(
    rows: &TableRows<'a>,
    winner: &Winner,
    old: &Existing,
    merge: &mut Merge<'a>,
) -> Fate {
    let version = rows.version(winner.row);
    if rows.is_older(&version, &old.version) {
        return Fate::Kept;
    }
    let new = &rows.row(winner.row)[rows.keys..];
    if new == old.cells.as_slice() {
        // kept current, so that what arrives later is held against the newest version
        if version != old.version {
            merge.newer.push(winner.row);
        }
        return Fate::Kept;
    }
    merge.updated.push(winner.row);
    let columns = &rows.columns[rows.keys..];
    let changed = || (0..new.len()).filter(|place| new[*place] != old.cells[*place]);
    let after = changed().map(|place| (&columns[place], &new[place]));
    let before = changed().map(|place| (&columns[place], &old.cells[place]));
    merge.changes.updated(&winner.id, after, before, old.batch);
    Fate::Updated
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::CellType;

    fn table() -> Table {
        let column = |name: &str| TableColumn {
            name: name.to_owned(),
            cell_type: CellType::Text,
            nullable: true,
            has_default: false,
        };
        Table {
            name: "t".to_owned(),
            columns: vec![column("id"), column("a")],
            key: vec!["id".to_owned()],
            foreign_keys: Vec::new(),
        }
    }

    fn decide(
        rows: &[(&str, &str, &str)],
        old: Option<(&str, &str)>,
    ) -> (Vec<usize>, Merge<'static>) {
        let table: &'static Table = Box::leak(Box::new(table()));
        let cells: &'static [Cell] = rows
            .iter()
            .flat_map(|(id, a, _)| [Cell::Text((*id).into()), Cell::Text((*a).into())])
            .collect::<Vec<_>>()
            .leak();
        let versions = rows.iter().map(|(.., v)| (*v).to_owned());
        let versions: &'static [String] = versions.collect::<Vec<_>>().leak();
        let rows = TableRows {
            table,
            columns: &table.columns,
            keys: 1,
            records: (0..rows.len()).collect(),
            cells,
            versions: Versions::Given(versions),
            parents: Vec::new(),
        };
        let existing = old.map(|(a, version)| {
            let row = Existing {
                cells: vec![Cell::Text(a.into())],
                version: version.to_owned(),
                batch: Some(7),
            };
            (Arc::from("k"), row)
        });
        let live = vec![true; cells.len()];
        let (winners, losers) = winners(&rows, &live);
        let merge = merge(&rows, &winners, &existing.into_iter().collect());
        (losers, merge)
    }

    #[test]
    fn the_greater_version_wins_and_then_the_later_row() {
        let (losers, merge) = decide(&[("k", "x", "1"), ("k", "y", "2"), ("k", "z", "1")], None);
        assert_eq!((losers, merge.inserted), (vec![0, 2], vec![1]));
        let (losers, _) = decide(&[("k", "x", "1"), ("k", "y", "1")], None);
        assert_eq!(losers, [0]);
    }

    #[test]
    fn records_of_two_staging_tables_do_not_tell_which_is_older() {
        let table = table();
        let cells = [Cell::Text("k".into()), Cell::Text("x".into())];
        let rows = TableRows {
            table: &table,
            columns: &table.columns,
            keys: 1,
            records: vec![0],
            cells: &cells,
            versions: Versions::Delivered {
                source: "raw",
                row_ids: &[12],
            },
            parents: Vec::new(),
        };
        assert_eq!(rows.version(0), "\u{1e}raw#0000000000000000012");
        let is_older = |other: &str| rows.is_older(&rows.version(0), other);
        assert!(is_older("\u{1e}raw#0000000000000000013"));
        assert!(!is_older("\u{1e}raw#0000000000000000012"));
        assert!(!is_older("\u{1e}raw_b#0000000000000000013"));
        assert!(!is_older("") && !is_older("2026-01-01") && !is_older("raw#9"));
    }

    #[test]
    fn an_old_version_never_replaces_a_newer_one() {
        let (_, merge) = decide(&[("k", "x", "1")], Some(("y", "2")));
        assert_eq!(merge.fates, [Fate::Kept]);
        assert!(merge.updated.is_empty() && merge.newer.is_empty());
    }

    #[test]
    fn equal_values_keep_the_newest_version() {
        let (_, merge) = decide(&[("k", "x", "2")], Some(("x", "1")));
        assert_eq!((merge.fates, merge.newer), (vec![Fate::Kept], vec![0]));
        assert_eq!(merge.changes.json(), "[]");
    }

    #[test]
    fn a_change_keeps_what_was_and_where_to_look_before() {
        let (_, merge) = decide(&[("k", "x\"", "2")], Some(("y", "2")));
        let expected = r#"[["k",{"a":"x\""},{"a":"y"},7]]"#;
        assert_eq!(merge.changes.json(), expected);
        let (_, merge) = decide(&[("k", "x", "2")], None);
        assert_eq!(merge.changes.json(), r#"[["k",{"id":"k","a":"x"}]]"#);
    }
}
