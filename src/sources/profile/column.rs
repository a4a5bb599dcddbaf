//! What is in one column.

use serde::Serialize;

use super::distinct::Distinct;
use super::kind::{DATE_FORMATS, Kind, Value, classify};

/// A value is shown only when it came at least so often, so that it points at nobody.
pub const MIN_COUNT: u64 = 11;

/// Frequent values shown of a column.
const SHOWN: usize = 5;

/// A column of more different values names things or people, and none of them is shown.
const MAX_DISTINCT: u64 = 1_000;

/// Share of the values that must be of a kind for the column to be.
const MOST: f64 = 0.95;

/// What is in a column.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ColumnProfile {
    /// Its name.
    pub name: String,
    /// What its values seem to be.
    pub kind: Kind,
    /// How its dates are written, as a `format` of a partition.
    pub format: Option<&'static str>,
    /// Values that are not of that kind.
    pub others: u64,
    /// Records without a value.
    pub nulls: u64,
    /// Different values.
    pub distinct: u64,
    /// Whether `distinct` is exact; else it is near.
    pub distinct_is_exact: bool,
    /// The smallest number, date or time; never a text.
    pub min: Option<String>,
    /// The largest.
    pub max: Option<String>,
    /// Bytes of the longest value.
    pub longest: usize,
    /// The most frequent values, of those that came at least [`MIN_COUNT`] times; none of a column that looks like an identifier.
    pub frequent: Vec<Frequent>,
}

/// A frequent value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Frequent {
    /// The value.
    pub value: String,
    /// How often it came.
    pub count: u64,
}

/// Gathers what is in a column.
pub(super) struct Gatherer {
    name: String,
    nulls: u64,
    longest: usize,
    kinds: [u64; Kind::COUNT],
    formats: [u64; DATE_FORMATS.len()],
    numbers: Range<f64>,
    dates: Range<chrono::NaiveDate>,
    times: Range<chrono::NaiveDateTime>,
    distinct: Distinct,
}

/// The smallest and the largest so far.
struct Range<T>(Option<(T, T)>);

impl<T: PartialOrd + Copy + ToString> Range<T> {
    fn add(&mut self, value: T) {
        self.0 = Some(match self.0 {
            None => (value, value),
            Some((min, _)) if value < min => (value, self.0.map_or(value, |(_, max)| max)),
            Some((min, max)) if value > max => (min, value),
            Some(range) => range,
        });
    }

    fn texts(&self) -> (Option<String>, Option<String>) {
        let texts = self.0.map(|(min, max)| (min.to_string(), max.to_string()));
        texts.unzip()
    }
}

impl Gatherer {
    /// A column of which `limit` different values are kept.
    pub(super) fn new(name: &str, limit: usize) -> Self {
        Self {
            name: name.to_owned(),
            nulls: 0,
            longest: 0,
            kinds: [0; Kind::COUNT],
            formats: [0; DATE_FORMATS.len()],
            numbers: Range(None),
            dates: Range(None),
            times: Range(None),
            distinct: Distinct::new(limit),
        }
    }

    /// Takes the next cell.
    pub(super) fn add(&mut self, cell: Option<&str>) {
        let Some(text) = cell else {
            self.nulls += 1;
            return;
        };
        self.longest = self.longest.max(text.len());
        self.distinct.add(text);
        let (kind, value, format) = classify(text);
        self.kinds[kind as usize] += 1;
        match value {
            Value::Number(number) => self.numbers.add(number),
            Value::Date(date) => {
                self.formats[format] += 1;
                self.dates.add(date);
            }
            Value::Time(time) => self.times.add(time),
            Value::None => {}
        }
    }

    /// What was gathered.
    pub(super) fn finish(self) -> ColumnProfile {
        let values: u64 = self.kinds.iter().sum();
        let (kind, of_kind) = self.kind(values);
        let (min, max) = match kind {
            Kind::Integer | Kind::Number => self.numbers.texts(),
            Kind::Date => self.dates.texts(),
            Kind::Time => self.times.texts(),
            Kind::Boolean | Kind::List | Kind::Text => (None, None),
        };
        let format = (0..self.formats.len()).max_by_key(|&place| self.formats[place]);
        let (distinct, distinct_is_exact) = self.distinct.count();
        let shown = if distinct > MAX_DISTINCT { 0 } else { SHOWN };
        let frequent = self.distinct.frequent(MIN_COUNT, shown);
        ColumnProfile {
            name: self.name,
            kind,
            format: format
                .filter(|_| kind == Kind::Date)
                .map(|place| DATE_FORMATS[place]),
            others: values - of_kind,
            nulls: self.nulls,
            distinct,
            distinct_is_exact,
            min,
            max,
            longest: self.longest,
            frequent: frequent
                .into_iter()
                .map(|(value, count)| Frequent { value, count })
                .collect(),
        }
    }

    /// The kind of nearly all values, and how many are of it; text takes all.
    fn kind(&self, values: u64) -> (Kind, u64) {
        let count = |kind: Kind| self.kinds[kind as usize];
        let numbers = count(Kind::Integer) + count(Kind::Number);
        [
            (Kind::Integer, count(Kind::Integer)),
            (Kind::Number, numbers),
            (Kind::Date, count(Kind::Date)),
            (Kind::Time, count(Kind::Time)),
            (Kind::Boolean, count(Kind::Boolean)),
            (Kind::List, count(Kind::List)),
        ]
        .into_iter()
        .find(|&(_, count)| count > 0 && count as f64 >= MOST * values as f64)
        .unwrap_or((Kind::Text, values))
    }
}
