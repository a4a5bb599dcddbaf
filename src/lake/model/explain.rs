//! What the engine says of a query that cannot be planned, in the house's words.

use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;
use datafusion::sql::parser::Statement;

use super::hint::did_you_mean;
use super::misused::Misused;
use super::sql::only_call;
use crate::base::Place;
use crate::lake::error::{first_line, planning};

/// Where, what, and the way out, of an error of planning `query`.
pub fn explain(
    error: DataFusionError,
    query: Option<&Statement>,
) -> (Place, String, Option<String>) {
    let diagnosed = error.diagnostic().and_then(|diagnostic| diagnostic.span);
    let place = diagnosed.map(|span| Place::new(span.start.line, span.start.column));
    if let DataFusionError::SchemaError(schema_error, _) = error.find_root() {
        let span = |spans: Option<datafusion::common::Span>| {
            spans.map(|span| Place::new(span.start.line, span.start.column))
        };
        match schema_error.as_ref() {
            SchemaError::FieldNotFound {
                field,
                valid_fields,
            } => {
                let name = field.name.as_str();
                let among = valid_fields
                    .iter()
                    .filter(|valid| field.relation.is_none() || valid.relation == field.relation);
                let hint = did_you_mean(name, among.map(|valid| valid.name.as_str()));
                let message = match &field.relation {
                    Some(relation) => format!("no column `{relation}.{name}`"),
                    None => format!("no column `{name}`"),
                };
                let place = span(field.spans().first()).or(place).unwrap_or_default();
                return (place, message, hint);
            }
            SchemaError::AmbiguousReference { field } => {
                let message = format!("column `{}` is in more than one table", field.name);
                let hint = Some(format!("say of which table, as `t.{}`", field.name));
                let place = span(field.spans().first()).or(place).unwrap_or_default();
                return (place, message, hint);
            }
            _ => {}
        }
    }
    let root = error.find_root().strip_backtrace();
    if root.contains("unique expression names") {
        return (
            place.unwrap_or_default(),
            "two columns have the same name".to_owned(),
            Some("give one of them another name with `AS`".to_owned()),
        );
    }
    if let Some(misused) = Misused::read(&root) {
        let call = || query.and_then(|query| only_call(query, &misused.function));
        let place = place.or_else(call).unwrap_or_default();
        let (message, hint) = misused.explained();
        return (place, message, hint);
    }
    let hint = root.lines().nth(1).map(|line| first_line(line.trim()));
    (
        place.unwrap_or_default(),
        planning(error).to_string(),
        hint.filter(|hint| hint.starts_with("did you mean")),
    )
}
