//! The JSON Schema that editors take.

use galen::dag::json_schema;
use galen::operators::Operators;
use serde_json::Value;

use super::folder::TwoOperators;

fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            found.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
            map.values().for_each(|inner| references(inner, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere() {
    for schema in [json_schema(&TwoOperators), json_schema(&Operators::all())] {
        let mut found = Vec::new();
        references(&schema, &mut found);
        assert!(!found.is_empty());
        for reference in found {
            let pointer = reference.strip_prefix('#').expect("within the document");
            assert!(schema.pointer(pointer).is_some(), "{reference}");
        }
    }
}

#[test]
fn parameters_follow_from_the_operator_and_may_be_templates() {
    let schema = json_schema(&TwoOperators);
    let branches = schema["$defs"]["TaskSpec"]["allOf"]
        .as_array()
        .expect("branches");
    let copy = branches
        .iter()
        .find(|branch| branch["if"]["properties"]["operator"]["const"] == "copy");
    let with = &copy.expect("branch")["then"]["properties"]["with"]["$ref"];
    assert_eq!(with, "#/$defs/copy");
    let rows = &schema["$defs"]["copy"]["properties"]["rows"]["anyOf"];
    assert_eq!(rows[0]["minimum"], 0);
    assert_eq!(rows[1]["type"], "string");
    // text is a template anyway
    assert_eq!(
        schema["$defs"]["copy"]["properties"]["file"]["type"],
        "string"
    );
}

#[test]
fn what_is_required_and_known_is_what_the_check_uses() {
    let schema = json_schema(&TwoOperators);
    assert_eq!(schema["required"], serde_json::json!(["dag_id", "tasks"]));
    assert_eq!(schema["additionalProperties"], false);
    for key in ["retries", "trigger_rule", "depends_on", "on_failure"] {
        assert!(
            schema["$defs"]["TaskSpec"]["properties"][key].is_object(),
            "{key}"
        );
    }
}
