//! Evaluating tests: those that look at single rows in one pass over them.

use chrono::{DateTime, Utc};
use datafusion::arrow::array::AsArray;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, TimestampMicrosecondType};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use serde_json::Value;

use super::{Counted, TestResult};
use crate::base::{Error, Place, Result};
use crate::db::quote;
use crate::lake::build::DeadEnd;
use crate::lake::compute::{Compute, Joins};
use crate::lake::error::{is_exhausted, running};
use crate::lake::model::{Model, Rule, TableName, TestSpec};
use crate::lake::turn::shared_turn;
use crate::lake::types::instant;
use crate::lake::warehouse::{Warehouse, numbers, quoted};

/// Keys of failing rows that are kept, at most.
const MOST_KEYS: usize = 100;

impl Warehouse {
    /// Evaluates the tests of a model on its rows and keeps what was counted, with the losses of its build.
    ///
    /// # Errors
    /// When the model is unknown or was not built; a test that cannot be evaluated is a result.
    pub async fn test(
        &self,
        full_name: &str,
        dead_ends: &[DeadEnd],
        now: DateTime<Utc>,
    ) -> Result<Vec<TestResult>> {
        let model = self.models.model(full_name)?;
        let name = model.full_name();
        let table = [TableName {
            schema: Some(model.layer.clone()),
            table: model.name.clone(),
            place: Place::default(),
        }];
        let mut turn = shared_turn().await;
        let compute = self.session_with(&table, None, Joins::Fast).await?;
        let mut counted = Vec::with_capacity(model.tests.len());
        let rows = self.count_rows(model, &compute).await?;
        for (test, rows) in model.tests.iter().zip(rows) {
            let mut one = match rows {
                Some(counted) => Ok(counted),
                None => self.count_apart(model, test, &compute, now).await,
            };
            if one.as_ref().is_err_and(is_exhausted) {
                turn.alone().await;
                let compute = self.session_with(&table, None, Joins::Frugal).await?;
                one = self.count_apart(model, test, &compute, now).await;
            }
            let one = match one {
                Ok(mut one) => {
                    if one.failed > 0 {
                        one.keys = keys(model, test, &compute).await?;
                    }
                    one
                }
                Err(error) => Counted {
                    error: Some(error.to_string()),
                    ..Counted::default()
                },
            };
            counted.push(one);
        }
        let results: Vec<TestResult> = model
            .tests
            .iter()
            .zip(counted)
            .map(|(test, counted)| TestResult::judged(&name, test, counted))
            .collect();
        let dead_ends = dead_ends.iter().map(ToString::to_string).collect();
        self.keep(model, now, dead_ends, &results)?;
        Ok(results)
    }

    /// Tests that look at one row at a time, all at once; `None` for the others, and for all when together they do not run.
    async fn count_rows(&self, model: &Model, compute: &Compute) -> Result<Vec<Option<Counted>>> {
        let parts: Vec<Option<(String, String)>> = model
            .tests
            .iter()
            .map(|test| row_test(&test.rule))
            .collect();
        let list: Vec<String> = parts
            .iter()
            .flatten()
            .map(|(checked, failed)| {
                format!("count(*) FILTER (WHERE {checked}), count(*) FILTER (WHERE {failed})")
            })
            .collect();
        if list.is_empty() {
            return Ok(vec![None; parts.len()]);
        }
        let sql = format!(
            "SELECT {} FROM {}",
            list.join(", "),
            quoted(&model.full_name())
        );
        let Ok(found) = numbers(compute, &sql).await else {
            // one of them cannot be evaluated: each apart says which
            return Ok(vec![None; parts.len()]);
        };
        let mut found = found.into_iter();
        let mut take = || {
            Some(Counted {
                checked: found.next()?,
                failed: found.next()?,
                ..Counted::default()
            })
        };
        Ok(parts
            .iter()
            .map(|part| part.as_ref().and_then(|_| take()))
            .collect())
    }

    async fn count_apart(
        &self,
        model: &Model,
        test: &TestSpec,
        compute: &Compute,
        now: DateTime<Utc>,
    ) -> Result<Counted> {
        let table = quoted(&model.full_name());
        let sql = match &test.rule {
            Rule::Unique(columns) => {
                let list: Vec<String> = columns.iter().map(|column| quote(column)).collect();
                let present = present(columns);
                format!(
                    "SELECT coalesce(sum(n), 0), coalesce(sum(CASE WHEN n > 1 THEN n ELSE 0 END), 0)
                     FROM (SELECT count(*) AS n FROM {table} WHERE {present} GROUP BY {})",
                    list.join(", ")
                )
            }
            Rule::Relationships { column, to, field } => {
                let (schema, parent) = to
                    .split_once('.')
                    .ok_or_else(|| Error::new(format!("no table `{to}`")))?;
                self.register(compute, schema, parent, None).await?;
                format!(
                    "SELECT (SELECT count({}) FROM {table}), count(*) FROM {table} t WHERE {}",
                    quote(column),
                    orphan(column, to, field)
                )
            }
            Rule::RowCount { min, max } => {
                let rows = self.count(&model.full_name()).await?;
                let inside = min.is_none_or(|min| rows >= min) && max.is_none_or(|max| rows <= max);
                return Ok(Counted {
                    checked: 1,
                    failed: u64::from(!inside),
                    ..Counted::default()
                });
            }
            Rule::Freshness { column, max_age } => {
                let newest = newest(compute, &table, column).await?;
                let Some(newest) = newest else {
                    return Ok(Counted::default());
                };
                let age = now
                    .signed_duration_since(newest)
                    .to_std()
                    .unwrap_or_default();
                return Ok(Counted {
                    checked: 1,
                    failed: u64::from(age > *max_age),
                    ..Counted::default()
                });
            }
            rule => match row_test(rule) {
                Some((checked, failed)) => {
                    format!(
                        "SELECT count(*) FILTER (WHERE {checked}), count(*) FILTER (WHERE {failed}) FROM {table}"
                    )
                }
                None => return Err(Error::new("the test cannot be evaluated")),
            },
        };
        let found = numbers(compute, &sql).await?;
        Ok(Counted {
            checked: found.first().copied().unwrap_or(0),
            failed: found.get(1).copied().unwrap_or(0),
            ..Counted::default()
        })
    }
}

