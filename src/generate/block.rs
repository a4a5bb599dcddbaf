//! A block of rows: some rows of the table at the top of a family and everything below them, depth first.
//!
//! A block depends on the plan, the seed, the day and its number only, so that blocks can be made in any order and on
//! any thread.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::chance::Chance;
use super::csv_text::{push_date, push_decimal, push_field};
use super::plan::{DefectKind, Plan};
use super::row::{Cell, Row};
use super::shape::Shape;
use super::spec::Expect;
use super::values::{Values, draw_count};
use super::words::WordList;

/// Rows of the top table in a block. Part of what "same seed, same bytes" means: never to be changed.
pub const BLOCK_ROWS: u64 = 500;

/// What every block of a family on one day shares.
pub struct Setting<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Its lists.
    pub lists: &'a [Cow<'a, WordList>],
    /// Rows by table, where they are known.
    pub rows: &'a [Option<u64>],
    /// The seed.
    pub seed: u64,
    /// Place of the table at the top.
    pub root: usize,
    /// The day.
    pub day: NaiveDate,
    /// By table: whether its rows are to be written.
    pub wanted: &'a [bool],
}

/// The rows of a block, by table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Block {
    /// CSV text without a header; empty for tables that are not wanted.
    pub csv: Vec<Vec<u8>>,
    /// Number of rows, repeated ones included.
    pub rows: Vec<u64>,
    /// Rows by table and planted mistake.
    pub defects: BTreeMap<(usize, usize), u64>,
}

impl Setting<'_> {
    /// Makes block `number` with `roots` rows of the top table. `cut` is a table and the number of its rows after which
    /// the block ends.
    pub fn block(&self, number: u64, roots: u64, cut: Option<(usize, u64)>) -> Block {
        let tables = &self.plan.tables;
        let day = tables[self.root].daily.then_some(self.day);
        let chances = tables
            .iter()
            .map(|table| Chance::new(self.seed, &table.name, day, number));
        let mut maker = Maker {
            setting: self,
            cut,
            chances: chances.collect(),
            rows: tables.iter().map(|_| Row::default()).collect(),
            shapes: self.shapes(number, roots, day),
            block: Block {
                csv: vec![Vec::new(); tables.len()],
                rows: vec![0; tables.len()],
                defects: BTreeMap::new(),
            },
        };
        maker.rows(self.root, number * BLOCK_ROWS, roots, None);
        maker.block
    }

    /// By table of the family: how its rows are shared out, where their number is exact.
    fn shapes(&self, block: u64, roots: u64, day: Option<NaiveDate>) -> Vec<Option<Shape>> {
        let tables = &self.plan.tables;
        let first = block * BLOCK_ROWS;
        let all = self.rows[self.root].unwrap_or(first + roots).max(1);
        // the part of the table's rows that belongs to this block's part of the roots
        let part = |rows: u64| {
            let until = |root: u64| u128::from(rows) * u128::from(root) / u128::from(all);
            (until(first + roots) - until(first)) as u64
        };
        let mut sizes = vec![roots; tables.len()];
        let mut shapes: Vec<Option<Shape>> = tables.iter().map(|_| None).collect();
        for (place, table) in tables.iter().enumerate() {
            if let (true, Some(parent), Some(rows)) = (
                table.exact && table.root == self.root,
                table.parent,
                self.rows[place],
            ) {
                let mut chance =
                    Chance::new(self.seed, &format!("{}\nshape", table.name), day, block);
                let shape = Shape::new(&table.fan_out, sizes[parent], part(rows), &mut chance);
                sizes[place] = shape.total();
                shapes[place] = Some(shape);
            }
        }
        shapes
    }
}

struct Maker<'a> {
    setting: &'a Setting<'a>,
    cut: Option<(usize, u64)>,
    chances: Vec<Chance>,
    /// The row at hand of each table.
    rows: Vec<Row>,
    /// By table: how many rows each row above has, where that is known beforehand.
    shapes: Vec<Option<Shape>>,
    block: Block,
}

/// What chance planted in a row.
enum Planted {
    Nothing,
    Repeat(usize),
    Spoilt(usize),
}

