//! Reading a row of a result, whichever database it came from.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Error, Result, Row};

use crate::base::Digest;

/// A row with its columns by name. Implement `sqlx::FromRow<'r, R> for T` over `R: AnyRow` and `T` reads from both databases.
pub trait AnyRow: Row {
    /// A text.
    fn text(&self, column: &str) -> Result<String>;
    /// A text or null.
    fn text_or_null(&self, column: &str) -> Result<Option<String>>;
    /// A whole number.
    fn int(&self, column: &str) -> Result<i64>;
    /// A whole number or null.
    fn int_or_null(&self, column: &str) -> Result<Option<i64>>;
    /// A truth value.
    fn flag(&self, column: &str) -> Result<bool>;
    /// A time.
    fn time(&self, column: &str) -> Result<DateTime<Utc>>;
    /// A time or null.
    fn time_or_null(&self, column: &str) -> Result<Option<DateTime<Utc>>>;

    /// A whole number that is never negative.
    fn count(&self, column: &str) -> Result<u64> {
        u64::try_from(self.int(column)?).map_err(|error| decode(column, error))
    }

    /// A small whole number that is never negative.
    fn small(&self, column: &str) -> Result<u32> {
        u32::try_from(self.int(column)?).map_err(|error| decode(column, error))
    }

    /// A text that is the name of a value, such as a state.
    fn parsed<T: FromStr<Err: ToString>>(&self, column: &str) -> Result<T> {
        let text = self.text(column)?;
        text.parse()
            .map_err(|error: T::Err| decode(column, error.to_string()))
    }

    /// A text that is a SHA-256 digest.
    fn digest(&self, column: &str) -> Result<Digest> {
        Digest::parse(&self.text(column)?)
            .ok_or_else(|| decode(column, "expected 64 hexadecimal digits"))
    }

    /// A text that is JSON.
    fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T> {
        serde_json::from_str(&self.text(column)?).map_err(|error| decode(column, error))
    }

    /// A text that is JSON, or null.
    fn json_or_null<T: DeserializeOwned>(&self, column: &str) -> Result<Option<T>> {
        let text = self.text_or_null(column)?;
        text.map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(|error| decode(column, error))
    }
}

macro_rules! any_row {
    ($row:ty) => {
        impl AnyRow for $row {
            fn text(&self, column: &str) -> Result<String> {
                self.try_get(column)
            }
            fn text_or_null(&self, column: &str) -> Result<Option<String>> {
                self.try_get(column)
            }
            fn int(&self, column: &str) -> Result<i64> {
                self.try_get(column)
            }
            fn int_or_null(&self, column: &str) -> Result<Option<i64>> {
                self.try_get(column)
            }
            fn flag(&self, column: &str) -> Result<bool> {
                self.try_get(column)
            }
            fn time(&self, column: &str) -> Result<DateTime<Utc>> {
                self.try_get(column)
            }
            fn time_or_null(&self, column: &str) -> Result<Option<DateTime<Utc>>> {
                self.try_get(column)
            }
        }
    };
}
any_row!(SqliteRow);
any_row!(PgRow);

fn decode(
    column: &str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync + 'static>>,
) -> Error {
    Error::ColumnDecode {
        index: format!("`{column}`"),
        source: source.into(),
    }
}
