//! What becomes of the rows of a batch in one table: pure decisions, before anything is written.

use std::collections::HashMap;
use std::sync::Arc;

use super::audit::Changes;
use super::cells::record_id;
use super::lookup::Existing;
use crate::base::{Cell, Table, TableColumn};

/// The place of a record among everything that was delivered to its DAG, whatever the staging table: what comes later was delivered later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Delivered {
    /// The chunk it was staged with; those of one DAG are numbered in the order in which they were staged.
    pub chunk: i64,
    /// Its `_row_id`.
    pub row_id: i64,
}

/// Begins the place of a delivery in the version of a row.
const PLACE: char = '\u{1d}';

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
    /// The version of each row where the target gives one: of rows with one key the greater stays, and of equal ones what was delivered
    /// later.
    pub given: Option<&'a [String]>,
    /// For each record of the batch where it was delivered, ascending.
    pub delivered: &'a [Delivered],
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

    /// The version of row `row`, as its table keeps it: what the target gives, and the place of its delivery.
    pub(super) fn version(&self, row: usize) -> String {
        let given = self.given.map_or("", |given| &given[row]);
        let Delivered { chunk, row_id } = self.delivered[self.records[row]];
        format!("{given}{PLACE}{chunk:08x}{row_id:012x}")
    }

    /// Whether row `row` may take the place of row `other`, which comes before it.
    fn follows(&self, row: usize, other: usize) -> bool {
        self.given.is_none_or(|given| given[row] >= given[other])
    }

    /// Whether row `row` of version `version` is older than one of version `other` in the table. Versions that targets give are held against
    /// each other, and a row without one by where it was delivered.
    fn is_older(&self, row: usize, version: &str, other: &str) -> bool {
        let (other, other_place) = split(other);
        match self.given {
            Some(given) if given[row] != other => given[row].as_str() < other,
            _ => split(version).1 < other_place,
        }
    }
}

/// A version as its target gave it, and its place, which rows of earlier programs do not have.
fn split(version: &str) -> (&str, Option<&str>) {
    match version.rsplit_once(PLACE) {
        Some((given, place)) => (given, Some(place)),
        None => (version, None),
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
    if rows.is_older(winner.row, &version, &old.version) {
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
        let delivered = (1..).map(|row_id| Delivered { chunk: 9, row_id });
        let delivered: &'static [_] = delivered.take(rows.len()).collect::<Vec<_>>().leak();
        let rows = TableRows {
            table,
            columns: &table.columns,
            keys: 1,
            records: (0..rows.len()).collect(),
            cells,
            given: Some(versions),
            delivered,
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
    fn what_was_delivered_later_is_newer_unless_both_have_versions() {
        let table = table();
        let cells = [Cell::Text("k".into()), Cell::Text("x".into())];
        let given = ["2026".to_owned()];
        let delivered = [Delivered {
            chunk: 3,
            row_id: 12,
        }];
        let rows = |given| TableRows {
            table: &table,
            columns: &table.columns,
            keys: 1,
            records: vec![0],
            cells: &cells,
            given,
            delivered: &delivered,
            parents: Vec::new(),
        };
        let (bare, versioned) = (rows(None), rows(Some(&given[..])));
        let place = "\u{1d}0000000300000000000c";
        assert_eq!(bare.version(0), place);
        assert_eq!(versioned.version(0), format!("2026{place}"));
        let (before, after) = ("\u{1d}000000020000000000ff", "\u{1d}00000004000000000001");
        let is_older =
            |rows: &TableRows<'_>, other: &str| rows.is_older(0, &rows.version(0), other);
        for other in ["", "2026", "2027"] {
            assert!(is_older(&bare, &format!("{other}{after}")));
            assert!(!is_older(&bare, &format!("{other}{before}")));
            assert!(!is_older(&bare, other) && !is_older(&bare, place));
        }
        assert!(is_older(&versioned, &format!("2026{after}")));
        assert!(is_older(&versioned, &format!("2027{before}")) && is_older(&versioned, "2027"));
        for other in [format!("2026{before}"), format!("2025{after}")] {
            assert!(!is_older(&versioned, &other));
        }
        // its table had no versions before
        assert!(!is_older(&versioned, after) && !is_older(&versioned, "2026"));
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
