//! The JSON Schema of `dag.yaml`, for editors.

use serde_json::{Map, Value, json};

use super::Catalog;
use super::spec::DagSpec;

/// JSON Schema of `dag.yaml` in which `with` follows from `operator`. Wherever a value is expected a template may stand.
pub fn json_schema(catalog: &dyn Catalog) -> Value {
    let mut schema = schemars::schema_for!(DagSpec).to_value();
    schema["title"] = "Galen DAG".into();
    let definitions = &mut schema["$defs"];
    let mut branches = Vec::new();
    for operator in catalog.operators() {
        let Some(mut with) = catalog.schema(operator) else {
            continue;
        };
        let description = with["description"].clone();
        allow_templates(&mut with);
        move_references(&mut with, &format!("#/$defs/{operator}"));
        definitions[operator] = with;
        branches.push((operator, description));
    }
    for holder in ["TaskSpec", "HookSpec"] {
        if let Some(holder) = definitions.get_mut(holder) {
            choose_by_operator(holder, &branches);
        }
    }
    schema
}

fn choose_by_operator(holder: &mut Value, operators: &[(&str, Value)]) {
    let names = operators
        .iter()
        .map(|(name, description)| json!({"const": name, "description": description}));
    holder["properties"]["operator"]["anyOf"] = names.collect();
    let branches = operators.iter().map(|(name, _)| {
        json!({
            "if": {"properties": {"operator": {"const": name}}, "required": ["operator"]},
            "then": {"properties": {"with": {"$ref": format!("#/$defs/{name}")}}},
        })
    });
    holder["allOf"] = branches.collect();
}

/// Lets a template stand for every property and item that is not text anyway.
fn allow_templates(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            for (key, inner) in map.iter_mut() {
                match key.as_str() {
                    "properties" | "$defs" => {
                        for (_, property) in inner.as_object_mut().into_iter().flatten() {
                            allow_templates(property);
                            if key == "properties" {
                                or_template(property);
                            }
                        }
                    }
                    "items" | "additionalProperties" => {
                        allow_templates(inner);
                        or_template(inner);
                    }
                    "oneOf" | "anyOf" | "allOf" => allow_templates(inner),
                    _ => {}
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(allow_templates),
        _ => {}
    }
}

fn or_template(schema: &mut Value) {
    let takes_text = schema["type"] == "string" && schema.get("enum").is_none();
    let Some(map) = schema
        .as_object_mut()
        .filter(|map| !map.is_empty() && !takes_text)
    else {
        return;
    };
    let mut outer = Map::new();
    for key in ["description", "default"] {
        if let Some(value) = map.remove(key) {
            outer.insert(key.to_owned(), value);
        }
    }
    let inner = Value::Object(std::mem::take(map));
    outer.insert(
        "anyOf".to_owned(),
        json!([inner, {"type": "string", "pattern": "\\{[{%#]"}]),
    );
    *map = outer;
}

/// Makes references within an operator's schema hold where it stands in the whole.
fn move_references(schema: &mut Value, to: &str) {
    match schema {
        Value::Object(map) => {
            map.remove("$schema");
            for (key, value) in map.iter_mut() {
                match value {
                    Value::String(target) if key == "$ref" => {
                        *target = target.replacen('#', to, 1);
                    }
                    other => move_references(other, to),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| move_references(item, to)),
        _ => {}
    }
}
