//! Templates in a task's parameters: minijinja, where an undefined name is an error.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use chrono::{DateTime, Days, NaiveDate, Utc};
use chrono_tz::Tz;
use minijinja::value::Serde;
use minijinja::{Environment, ErrorKind, UndefinedBehavior};
use serde_json::{Map, Value, json};

use crate::base::{DagId, Error, Interval, Result, RunId, TaskId};

/// What a template may name.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The DAG.
    pub dag_id: &'a DagId,
    /// The run.
    pub run_id: &'a RunId,
    /// The task; `None` in a hook of the run, where `task_id` is empty.
    pub task_id: Option<&'a TaskId>,
    /// Number of the try, from 1.
    pub try_number: u32,
    /// The run's data interval; its start is the logical date.
    pub interval: Interval,
    /// The run's parameters, defaults filled in.
    pub params: &'a Map<String, Value>,
    /// Outputs of tasks that are done, by task and key.
    pub outputs: &'a Map<String, Value>,
}

/// The names of [`Scope`] as templates write them.
pub const NAMES: [&str; 12] = [
    "ds",
    "ds_nodash",
    "ts",
    "ts_nodash",
    "logical_date",
    "data_interval_start",
    "data_interval_end",
    "run_id",
    "dag_id",
    "task_id",
    "try_number",
    "params",
];

/// The name under which outputs of other tasks are found.
pub const OUTPUTS: &str = "outputs";

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.add_filter("ds_add", ds_add);
    environment.add_filter("date", date);
    environment
});

impl Scope<'_> {
    /// The names and values in the template engine's own form.
    pub(super) fn context(&self) -> minijinja::Value {
        let start = self.interval.start;
        minijinja::Value::from(Serde(json!({
            "ds": start.format("%Y-%m-%d").to_string(),
            "ds_nodash": start.format("%Y%m%d").to_string(),
            "ts": timestamp(start),
            "ts_nodash": start.format("%Y%m%dT%H%M%S").to_string(),
            "logical_date": timestamp(start),
            "data_interval_start": timestamp(start),
            "data_interval_end": timestamp(self.interval.end),
            "run_id": self.run_id,
            "dag_id": self.dag_id,
            "task_id": self.task_id.map_or("", TaskId::as_str),
            "try_number": self.try_number,
            "params": self.params,
            "outputs": self.outputs,
        })))
    }
}

/// Renders every string inside `value`. A string that is exactly one `{{ expression }}` becomes the expression's own
/// value (a number, a list); a value without templates is cloned.
///
/// # Errors
/// A syntax error or a name that is not defined; the message names the template.
pub fn render(value: &Value, scope: &Scope<'_>) -> Result<Value> {
    if !has_template(value) {
        return Ok(value.clone());
    }
    render_value(value, &scope.context())
}

/// Renders a `when:` template to true or false.
///
/// # Errors
/// As [`render`], and when the result is neither.
pub fn render_when(text: &str, scope: &Scope<'_>) -> Result<bool> {
    condition(&render_text(text, &scope.context())?)
}

/// What a rendered `when:` says.
pub(super) fn condition(rendered: &Value) -> Result<bool> {
    match rendered {
        Value::Bool(value) => Ok(*value),
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(not_a_condition(text)),
        },
        other => Err(not_a_condition(&other.to_string())),
    }
}

fn not_a_condition(rendered: &str) -> Error {
    Error::new(format!(
        "`when` rendered to `{rendered}`, expected `true` or `false`"
    ))
    .hint("write a comparison, as `{{ outputs.load.rows > 0 }}`")
}

/// Whether any string inside `value` is a template.
pub fn has_template(value: &Value) -> bool {
    match value {
        Value::String(text) => is_template(text),
        Value::Array(items) => items.iter().any(has_template),
        Value::Object(map) => map.values().any(has_template),
        _ => false,
    }
}

/// Whether `text` holds an expression or a statement.
pub fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%") || text.contains("{#")
}

