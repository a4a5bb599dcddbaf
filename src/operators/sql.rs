//! `sql`: statements on the DAG's records database.

use async_trait::async_trait;
use futures::TryStreamExt;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sqlx::{AssertSqlSafe, Column, Either, Row};

use super::{Operator, Outcome, TaskContext, TaskError, Verdict};
use crate::base::{Error, Result};
use crate::dag::template::{Scope, render};
use crate::dag::{Dag, DagFiles, Flaw};
use crate::db::Conn;
use crate::on_conn;

/// Runs SQL statements on the DAG's records database, all in one transaction. That running them again gives the same result
/// is for their author to see to. Give either `statements` or `file`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sql {
    /// The statements, in order.
    #[serde(default)]
    statements: Vec<String>,
    /// A file of statements in the DAG's folder. It may hold the same templates as `statements`, but for `outputs`.
    file: Option<String>,
    /// `value`: the first column of the first row of the last statement becomes the output `value`. Never a row's own data:
    /// outputs are kept and shown.
    output: Option<Output>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Output {
    Value,
}

#[async_trait]
impl Operator for Sql {
    fn check(&self, _dag: &Dag, files: &DagFiles) -> Vec<Flaw> {
        let flaw = match (self.statements.is_empty(), &self.file) {
            (false, Some(_)) => Flaw::at(
                "",
                "both `statements` and `file` are given, expected one of them",
            )
            .hint("remove one of the two"),
            (true, None) => Flaw::at("", "neither `statements` nor `file` is given")
                .hint("for example `statements: [\"DELETE FROM visits WHERE status = 'draft'\"]`"),
            (true, Some(file)) => match files.text(file) {
                Ok(_) => return Vec::new(),
                Err(error) => Flaw::at("/file", error.to_string())
                    .hint("the file belongs into the DAG's folder"),
            },
            (false, None) => return Vec::new(),
        };
        vec![flaw]
    }

    async fn run(&self, context: &TaskContext) -> Result<Verdict, TaskError> {
        let statements = self.texts(context)?;
        let work = async {
            let mut tx = context.records.begin().await?;
            let mut done = Done::default();
            for (n, statement) in statements.iter().enumerate() {
                done = run_script(tx.conn()?, statement).await?;
                let fields = json!({"statement": n + 1, "rows_changed": done.changed});
                context.log.info("statement done", fields);
            }
            tx.commit().await?;
            Ok::<_, Error>(done)
        };
        let done = tokio::select! {
            biased;
            () = context.cancel.cancelled() => return Err(TaskError::Cancelled),
            done = work => done?,
        };
        Ok(Verdict::Done(Outcome {
            outputs: self.outputs(done)?,
            ..Outcome::default()
        }))
    }
}

impl Sql {
    fn texts(&self, context: &TaskContext) -> Result<Vec<String>> {
        let Some(file) = &self.file else {
            return Ok(self.statements.clone());
        };
        let scope = Scope {
            dag_id: context.dag_id(),
            run_id: &context.run_id,
            task_id: Some(&context.task_id),
            try_number: context.try_number,
            interval: context.interval,
            params: &context.params,
            outputs: &Map::new(),
        };
        let text = Value::from(context.files.text(file)?.as_ref());
        match render(&text, &scope)? {
            Value::String(text) => Ok(vec![text]),
            _ => Err(Error::new(format!("file `{file}` holds no statement"))),
        }
    }

    fn outputs(&self, done: Done) -> Result<Map<String, Value>> {
        let mut outputs = Map::new();
        if self.output == Some(Output::Value) {
            let value = done.value.ok_or_else(|| {
                Error::new("the last statement returned no row, which `output: value` expects")
            })?;
            outputs.insert("value".to_owned(), value);
        }
        Ok(outputs)
    }
}

/// What came of a script.
#[derive(Debug, Default)]
struct Done {
    /// Rows its statements changed.
    changed: u64,
    /// The first value of the first row of the last statement that returned one.
    value: Option<Value>,
}

async fn run_script(conn: Conn<'_>, sql: &str) -> Result<Done> {
    let mut done = Done::default();
    on_conn!(conn, c => {
        let mut results = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_many(&mut *c);
        let mut first = true;
        while let Some(result) = results.try_next().await? {
            match result {
                Either::Left(statement) => {
                    done.changed += statement.rows_affected();
                    first = true;
                }
                Either::Right(row) if first => {
                    done.value = Some(first_value(&row)?);
                    first = false;
                }
                Either::Right(_) => {}
            }
        }
    });
    Ok(done)
}

/// The row's first value, whatever simple type it has.
fn first_value<R>(row: &R) -> Result<Value>
where
    R: Row,
    usize: sqlx::ColumnIndex<R>,
    for<'r> Option<i64>: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    for<'r> Option<i32>: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    for<'r> Option<f64>: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    for<'r> Option<bool>: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    for<'r> Option<String>: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
{
    if let Ok(value) = row.try_get::<Option<i64>, _>(0) {
        return Ok(json!(value));
    }
    if let Ok(value) = row.try_get::<Option<i32>, _>(0) {
        return Ok(json!(value));
    }
    if let Ok(value) = row.try_get::<Option<f64>, _>(0) {
        return Ok(json!(value));
    }
    if let Ok(value) = row.try_get::<Option<bool>, _>(0) {
        return Ok(json!(value));
    }
    if let Ok(value) = row.try_get::<Option<String>, _>(0) {
        return Ok(json!(value));
    }
    let name = row.columns().first().map_or("?", |column| column.name());
    Err(Error::new(format!(
        "column `{name}` is neither a number, a boolean nor a text"
    ))
    .hint("cast it to one of these in the statement"))
}