/// Which rows a test looks at and which of them fail, when it looks at one at a time.
fn row_test(rule: &Rule) -> Option<(String, String)> {
    Some(match rule {
        Rule::NotNull(column) => ("true".to_owned(), format!("{} IS NULL", quote(column))),
        Rule::AcceptedValues(column, values) => {
            let column = quote(column);
            let values: Vec<String> = values.iter().map(literal).collect();
            (
                format!("{column} IS NOT NULL"),
                format!("{column} NOT IN ({})", values.join(", ")),
            )
        }
        Rule::Expression(sql) => ("true".to_owned(), format!("NOT ({sql})")),
        _ => return None,
    })
}

/// Which rows fail, as a condition on the model's rows `t`.
fn failing(model: &Model, rule: &Rule) -> Option<String> {
    match rule {
        Rule::Unique(columns) => {
            let list: Vec<String> = columns.iter().map(|column| quote(column)).collect();
            let same: Vec<String> = list
                .iter()
                .map(|column| format!("u.{column} = t.{column}"))
                .collect();
            let list = list.join(", ");
            Some(format!(
                "EXISTS (SELECT 1 FROM (SELECT {list} FROM {} GROUP BY {list} HAVING count(*) > 1) u WHERE {})",
                quoted(&model.full_name()),
                same.join(" AND ")
            ))
        }
        Rule::Relationships { column, to, field } => Some(orphan(column, to, field)),
        rule => row_test(rule).map(|(_, failed)| failed),
    }
}

fn orphan(column: &str, to: &str, field: &str) -> String {
    let (column, field) = (quote(column), quote(field));
    format!(
        "t.{column} IS NOT NULL AND NOT EXISTS (SELECT 1 FROM {} p WHERE p.{field} = t.{column})",
        quoted(to)
    )
}

fn present(columns: &[String]) -> String {
    let parts: Vec<String> = columns
        .iter()
        .map(|column| format!("{} IS NOT NULL", quote(column)))
        .collect();
    parts.join(" AND ")
}

fn literal(value: &Value) -> String {
    match value {
        Value::String(text) => format!("'{}'", text.replace('\'', "''")),
        Value::Null => "NULL".to_owned(),
        other => other.to_string(),
    }
}

/// Keys of rows that fail; none when the model has no `unique_key`.
async fn keys(model: &Model, test: &TestSpec, compute: &Compute) -> Result<Vec<String>> {
    let key = &model.header.unique_key;
    let (false, Some(failing)) = (key.is_empty(), failing(model, &test.rule)) else {
        return Ok(Vec::new());
    };
    let list: Vec<String> = key
        .iter()
        .map(|column| format!("t.{}", quote(column)))
        .collect();
    let list = list.join(", ");
    let sql = format!(
        "SELECT {list} FROM {} t WHERE {failing} ORDER BY {list} LIMIT {MOST_KEYS}",
        quoted(&model.full_name())
    );
    let batches = compute.rows(&sql).await?;
    let mut keys = Vec::new();
    let options = FormatOptions::default().with_null("");
    for batch in &batches {
        let columns = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options));
        let columns = columns
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| running(error.into()))?;
        for row in 0..batch.num_rows() {
            let parts: Vec<String> = columns
                .iter()
                .map(|column| column.value(row).to_string())
                .collect();
            keys.push(parts.join("/"));
        }
    }
    Ok(keys)
}

/// The highest value of a column of dates or timestamps.
async fn newest(compute: &Compute, table: &str, column: &str) -> Result<Option<DateTime<Utc>>> {
    let sql = format!("SELECT max({}) FROM {table}", quote(column));
    let batches = compute.rows(&sql).await?;
    let Some(batch) = batches.iter().find(|batch| batch.num_rows() > 0) else {
        return Ok(None);
    };
    let value = batch.column(0);
    if !matches!(
        value.data_type(),
        DataType::Date32 | DataType::Timestamp(..)
    ) {
        return Err(Error::new(format!(
            "column `{column}` holds neither dates nor timestamps"
        )));
    }
    let value = cast(value, &instant()).map_err(|error| running(error.into()))?;
    let micros = value.as_primitive_opt::<TimestampMicrosecondType>();
    let micros = micros.and_then(|micros| micros.iter().next().flatten());
    Ok(micros.and_then(DateTime::from_timestamp_micros))
}