/// The names that `text` looks up, with attributes as far as they are plain, as `params.day`; the environment's own
/// functions and the template's own variables left out.
///
/// # Errors
/// A syntax error.
pub fn references(text: &str) -> Result<BTreeSet<String>> {
    let found = match lone_expression(text) {
        Some(inner) => ENVIRONMENT
            .compile_expression(inner)
            .map(|expression| expression.undeclared_variables(true)),
        None => ENVIRONMENT
            .template_from_str(text)
            .map(|template| template.undeclared_variables(true)),
    };
    let mut names: BTreeSet<String> = found
        .map_err(|error| describe(text, &error))?
        .into_iter()
        .collect();
    for (global, _) in ENVIRONMENT.globals() {
        names.remove(global);
    }
    Ok(names)
}

fn render_value(value: &Value, context: &minijinja::Value) -> Result<Value> {
    Ok(match value {
        Value::String(text) if is_template(text) => render_text(text, context)?,
        Value::Array(items) => items
            .iter()
            .map(|item| render_value(item, context))
            .collect::<Result<_>>()?,
        Value::Object(map) => map
            .iter()
            .map(|(key, item)| Ok((key.clone(), render_value(item, context)?)))
            .collect::<Result<Map<_, _>>>()?
            .into(),
        other => other.clone(),
    })
}

/// Renders one string.
pub(super) fn render_text(text: &str, context: &minijinja::Value) -> Result<Value> {
    let rendered = match lone_expression(text) {
        Some(inner) => native(inner, context),
        None => ENVIRONMENT.render_str(text, context).map(Value::String),
    };
    rendered.map_err(|error| describe(text, &error))
}

fn native(expression: &str, context: &minijinja::Value) -> Result<Value, minijinja::Error> {
    let value = ENVIRONMENT.compile_expression(expression)?.eval(context)?;
    if value.is_undefined() {
        return Err(ErrorKind::UndefinedError.into());
    }
    serde_json::to_value(&value).map_err(|error| {
        minijinja::Error::new(ErrorKind::BadSerialization, "the value is not JSON")
            .with_source(error)
    })
}

/// The inside of a text that is one `{{ … }}` and nothing else.
fn lone_expression(text: &str) -> Option<&str> {
    let inner = text.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    let another = ["{{", "}}", "{%", "{#"]
        .iter()
        .any(|mark| inner.contains(mark));
    let trims_space = inner.starts_with(['-', '+']) || inner.ends_with(['-', '+']);
    (!another && !trims_space).then_some(inner)
}

fn describe(text: &str, error: &minijinja::Error) -> Error {
    let mut what = match error.detail() {
        Some(detail) => format!("{} ({detail})", error.kind()),
        None => error.kind().to_string(),
    };
    if let Some(part) = error.range().and_then(|range| text.get(range))
        && error.kind() == ErrorKind::UndefinedError
        && lone_expression(text).is_none()
    {
        what = format!("`{part}` is not defined");
    }
    Error::new(format!("template `{}`: {what}", text.trim()))
}

fn timestamp(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%S+00:00").to_string()
}

/// `{{ ds | ds_add(-7) }}`: the date so many days later.
fn ds_add(ds: &str, days: i64) -> Result<String, minijinja::Error> {
    let date = NaiveDate::parse_from_str(ds, "%Y-%m-%d").map_err(|_| {
        invalid(format!(
            "`ds_add` takes a date such as `2026-01-31`, got `{ds}`"
        ))
    })?;
    let step = Days::new(days.unsigned_abs());
    let moved = if days < 0 {
        date.checked_sub_days(step)
    } else {
        date.checked_add_days(step)
    };
    moved
        .map(|date| date.format("%Y-%m-%d").to_string())
        .ok_or_else(|| invalid(format!("`ds_add({days})` leaves the calendar")))
}

/// `{{ data_interval_start | date("%Y/%m", "Europe/Madrid") }}`: a timestamp in another form and time zone (UTC without one).
fn date(time: &str, format: &str, zone: Option<&str>) -> Result<String, minijinja::Error> {
    let time = DateTime::parse_from_rfc3339(time).map_err(|_| {
        invalid(format!(
            "`date` takes a timestamp such as `data_interval_start`, got `{time}`"
        ))
    })?;
    let zone: Tz = zone.unwrap_or("UTC").parse().map_err(|_| {
        invalid("`date` takes an IANA time zone such as `Europe/Madrid`".to_owned())
    })?;
    let items: Vec<_> = chrono::format::StrftimeItems::new(format).collect();
    if items.contains(&chrono::format::Item::Error) {
        return Err(invalid(format!("`{format}` is not a date format")));
    }
    let local = time.with_timezone(&zone);
    Ok(local.format_with_items(items.into_iter()).to_string())
}

