//! `generate.yaml` as it is written. Meaning and defaults are documented here, names are resolved in `compile`.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::Deserialize;
use serde_json::{Map, Value};
use serde_saphyr::Spanned;

/// What to generate.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Seed when the task or the command gives none.
    #[serde(default)]
    pub seed: u64,
    /// Named sizes: factors by which the row counts of tables are multiplied. `default` is 1 unless given.
    #[serde(default)]
    pub scales: BTreeMap<String, f64>,
    /// The tables, a parent before its children.
    pub tables: Vec<TableSpec>,
}

/// A table: one CSV file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableSpec {
    /// Its name, unique.
    pub name: Spanned<String>,
    /// The file's name; default `<name>.csv`. Ends in `.gz` to be compressed.
    pub file: Option<String>,
    /// `false`: the rows only carry values for tables below and are not written.
    #[serde(default = "yes")]
    pub write: bool,
    /// Rows a day at scale `default`. A table without a parent needs it. In a table with a parent it cuts the table, and
    /// with it the whole family, after that row.
    pub rows: Option<u64>,
    /// `true`: the file has exactly `rows` rows, repeated ones included, as far as `fan_out` allows. In a table with a parent, which must be
    /// exact as well, they are shared out among the parents. A repeated row takes the place of a row that would have none below it.
    #[serde(default)]
    pub exact: bool,
    /// Whether scale and the row-count parameter change `rows`.
    #[serde(default = "yes")]
    pub scaled: bool,
    /// `day`: every day of the interval has rows of its own. `once`: the rows are the same on every day.
    #[serde(default)]
    pub each: Each,
    /// The table whose rows this one belongs to; its rows come in the order of their parents.
    pub parent: Option<Spanned<String>>,
    /// How many rows a row of the parent has.
    pub fan_out: Option<FanOut>,
    /// The columns, in the order of the file. A column may use those before it.
    pub columns: Vec<ColumnSpec>,
    /// Mistakes to plant; a row has one at most.
    #[serde(default)]
    pub defects: Vec<DefectSpec>,
}

/// How often a table's rows exist.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Each {
    /// Once a day.
    #[default]
    Day,
    /// Once for all days.
    Once,
}

/// How many: a range, or shares by number.
#[derive(Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum FanOut {
    /// Every number from `min` to `max` is as likely.
    Range {
        /// Smallest number.
        min: u64,
        /// Largest number.
        max: u64,
    },
    /// `{1: 9, 2: 5, 3: 1}`: nine parts have one, five have two, one has three.
    Shares(BTreeMap<u64, u64>),
}

/// A column: a name and exactly one of the kinds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnSpec {
    /// Its name in the header; may be empty.
    pub name: Spanned<String>,
    /// `true`: a value for other columns that is not written.
    #[serde(default)]
    pub hidden: bool,
    /// Share of rows without a value.
    pub null_rate: Option<f64>,
    /// What stands in the file for no value.
    #[serde(default)]
    pub null_text: String,

    /// Kind: a text in which `{…}` stands for a value, see `template`. Null when one of the values is.
    pub text: Option<String>,
    /// Kind: one of some texts, each with a share or all alike.
    pub choice: Option<Choice>,
    /// Kind: a line of a word file; `{name.column}` gives its columns.
    pub pick: Option<Pick>,
    /// Kind: several different lines of a word file, for `list`; never written itself.
    pub sample: Option<Sample>,
    /// Kind: of a `sample` in a row above, the line with this row's number; null when there are fewer.
    pub nth: Option<String>,
    /// Kind: a row of another table that has no parent; `{name.column}` gives its columns.
    pub reference: Option<Reference>,
    /// Kind: a number.
    pub number: Option<NumberSpec>,
    /// Kind: a date.
    pub date: Option<DateSpec>,
    /// Kind: the year of a date column.
    pub year_of: Option<String>,
    /// Kind: one whole number less another, `[this, that]`.
    pub minus: Option<[Operand; 2]>,
    /// Kind: a text that depends on another column.
    pub case: Option<Case>,
    /// Kind: the text of a list.
    pub list: Option<List>,
}

/// Texts to choose from. Each may hold `{…}`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Choice {
    /// All alike.
    Alike(Vec<Value>),
    /// By share.
    Shares(Map<String, Value>),
}

/// A line of a word file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pick {
    /// A CSV file with a header, in the folder of `generate.yaml`'s DAG.
    pub file: String,
    /// Column with whole-numbered shares; all lines alike without it.
    pub shares: Option<String>,
    /// The n-th line is n times rarer than the first (Zipf's law).
    #[serde(default)]
    pub zipf: bool,
}

/// Several lines of a word file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// A CSV file with a header.
    pub file: String,
    /// Column with whole-numbered shares; all lines alike without it.
    pub shares: Option<String>,
    /// How many lines.
    pub count: FanOut,
}

/// A row of another table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// The table.
    pub table: String,
    /// The n-th row is n times rarer than the first.
    #[serde(default)]
    pub zipf: bool,
}

