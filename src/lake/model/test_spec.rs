//! A test of a model, as `models.yaml` says it.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::base::{Place, nearest, parse_duration};

/// What follows from a failed test.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The model's task fails, and what depends on it does not run.
    #[default]
    Error,
    /// It is reported.
    Warn,
}

/// A test.
#[derive(Debug, Clone, PartialEq)]
pub struct TestSpec {
    /// Unique within the model.
    pub name: String,
    /// What must hold.
    pub rule: Rule,
    /// What follows when it does not.
    pub severity: Severity,
    /// Failing rows that are borne.
    pub max_failures: Option<u64>,
    /// Percent of the rows looked at that are borne.
    pub max_percent: Option<f64>,
    /// Where it is written.
    pub place: Place,
}

/// What must hold of a model's rows.
#[derive(Debug, Clone, PartialEq)]
pub enum Rule {
    /// The column is never null.
    NotNull(String),
    /// No two rows have the same values in the columns; rows with a null among them are not looked at.
    Unique(Vec<String>),
    /// The column is null or one of these.
    AcceptedValues(String, Vec<Value>),
    /// The column is null or a value of column `field` of table `to`.
    Relationships {
        /// The column that refers.
        column: String,
        /// The full name of the table referred to.
        to: String,
        /// Its column.
        field: String,
    },
    /// The expression is true or null for every row.
    Expression(String),
    /// The number of rows is in these bounds.
    RowCount {
        /// The fewest.
        min: Option<u64>,
        /// The most.
        max: Option<u64>,
    },
    /// The highest value of the column is not older than this.
    Freshness {
        /// A column of dates or timestamps.
        column: String,
        /// The oldest that its highest value may be.
        max_age: Duration,
    },
}

/// Everything a test can be given.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Args {
    name: Option<String>,
    severity: Severity,
    max_failures: Option<u64>,
    max_percent: Option<f64>,
    column: Option<String>,
    columns: Vec<String>,
    values: Vec<Value>,
    to: Option<String>,
    field: Option<String>,
    sql: Option<String>,
    min: Option<u64>,
    max: Option<u64>,
    max_age: Option<String>,
}

const COMMON: [&str; 4] = ["name", "severity", "max_failures", "max_percent"];

/// Tests with the keys of their own.
const RULES: [(&str, &[&str]); 7] = [
    ("not_null", &["column"]),
    ("unique", &["column", "columns"]),
    ("accepted_values", &["column", "values"]),
    ("relationships", &["column", "to", "field"]),
    ("expression", &["sql"]),
    ("row_count", &["min", "max"]),
    ("freshness", &["column", "max_age"]),
];

/// What is wrong, and the way out.
type Wrong = (String, Option<String>);

impl TestSpec {
    /// The test that `value` says: its name alone, or a map from its name to what it needs. `column` is the one it stands under.
    pub fn read(value: &Value, column: Option<&str>, place: Place) -> Result<Self, Wrong> {
        let (rule, args) = match value {
            Value::String(rule) => (rule.as_str(), Map::new()),
            Value::Object(map) if map.len() == 1 => {
                let (rule, args) = map.iter().next().ok_or_else(|| wrong("expected a test"))?;
                match args {
                    Value::Object(args) => (rule.as_str(), args.clone()),
                    Value::Null => (rule.as_str(), Map::new()),
                    _ => {
                        return Err(wrong(&format!(
                            "test `{rule}`: expected a map, as `{{severity: warn}}`"
                        )));
                    }
                }
            }
            _ => {
                return Err(wrong(
                    "expected the name of a test, or a map from its name to what it needs",
                ));
            }
        };
        let Some((_, own)) = RULES.iter().find(|(name, _)| *name == rule) else {
            let names = RULES.map(|(name, _)| name);
            let hint = match nearest(rule, names) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("tests: {}", names.join(", ")),
            };
            return Err((format!("unknown test `{rule}`"), Some(hint)));
        };
        let keys = || COMMON.iter().chain(own.iter()).copied();
        if let Some(key) = args
            .keys()
            .find(|key| !keys().any(|known| known == key.as_str()))
        {
            let hint = match nearest(key, keys()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("keys: {}", keys().collect::<Vec<_>>().join(", ")),
            };
            return Err((format!("test `{rule}` has no key `{key}`"), Some(hint)));
        }
        let mut args: Args = serde_json::from_value(Value::Object(args))
            .map_err(|error| wrong(&format!("test `{rule}`: {error}")))?;
        args.column = args.column.or_else(|| column.map(str::to_owned));
        if args
            .max_percent
            .is_some_and(|percent| !(0.0..=100.0).contains(&percent))
        {
            return Err(wrong(&format!(
                "test `{rule}`: `max_percent` is not from 0 to 100"
            )));
        }
        let made = args.rule(rule)?;
        Ok(Self {
            name: args.name.unwrap_or_else(|| made.to_string()),
            rule: made,
            severity: args.severity,
            max_failures: args.max_failures,
            max_percent: args.max_percent,
            place,
        })
    }
}

