//! `generate.yaml` with every name resolved: what the block generator follows.

use chrono::NaiveDate;

use super::chance::Rate;
use super::spec::{DateFormat, Expect, ListStyle};
use super::words::{Literal, Shares, WordList};

/// Everything to generate. Tables, columns, lists and texts are known by their place in these lists.
#[derive(Debug)]
pub struct Plan {
    /// Seed when none is given.
    pub seed: u64,
    /// Factors by the names of scales.
    pub scales: std::collections::BTreeMap<String, f64>,
    /// A parent before its children.
    pub tables: Vec<Table>,
    /// Lists to pick from.
    pub lists: Vec<ListSource>,
    /// Texts that are known beforehand.
    pub literals: Vec<Literal>,
    /// Planted mistakes of all tables.
    pub defects: Vec<Defect>,
}

impl Plan {
    /// The table below `root` whose number of rows cuts the family, if there is one.
    pub fn cut_of(&self, root: usize) -> Option<usize> {
        self.tables.iter().position(|table| {
            table.root == root && table.parent.is_some() && table.rows.is_some() && !table.exact
        })
    }
}

/// Where a list comes from.
#[derive(Debug)]
pub enum ListSource {
    /// A word file.
    Words(WordList),
    /// The rows of the table at this place.
    Table(usize),
}

/// A table.
#[derive(Debug)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its file, `None` when its rows are not written.
    pub file: Option<String>,
    /// Its parent's place.
    pub parent: Option<usize>,
    /// Its children's places.
    pub children: Vec<usize>,
    /// Place of the table at the top of its family.
    pub root: usize,
    /// Rows of a root or of an exact table, or the row after which the family is cut.
    pub rows: Option<u64>,
    /// Whether its file has exactly that many rows.
    pub exact: bool,
    /// Whether `rows` follows the scale.
    pub scaled: bool,
    /// Whether every day has rows of its own.
    pub daily: bool,
    /// Rows per row of the parent.
    pub fan_out: Count,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Places of its mistakes.
    pub defects: std::ops::Range<usize>,
}

/// A column.
#[derive(Debug)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Whether it is written.
    pub visible: bool,
    /// Share of rows without a value.
    pub null_rate: Option<Rate>,
    /// What is written for no value.
    pub null: Literal,
    /// How its value comes about.
    pub kind: Kind,
}

/// How many.
#[derive(Debug)]
pub enum Count {
    /// From the first to the second.
    Range(u64, u64),
    /// One of these numbers, by share.
    Shares(Vec<u64>, Shares),
}

impl Count {
    /// The smallest and the greatest.
    pub fn bounds(&self) -> (u64, u64) {
        match self {
            Self::Range(min, max) => (*min, *max),
            Self::Shares(numbers, _) => {
                let (least, most) = (numbers.iter().min(), numbers.iter().max());
                (least.copied().unwrap_or(0), most.copied().unwrap_or(0))
            }
        }
    }
}

/// Where a value is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// Place of the table whose current row is meant.
    pub table: usize,
    /// Place of the column.
    pub column: usize,
    /// Place of the column of the picked line.
    pub field: Option<usize>,
}

/// A text: known beforehand, another value, or made of parts.
#[derive(Debug, Clone)]
pub enum Text {
    /// Place in [`Plan::literals`].
    Literal(u32),
    /// A value and nothing else.
    Value(Source),
    /// To be put together.
    Parts(Vec<Part>),
}

/// A part of a text.
#[derive(Debug, Clone)]
pub enum Part {
    /// Text as it is.
    Literal(String),
    /// A value; the whole text is null when it is.
    Value(Source),
    /// The row's number, with at least this many digits.
    Row(usize),
    /// The day.
    Day,
    /// Random digits, the first not 0.
    Digits(usize),
    /// Random small letters.
    Letters(usize),
}

/// How a column's value comes about.
#[derive(Debug)]
pub enum Kind {
    /// A text.
    Text(Text),
    /// One of some texts.
    Choice(Vec<Text>, Shares),
    /// A line of the list at this place.
    Pick(usize, Shares),
    /// Several lines of the list at this place.
    Sample(usize, Shares, Count),
    /// The line of a sample, of the list at this place, that has the row's number.
    Nth(usize, Source),
    /// A whole number or fixed decimal.
    Number(Number),
    /// A date.
    Date(Date, Option<Seasons>, DateFormat),
    /// The year of a date.
    YearOf(Source),
    /// One number less another.
    Minus(Operand, Operand),
    /// A text by another value.
    Case(Case),
    /// The text of a list.
    List(List),
}

/// A number in units of its last digit.
#[derive(Debug, Default)]
pub struct Number {
    /// Smallest.
    pub min: i64,
    /// Largest.
    pub max: i64,
    /// Digits after the point.
    pub decimals: u8,
    /// How it is spread.
    pub spread: Spread,
}

/// A distribution, in units of the number's last digit.
#[derive(Debug, Default)]
pub enum Spread {
    /// Every value as likely.
    #[default]
    Even,
    /// Centre and width.
    Normal(f64, f64),
    /// Median, in units, and width of the logarithm.
    Lognormal(f64, f64),
}

/// Where a date comes from.
#[derive(Debug)]
pub enum Date {
    /// The day of the run, or a date column, and a number of days.
    After {
        /// The column; `None`: the day of the run.
        from: Option<Source>,
        /// The days.
        days: Number,
        /// Days for each row before this one.
        per_row: u32,
    },
    /// A first day and the number of days.
    Range(NaiveDate, u64),
}

/// How likely days are.
#[derive(Debug)]
pub struct Seasons {
    /// Shares from January on.
    pub months: [u64; 12],
    /// Shares from Monday on.
    pub weekdays: [u64; 7],
    /// The greatest share that a day can have: of its month times of its day of the week.
    pub most: u64,
}

/// A whole number, known or in a column.
#[derive(Debug, Clone, Copy)]
pub enum Operand {
    /// Known.
    Number(i64),
    /// In a column.
    Value(Source),
}

/// A text by another value.
#[derive(Debug)]
pub struct Case {
    /// The other value.
    pub of: Source,
    /// By its text.
    pub equals: Vec<(String, Text)>,
    /// By a number it is below, smallest first.
    pub below: Vec<(i64, Text)>,
    /// Otherwise.
    pub otherwise: Text,
}

/// The text of a list.
#[derive(Debug)]
pub struct List {
    /// The sampled column and the list's column.
    pub of: Item,
    /// What stands beside each item.
    pub with: Option<Item>,
    /// How it is written.
    pub style: ListStyle,
}

/// A column of sampled lines.
#[derive(Debug, Clone, Copy)]
pub struct Item {
    /// The sampled column.
    pub sample: Source,
    /// Place of the list.
    pub list: usize,
    /// Place of the list's column.
    pub field: usize,
}

/// A planted mistake.
#[derive(Debug)]
pub struct Defect {
    /// Its name.
    pub name: String,
    /// Share of rows.
    pub rate: Rate,
    /// What should become of the row.
    pub expect: Expect,
    /// Not in the first row of a parent.
    pub not_first: bool,
    /// What is done.
    pub kind: DefectKind,
}

/// What a mistake does.
#[derive(Debug)]
pub enum DefectKind {
    /// Writes the row twice.
    Repeat,
    /// Replaces the column at this place by one of these texts.
    Replace(usize, Vec<Text>),
    /// Replaces the column at this place when it has one of these texts.
    Swap(usize, Vec<(String, Text)>),
}
