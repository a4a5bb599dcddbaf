//! Run parameters as they are given on the command line.

use serde_json::{Map, Value};

use crate::dag::{Dag, ParamType};

/// Splits `name=value`.
///
/// # Errors
/// A text that says what was expected.
pub fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected `name=value`".to_owned()),
    }
}

/// The given texts as values: text where the DAG declares text, else JSON where it reads as JSON. Whether they fit is for
/// the engine to say.
pub fn typed(dag: &Dag, pairs: &[(String, String)]) -> Map<String, Value> {
    pairs
        .iter()
        .map(|(name, text)| {
            let declared = dag.params.get(name).map(|param| param.r#type);
            let value = match declared {
                Some(ParamType::String) => None,
                _ => serde_json::from_str(text).ok(),
            };
            (
                name.clone(),
                value.unwrap_or_else(|| Value::String(text.clone())),
            )
        })
        .collect()
}
