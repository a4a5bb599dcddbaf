//! What `{{ since }}` becomes.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, SecondsFormat, TimeDelta};
use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::scalar::ScalarValue;

use super::Building;
use crate::base::{Error, Result};
use crate::lake::compute::ASIDE;
use crate::lake::error::running;
use crate::lake::types::kept_schema;

impl Building<'_> {
    /// The literal that lies before every row.
    pub(super) async fn since_ever(&self) -> Result<String> {
        let Some(column) = self
            .model
            .header
            .since
            .as_deref()
            .filter(|_| self.model.since)
        else {
            return Ok("NULL".to_owned());
        };
        since_ever(self.query("NULL").await?.schema().as_arrow(), column)
    }

    /// The literal of the highest value in the table, known as `aside.target`, less the lookback.
    pub(super) async fn since_last(&self) -> Result<String> {
        let header = &self.model.header;
        let Some(column) = header.since.as_deref().filter(|_| self.model.since) else {
            return Ok("NULL".to_owned());
        };
        let sql = format!(
            "SELECT max({}) FROM {ASIDE}.target",
            crate::db::quote(column)
        );
        let batches = self.compute.rows(&sql).await?;
        let highest = batches.iter().find(|batch| batch.num_rows() > 0);
        let highest = highest
            .map(|batch| ScalarValue::try_from_array(batch.column(0), 0))
            .transpose()
            .map_err(running)?;
        match highest {
            Some(value) if !value.is_null() => literal(&value, header.lookback.unwrap_or_default()),
            _ => self.since_ever().await,
        }
    }
}

/// The literal that lies before every value of `column`, one of those of a query with `schema`.
///
/// # Errors
/// When its type has none.
pub(in crate::lake) fn since_ever(schema: &Schema, column: &str) -> Result<String> {
    let schema = kept_schema(schema)?;
    let field = schema.column_with_name(column);
    let kind = field.map(|(_, field)| field.data_type().clone());
    kind.as_ref().and_then(lowest).ok_or_else(|| {
        Error::new(format!(
            "`since` column `{column}` is neither a date, a timestamp, a whole number nor a text"
        ))
    })
}

fn lowest(kind: &DataType) -> Option<String> {
    Some(match kind {
        DataType::Timestamp(..) => instant("0001-01-01T00:00:00Z"),
        DataType::Date32 => "DATE '0001-01-01'".to_owned(),
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => {
            format!("CAST('{}' AS BIGINT)", i64::MIN)
        }
        DataType::Utf8 => "''".to_owned(),
        _ => return None,
    })
}

fn literal(value: &ScalarValue, lookback: Duration) -> Result<String> {
    let back = TimeDelta::from_std(lookback)
        .map_err(|error| Error::new("`lookback` is too long a time").because(error))?;
    let needs_time = || match lookback.is_zero() {
        true => Ok(()),
        false => Err(Error::new(
            "`lookback` needs a `since` column of dates or timestamps",
        )),
    };
    let text = match value {
        ScalarValue::TimestampMicrosecond(Some(micros), _) => {
            DateTime::from_timestamp_micros(*micros)
                .and_then(|time| time.checked_sub_signed(back))
                .map(|time| instant(&time.to_rfc3339_opts(SecondsFormat::Micros, true)))
        }
        ScalarValue::Date32(Some(days)) => {
            // a part of a day takes the whole day back
            let days = i64::from(*days)
                - back.num_days()
                - i64::from(back != TimeDelta::days(back.num_days()));
            let date = NaiveDate::default().checked_add_signed(TimeDelta::days(days));
            date.map(|date| format!("DATE '{date}'"))
        }
        ScalarValue::Utf8(Some(text)) | ScalarValue::Utf8View(Some(text)) => {
            needs_time()?;
            Some(format!("'{}'", text.replace('\'', "''")))
        }
        ScalarValue::Int8(Some(_))
        | ScalarValue::Int16(Some(_))
        | ScalarValue::Int32(Some(_))
        | ScalarValue::Int64(Some(_)) => {
            needs_time()?;
            Some(format!("CAST('{value}' AS BIGINT)"))
        }
        _ => None,
    };
    text.ok_or_else(|| Error::new("`{{ since }}` has no literal for the values of its column"))
}

fn instant(text: &str) -> String {
    format!("arrow_cast('{text}', 'Timestamp(Microsecond, Some(\"UTC\"))')")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lookback_goes_back() {
        let day = ScalarValue::Date32(Some(10));
        let text = |value: &ScalarValue, hours: u64| {
            literal(value, Duration::from_secs(hours * 3600)).expect("a literal")
        };
        assert_eq!(text(&day, 0), "DATE '1970-01-11'");
        assert_eq!(text(&day, 36), "DATE '1970-01-09'");
        let time = ScalarValue::TimestampMicrosecond(Some(7_200_000_000), Some("UTC".into()));
        assert!(text(&time, 1).contains("'1970-01-01T01:00:00.000000Z'"));
        assert!(literal(&ScalarValue::Int64(Some(1)), Duration::from_secs(1)).is_err());
    }
}