impl Maker<'_> {
    /// Makes `count` rows, numbered from `before` + 1, and all below them; `false` when the block is cut here.
    fn rows(&mut self, table: usize, before: u64, count: u64, inherited: Option<u32>) -> bool {
        let exact = self.setting.plan.tables[table].exact;
        let mut row = 1;
        while row <= count {
            if self.is_full() {
                return false;
            }
            let repeatable = !exact || (row < count && self.next_is_bare(table));
            let written = self.row(table, before + row, inherited, repeatable);
            if exact && written == 2 {
                self.pass_over(table);
                row += 1;
            }
            if self.is_full() {
                return false;
            }
            row += 1;
        }
        true
    }

    /// Whether the row after the one at hand will have none below it.
    fn next_is_bare(&self, table: usize) -> bool {
        let children = self.setting.plan.tables[table].children.iter();
        let mut shapes = children.filter_map(|&child| self.shapes[child].as_ref());
        shapes.all(|shape| shape.after_next() == Some(0))
    }

    /// Leaves out the next row of the table, which has none below it.
    fn pass_over(&mut self, table: usize) {
        for &child in &self.setting.plan.tables[table].children {
            if let Some(shape) = &mut self.shapes[child] {
                shape.take();
            }
        }
    }

    /// Makes a row and all below it, up to where the block is cut; gives how often it was written.
    fn row(&mut self, table: usize, number: u64, inherited: Option<u32>, repeatable: bool) -> u32 {
        let mut row = std::mem::take(&mut self.rows[table]);
        row.start(number, inherited);
        let plan = self.setting.plan;
        let planted = self.fill(table, &mut row, repeatable);
        let inherited_defect = row.defect.map(|defect| defect as usize);
        let mut written = 1;
        match planted {
            Planted::Nothing => self.write(table, &row, inherited_defect),
            Planted::Repeat(defect) => {
                self.write(table, &row, inherited_defect);
                self.write(table, &row, Some(defect));
                written = 2;
            }
            Planted::Spoilt(defect) => {
                self.write(table, &row, Some(defect));
                // what is set right is no reason for rows below to be set aside
                if plan.defects[defect].expect != Expect::Mended {
                    row.defect = Some(defect as u32);
                }
            }
        }
        let inherited = row.defect;
        self.rows[table] = row;
        for &child in &plan.tables[table].children {
            let count = match &mut self.shapes[child] {
                Some(shape) => shape.take(),
                None => draw_count(&plan.tables[child].fan_out, &mut self.chances[child]),
            };
            if !self.rows(child, 0, count, inherited) {
                break;
            }
        }
        written
    }

    fn is_full(&self) -> bool {
        self.cut
            .is_some_and(|(table, rows)| self.block.rows[table] >= rows)
    }

    /// Draws the row's values and plants a mistake, perhaps.
    fn fill(&mut self, table: usize, row: &mut Row, repeatable: bool) -> Planted {
        let setting = self.setting;
        let plan = setting.plan;
        let mut values = Values {
            plan,
            lists: setting.lists,
            day: setting.day,
            table,
            others: &self.rows,
            row,
            chance: &mut self.chances[table],
        };
        for column in &plan.tables[table].columns {
            let null = column.null_rate;
            match null.is_some_and(|rate| values.chance.happens(rate)) {
                true => values.put(Cell::Null),
                false => values.draw(&column.kind),
            }
        }
        if values.row.defect.is_some() {
            return Planted::Nothing;
        }
        for place in plan.tables[table].defects.clone() {
            let defect = &plan.defects[place];
            if !values.chance.happens(defect.rate) || (defect.not_first && values.row.number == 1) {
                continue;
            }
            let (column, text) = match &defect.kind {
                DefectKind::Repeat if repeatable => return Planted::Repeat(place),
                DefectKind::Repeat => continue,
                DefectKind::Replace(column, texts) => {
                    let chosen = values.chance.below(texts.len() as u64);
                    (*column, &texts[chosen as usize])
                }
                DefectKind::Swap(column, swaps) => {
                    let present = values.text_of(values.row.cells[*column]);
                    let swap = present.and_then(|present| {
                        swaps.iter().find(|(from, _)| from.as_bytes() == &*present)
                    });
                    match swap {
                        Some((_, to)) => (*column, to),
                        None => continue,
                    }
                }
            };
            values.text(text);
            // the last one takes the place of the one it replaces
            values.row.cells.swap_remove(column);
            return Planted::Spoilt(place);
        }
        Planted::Nothing
    }

    fn write(&mut self, table: usize, row: &Row, defect: Option<usize>) {
        if self.is_full() {
            return;
        }
        self.block.rows[table] += 1;
        if let Some(defect) = defect {
            *self.block.defects.entry((table, defect)).or_default() += 1;
        }
        if !self.setting.wanted[table] {
            return;
        }
        let setting = self.setting;
        let out = &mut self.block.csv[table];
        let columns = setting.plan.tables[table].columns.iter();
        let visible = columns.zip(&row.cells).filter(|(column, _)| column.visible);
        for (n, (column, &cell)) in visible.enumerate() {
            if n > 0 {
                out.push(b',');
            }
            match cell {
                Cell::Null => out.extend_from_slice(&column.null.csv),
                cell => push_cell(out, cell, row, &self.rows, setting.plan, setting.lists),
            }
        }
        out.push(b'\n');
    }
}

/// Appends the value of `cell` of `row` as a CSV field; `others` are the rows at hand by table.
fn push_cell(
    out: &mut Vec<u8>,
    cell: Cell,
    row: &Row,
    others: &[Row],
    plan: &Plan,
    lists: &[Cow<'_, WordList>],
) {
    match cell {
        Cell::Null | Cell::Lines(_) => {}
        Cell::Number(units, decimals) => push_decimal(out, units, decimals),
        Cell::Date(date, format) => push_date(out, date, format),
        Cell::Literal(place) => out.extend_from_slice(&plan.literals[place as usize].csv),
        Cell::Text(stretch) => push_field(out, row.bytes(stretch)),
        Cell::Above(table, stretch) => push_field(out, others[table as usize].bytes(stretch)),
        Cell::Line(list, line, column) => {
            let words = &lists[list as usize];
            out.extend_from_slice(&words.field(line as usize, column as usize).csv);
        }
    }
}