fn invalid(message: String) -> minijinja::Error {
    minijinja::Error::new(ErrorKind::InvalidOperation, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_scope<T>(test: impl FnOnce(&Scope<'_>) -> T) -> T {
        let params = json!({"max_rows": 5, "days": [1, 2], "name": "x"});
        let outputs = json!({"load": {"rows": 12}});
        let time = |text: &str| text.parse::<DateTime<Utc>>().expect("time");
        test(&Scope {
            dag_id: &"d".into(),
            run_id: &"d__manual__1".into(),
            task_id: Some(&"t".into()),
            try_number: 2,
            interval: Interval::new(time("2026-01-31T02:00:00Z"), time("2026-02-01T02:00:00Z"))
                .expect("interval"),
            params: params.as_object().expect("map"),
            outputs: outputs.as_object().expect("map"),
        })
    }

    #[test]
    fn renders_text_and_native_values() {
        let given = json!({
            "path": "in/{{ ds_nodash }}/{{ params.name }}.csv",
            "rows": "{{ params.max_rows }}",
            "list": ["{{ params.days }}", 7],
            "sum": "{{ outputs.load.rows + try_number }}",
            "text": "{{ params.max_rows }} rows",
            "next": "{{ ds | ds_add(1) }}",
            "local": "{{ data_interval_end | date('%d.%m. %H:%M', 'Europe/Madrid') }}",
            "plain": "a } b",
        });
        let rendered = with_scope(|scope| render(&given, scope)).expect("renders");
        let expected = json!({
            "path": "in/20260131/x.csv",
            "rows": 5,
            "list": [[1, 2], 7],
            "sum": 14,
            "text": "5 rows",
            "next": "2026-02-01",
            "local": "01.02. 03:00",
            "plain": "a } b",
        });
        assert_eq!(rendered, expected);
    }

    #[test]
    fn every_name_is_defined() {
        with_scope(|scope| {
            for name in NAMES.into_iter().chain([OUTPUTS]) {
                let value = json!(format!("{{{{ {name} }}}}"));
                render(&value, scope).expect(name);
            }
        });
    }

    #[test]
    fn refuses_what_is_not_defined() {
        for text in [
            "{{ nope }}",
            "{{ params.nope }}",
            "a {{ params.nope }} b",
            "{{ outputs.other.rows }}",
            "{{ ds | no_such_filter }}",
            "{{ ds",
            "{% if %}",
            "{{ ds | date('%Y') }}",
            "{{ ts | date('%!') }}",
            "{{ ts | date('%Y', 'Mars/Base') }}",
        ] {
            let result = with_scope(|scope| render(&json!(text), scope));
            let error = result.expect_err(text).to_string();
            assert!(
                error.starts_with(&format!("template `{text}`: ")),
                "{error}"
            );
        }
    }

    #[test]
    fn conditions_are_true_or_false() {
        with_scope(|scope| {
            assert!(render_when("{{ outputs.load.rows > 0 }}", scope).expect("true"));
            assert!(!render_when(" False ", scope).expect("false"));
            assert!(render_when("{% if params.days %}true{% endif %}", scope).expect("true"));
            assert!(render_when("{{ params.name }}", scope).is_err());
            assert!(render_when("{{ 1 }}", scope).is_err());
        });
    }

    #[test]
    fn names_what_it_looks_up() {
        let found = references(
            "{% for d in params.days %}{{ d }}{{ ds }}{{ range(3) }}{{ outputs.a.n }}{% endfor %}",
        )
        .expect("parses");
        assert_eq!(Vec::from_iter(found), ["ds", "outputs.a.n", "params.days"]);
        let lone = references("{{ outputs['a'].n + params.x.y }}").expect("parses");
        assert!(lone.contains("params.x.y"), "{lone:?}");
    }
}