/// A number, written with `decimals` digits after the point.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NumberSpec {
    /// Smallest value.
    pub min: f64,
    /// Largest value. Draws beyond either end are drawn again as the end itself.
    pub max: f64,
    /// Digits after the point.
    #[serde(default)]
    pub decimals: u8,
    /// Bell-shaped; without this or `lognormal` every value is as likely.
    pub normal: Option<Normal>,
    /// Skewed to the right.
    pub lognormal: Option<Lognormal>,
}

/// The normal distribution.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normal {
    /// Its centre.
    pub mean: f64,
    /// Its width.
    pub sd: f64,
}

/// The log-normal distribution.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lognormal {
    /// Half of the values are below.
    pub median: f64,
    /// Width of the logarithm.
    pub sigma: f64,
}

/// A date: the day of the run, one of a range, or some days after another column.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DateSpec {
    /// First day of the range.
    pub from: Option<NaiveDate>,
    /// Last day of the range.
    pub to: Option<NaiveDate>,
    /// A date column to count from; without it and a range, the day of the run.
    pub after: Option<String>,
    /// Days to add to `after` or the day of the run; may be negative.
    pub days: Option<Days>,
    /// Days to add for every row of the same parent before this one, so that the rows come in the order of time.
    #[serde(default)]
    pub days_per_row: u32,
    /// Shares by month, 1 to 12, of which a month that is not named has none; without them all are alike. Of days that are drawn
    /// from, those of a month with a greater share are likelier.
    #[serde(default)]
    pub months: BTreeMap<u32, u64>,
    /// Shares by day of the week, 1 (Monday) to 7, in the same way.
    #[serde(default)]
    pub weekdays: BTreeMap<u32, u64>,
    /// How it is written.
    #[serde(default)]
    pub format: DateFormat,
}

/// A number of days.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Days {
    /// Fewest.
    pub min: i32,
    /// Most.
    pub max: i32,
    /// Bell-shaped; without this or `lognormal` every number is as likely.
    pub normal: Option<Normal>,
    /// Skewed to the right.
    pub lognormal: Option<Lognormal>,
}

/// How a date is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DateFormat {
    /// `2026-01-31`
    #[default]
    Iso,
    /// `20260131`
    Compact,
    /// `31/01/2026`
    DayFirst,
    /// `01/31/2026`
    MonthFirst,
    /// `31 Jan 2026`
    Named,
}

/// A column's name or a whole number.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Operand {
    /// A whole number.
    Number(i64),
    /// The name of a column.
    Column(String),
}

/// A text by the value of another column.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The other column.
    pub of: String,
    /// Text when the other column is this text.
    #[serde(default)]
    pub equals: BTreeMap<String, String>,
    /// Text when the other column is a whole number below this one; the smallest that fits counts.
    #[serde(default)]
    pub below: BTreeMap<i64, String>,
    /// Text otherwise.
    #[serde(default)]
    pub r#else: String,
}

/// The text of a list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// A column of the word file of a `sample`, as `labels.name`.
    pub of: String,
    /// With style `python_nested`: what to put beside the n-th item, if there is an n-th.
    pub with: Option<String>,
    /// How it is written.
    pub style: ListStyle,
}

/// How a list is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListStyle {
    /// `['a', 'b']`; the word `nan` stands bare.
    Python,
    /// `[['a', 'x'], ['b']]`
    PythonNested,
    /// ` a . b .`
    Sentences,
    /// `['a' 'b']`, sorted, a line break instead of a blank where a line would be longer than 75 characters.
    Numpy,
}

/// A planted mistake. Rows below a row with a mistake count as having it, too, and get no other, unless it is `mended`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DefectSpec {
    /// Its name in the answer key.
    pub name: Spanned<String>,
    /// Share of rows that get it.
    pub rate: f64,
    /// What should become of such a row.
    pub expect: Expect,
    /// `true`: not in the first row of a parent.
    #[serde(default)]
    pub not_first: bool,
    /// Kind: the row comes a second time, right after the first.
    #[serde(default)]
    pub repeat: bool,
    /// Kinds `replace` and `swap`: the column that is spoilt.
    pub column: Option<String>,
    /// Kind: one of these texts takes the place of the value.
    #[serde(default)]
    pub replace: Vec<String>,
    /// Kind: another text takes the place of a given one; rows with any other value are left alone.
    #[serde(default)]
    pub swap: BTreeMap<String, String>,
}

/// What should become of a row with a planted mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expect {
    /// It is set aside with a reason.
    Quarantined,
    /// It is counted as repeating another.
    Duplicate,
    /// It is taken as it is: a quirk, not an error.
    Accepted,
    /// It is set right on the way, and nothing of it is left.
    Mended,
}

const fn yes() -> bool {
    true
}

impl std::fmt::Display for Expect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Quarantined => "quarantined",
            Self::Duplicate => "duplicate",
            Self::Accepted => "accepted",
            Self::Mended => "mended",
        })
    }
}
