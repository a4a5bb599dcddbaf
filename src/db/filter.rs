//! A `SELECT` whose conditions are known only when it is asked.

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;

use super::{Conn, FromAnyRow, on_conn};
use crate::base::Result;

/// Conditions joined by `AND`, with their parameters.
#[derive(Debug, Default)]
pub struct Filter {
    conditions: Vec<String>,
    values: Vec<Value>,
}

#[derive(Debug)]
enum Value {
    Text(String),
    Time(DateTime<Utc>),
}

impl Filter {
    /// Adds `condition` about a text, when there is one; `{}` stands for it.
    pub fn text(&mut self, condition: &str, value: Option<impl Into<String>>) {
        if let Some(value) = value {
            self.push(condition, Value::Text(value.into()));
        }
    }

    /// Adds `condition` about a time, when there is one; `{}` stands for it.
    pub fn time(&mut self, condition: &str, value: Option<DateTime<Utc>>) {
        if let Some(value) = value {
            self.push(condition, Value::Time(value));
        }
    }

    /// Says that `column` is one of `values`; none at all is no condition.
    pub fn one_of(&mut self, column: &str, values: impl IntoIterator<Item = impl Into<String>>) {
        let first = self.values.len() + 1;
        self.values
            .extend(values.into_iter().map(|value| Value::Text(value.into())));
        let marks: Vec<String> = (first..=self.values.len())
            .map(|n| format!("${n}"))
            .collect();
        if !marks.is_empty() {
            self.conditions
                .push(format!("{column} IN ({})", marks.join(", ")));
        }
    }

    fn push(&mut self, condition: &str, value: Value) {
        self.values.push(value);
        let mark = format!("${}", self.values.len());
        self.conditions.push(condition.replace("{}", &mark));
    }

    /// Runs `sql`, in which `{where}` stands for the conditions, and takes at most `limit` rows.
    ///
    /// # Errors
    /// The database's, mapped.
    pub async fn fetch<T: FromAnyRow>(
        self,
        conn: Conn<'_>,
        sql: &str,
        limit: Option<u32>,
    ) -> Result<Vec<T>> {
        let conditions = match self.conditions.as_slice() {
            [] => String::new(),
            some => format!("WHERE {}", some.join(" AND ")),
        };
        let mut sql = sql.replace("{where}", &conditions);
        if let Some(limit) = limit {
            sql.push_str(&format!(" LIMIT {limit}"));
        }
        let sql = AssertSqlSafe(sql);
        Ok(on_conn!(conn, c => {
            let mut query = sqlx::query_as(sql);
            for value in self.values {
                query = match value {
                    Value::Text(text) => query.bind(text),
                    Value::Time(time) => query.bind(time),
                };
            }
            query.fetch_all(&mut *c).await
        })?)
    }
}
