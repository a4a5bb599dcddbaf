//! One column of many rows, as both databases take it.

use std::borrow::Cow;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::Arguments as _;
use sqlx::error::BoxDynError;
use sqlx::postgres::PgArguments;
use sqlx::sqlite::SqliteArguments;

/// A text on its way into a statement. Statements run on another thread, so a shared one is passed on and a borrowed one copied.
#[derive(Debug, Clone)]
pub enum Text<'a> {
    /// Of somebody else.
    Borrowed(&'a str),
    /// Of everybody who needs it.
    Shared(Arc<str>),
}

impl Text<'_> {
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Shared(text) => text,
        }
    }

    fn shared(&self) -> Arc<str> {
        match self {
            Self::Borrowed(text) => Arc::from(*text),
            Self::Shared(text) => Arc::clone(text),
        }
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self::Borrowed(text)
    }
}

impl From<Arc<str>> for Text<'_> {
    fn from(text: Arc<str>) -> Self {
        Self::Shared(text)
    }
}

impl From<String> for Text<'_> {
    fn from(text: String) -> Self {
        Self::Shared(text.into())
    }
}

impl<'a> From<Cow<'a, str>> for Text<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        match text {
            Cow::Borrowed(text) => text.into(),
            Cow::Owned(text) => text.into(),
        }
    }
}

/// The cells of a column, one type for all.
#[derive(Debug)]
pub(super) enum Cells<'a> {
    Text(Vec<Option<Text<'a>>>),
    Int(Vec<Option<i64>>),
    Float(Vec<Option<f64>>),
    Bool(Vec<Option<bool>>),
    Time(Vec<Option<DateTime<Utc>>>),
    Date(Vec<Option<NaiveDate>>),
}

/// Applies one body to the vector of cells of whichever type, texts apart.
macro_rules! on_cells {
    ($cells:expr, $texts:ident => $text_body:expr, $vec:ident => $body:expr) => {
        match $cells {
            Cells::Text($texts) => $text_body,
            Cells::Int($vec) => $body,
            Cells::Float($vec) => $body,
            Cells::Bool($vec) => $body,
            Cells::Time($vec) => $body,
            Cells::Date($vec) => $body,
        }
    };
}

impl Cells<'_> {
    pub fn len(&self) -> usize {
        on_cells!(self, texts => texts.len(), vec => vec.len())
    }

    pub const fn postgres_type(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Int(_) => "bigint",
            Self::Float(_) => "float8",
            Self::Bool(_) => "boolean",
            Self::Time(_) => "timestamptz",
            Self::Date(_) => "date",
        }
    }

    /// Adds the cell of row `row`.
    pub fn add_to_sqlite(
        &self,
        row: usize,
        arguments: &mut SqliteArguments,
    ) -> Result<(), BoxDynError> {
        match self {
            Self::Text(texts) => arguments.add(texts[row].as_ref().map(Text::shared)),
            Self::Int(numbers) => arguments.add(numbers[row]),
            Self::Float(numbers) => arguments.add(numbers[row]),
            Self::Bool(values) => arguments.add(values[row]),
            Self::Time(times) => arguments.add(times[row]),
            // the text that sqlx writes, in a third of the time
            Self::Date(dates) => arguments.add(dates[row].map(|date| date.to_string())),
        }
    }

    /// The one cell that all are equal to, as a column of that cell.
    pub fn only(&self) -> Option<Self> {
        macro_rules! first_of {
            ($variant:ident, $cells:expr) => {{
                let first = $cells.first()?;
                let alike = $cells.iter().all(|cell| cell == first);
                alike.then(|| Self::$variant(vec![first.clone()]))
            }};
        }
        match self {
            Self::Text(cells) => first_of!(Text, cells),
            Self::Int(cells) => first_of!(Int, cells),
            // 0.0 and -0.0 are equal, and two values
            Self::Float(cells) => {
                let bits = |cell: &Option<f64>| cell.map(f64::to_bits);
                let first = cells.first()?;
                let alike = cells.iter().all(|cell| bits(cell) == bits(first));
                alike.then(|| Self::Float(vec![*first]))
            }
            Self::Bool(cells) => first_of!(Bool, cells),
            Self::Time(cells) => first_of!(Time, cells),
            Self::Date(cells) => first_of!(Date, cells),
        }
    }

    /// Adds the only cell.
    pub fn add_only_to_postgres(&self, arguments: &mut PgArguments) -> Result<(), BoxDynError> {
        on_cells!(
            self,
            texts => arguments.add(texts[0].as_ref().map(Text::as_str)),
            vec => arguments.add(vec[0])
        )
    }

    /// Adds all cells as one array.
    pub fn add_to_postgres(&self, arguments: &mut PgArguments) -> Result<(), BoxDynError> {
        on_cells!(
            self,
            texts => {
                let texts = texts.iter().map(|text| text.as_ref().map(Text::as_str));
                arguments.add(texts.collect::<Vec<_>>())
            },
            vec => arguments.add(vec)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_one_cell_only_when_all_are_the_same() {
        let alike = |cells: Cells<'_>| cells.only().is_some();
        assert!(alike(Cells::Int(vec![Some(1), Some(1)])));
        assert!(alike(Cells::Bool(vec![None, None])));
        assert!(!alike(Cells::Int(vec![Some(1), None])));
        assert!(!alike(Cells::Float(vec![Some(0.0), Some(-0.0)])));
        let texts = [Text::Borrowed("a"), Text::Shared("a".into())].map(Some);
        assert!(alike(Cells::Text(texts.to_vec())));
    }
}