impl Args {
    fn rule(&self, rule: &str) -> Result<Rule, Wrong> {
        let needed = |key: &str, value: &Option<String>| {
            value
                .clone()
                .ok_or_else(|| wrong(&format!("test `{rule}` needs `{key}`")))
        };
        let column = || needed("column", &self.column);
        Ok(match rule {
            "not_null" => Rule::NotNull(column()?),
            "unique" if self.columns.is_empty() => Rule::Unique(vec![column()?]),
            "unique" => Rule::Unique(self.columns.clone()),
            "accepted_values" if self.values.is_empty() => {
                return Err(wrong("test `accepted_values` needs `values`, a list"));
            }
            "accepted_values" => Rule::AcceptedValues(column()?, self.values.clone()),
            "relationships" => Rule::Relationships {
                column: column()?,
                to: needed("to", &self.to)?,
                field: needed("field", &self.field)?,
            },
            "expression" => Rule::Expression(needed("sql", &self.sql)?),
            "row_count" if self.min.is_none() && self.max.is_none() => {
                return Err(wrong("test `row_count` needs `min` or `max`"));
            }
            "row_count" => Rule::RowCount {
                min: self.min,
                max: self.max,
            },
            _ => Rule::Freshness {
                column: column()?,
                max_age: parse_duration(&needed("max_age", &self.max_age)?)
                    .map_err(|message| wrong(&message))?,
            },
        })
    }
}

impl Rule {
    /// The columns of the model that it names.
    pub fn columns(&self) -> Vec<&str> {
        match self {
            Self::NotNull(column)
            | Self::AcceptedValues(column, _)
            | Self::Relationships { column, .. }
            | Self::Freshness { column, .. } => vec![column],
            Self::Unique(columns) => columns.iter().map(String::as_str).collect(),
            Self::Expression(_) | Self::RowCount { .. } => Vec::new(),
        }
    }
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotNull(column) => write!(f, "not_null({column})"),
            Self::Unique(columns) => write!(f, "unique({})", columns.join(", ")),
            Self::AcceptedValues(column, _) => write!(f, "accepted_values({column})"),
            Self::Relationships { column, to, field } => {
                write!(f, "relationships({column} in {to}.{field})")
            }
            Self::Expression(sql) => write!(f, "expression({sql})"),
            Self::RowCount { .. } => f.write_str("row_count"),
            Self::Freshness { column, .. } => write!(f, "freshness({column})"),
        }
    }
}

fn wrong(message: &str) -> Wrong {
    (message.to_owned(), None)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_test_is_a_name_or_a_map() {
        let read = |value: Value| TestSpec::read(&value, Some("a"), Place::default());
        let test = read(json!("not_null")).expect("a test");
        assert_eq!(
            (test.name.as_str(), test.severity),
            ("not_null(a)", Severity::Error)
        );
        let test = read(
            json!({"unique": {"columns": ["a", "b"], "severity": "warn", "max_percent": 1.5}}),
        );
        assert_eq!(test.expect("a test").name, "unique(a, b)");
        let (message, hint) = read(json!("notnull")).expect_err("a typo");
        assert_eq!(
            (message.as_str(), hint.as_deref()),
            ("unknown test `notnull`", Some("did you mean `not_null`?"))
        );
        assert!(read(json!({"freshness": {"max_age": "2 days"}})).is_err());
        assert!(read(json!({"not_null": {"sverity": "warn"}})).is_err());
    }
}
