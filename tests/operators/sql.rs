//! `sql` on both databases.

use galen::operators::{TaskError, Verdict};
use serde_json::{Value, json};

use crate::support::{TestDatabase, Try, databases};

async fn sql(database: &TestDatabase, with: Value) -> Result<Verdict, TaskError> {
    let files = [(
        "fill.sql",
        "INSERT INTO days (day, n) VALUES ('{{ ds }}', 1) ON CONFLICT (day) DO NOTHING;
         UPDATE days SET n = 2 WHERE day = '{{ ds }}'",
    )];
    let attempt = Try {
        database,
        files: &files,
        operator: "sql",
        with,
    };
    attempt.run().await
}

async fn value(database: &TestDatabase, query: &str) -> Value {
    let with = json!({"statements": [query], "output": "value"});
    match sql(database, with).await {
        Ok(Verdict::Done(outcome)) => outcome.outputs["value"].clone(),
        other => panic!("{query}: {other:?}"),
    }
}

const CREATE: &str = "CREATE TABLE IF NOT EXISTS days (day TEXT PRIMARY KEY, n BIGINT NOT NULL)";

#[tokio::test]
async fn a_file_is_rendered_and_may_run_twice() {
    for database in databases().await {
        sql(&database, json!({"statements": [CREATE]}))
            .await
            .expect("created");
        for _ in 0..2 {
            sql(&database, json!({"file": "fill.sql"}))
                .await
                .expect("filled");
        }
        assert_eq!(
            value(&database, "SELECT count(*) FROM days").await,
            1,
            "{}",
            database.name
        );
        let day = value(&database, "SELECT day FROM days WHERE n = 2").await;
        assert_eq!(day, "2026-01-01", "{}", database.name);
    }
}

#[tokio::test]
async fn a_statement_that_fails_takes_back_those_before_it() {
    for database in databases().await {
        sql(&database, json!({"statements": [CREATE]}))
            .await
            .expect("created");
        let statements = [
            "INSERT INTO days VALUES ('a', 1)",
            "INSERT INTO days VALUES ('b', NULL)",
        ];
        let error = sql(&database, json!({"statements": statements})).await;
        assert!(matches!(error, Err(TaskError::Permanent(_))), "{error:?}");
        assert_eq!(
            value(&database, "SELECT count(*) FROM days").await,
            0,
            "{}",
            database.name
        );
    }
}

#[tokio::test]
async fn the_output_is_the_first_value_and_wants_a_row() {
    for database in databases().await {
        assert_eq!(
            value(&database, "SELECT CAST(1.5 AS DOUBLE PRECISION), 2").await,
            1.5
        );
        assert_eq!(
            value(&database, "SELECT 'x' UNION ALL SELECT 'y' ORDER BY 1").await,
            "x"
        );
        assert_eq!(
            value(&database, "SELECT CAST(NULL AS TEXT)").await,
            Value::Null
        );
        let none = json!({"statements": ["SELECT 1 WHERE 1 = 0"], "output": "value"});
        assert!(sql(&database, none).await.is_err());
    }
}
