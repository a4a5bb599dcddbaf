//! Holds a value against a JSON Schema as `schemars` writes them, and finds every flaw at once.

use serde_json::{Map, Value};

use super::{Flaw, UNKNOWN};
use crate::base::nearest;
use crate::base::yaml::escape;

/// Every flaw of `value`; what is flawed is taken out of it, so that the rest can be read and checked further. List items keep
/// their place: a flawed one becomes an empty map, or the whole list goes.
pub fn check(value: &mut Value, schema: &Value) -> Vec<Flaw> {
    let mut shape = Shape {
        root: schema,
        flaws: Vec::new(),
    };
    if !shape.fits("", value, schema) {
        *value = Value::Null;
    }
    shape.flaws
}

struct Shape<'a> {
    root: &'a Value,
    flaws: Vec<Flaw>,
}

impl<'a> Shape<'a> {
    /// Whether `value` may stay, its own flawed parts taken out.
    fn fits(&mut self, pointer: &str, value: &mut Value, schema: &'a Value) -> bool {
        let schema = self.resolve(schema);
        if value == UNKNOWN {
            return true;
        }
        if let Some(forms) = forms(schema) {
            return self.fits_one_of(pointer, value, forms);
        }
        if !types(schema).is_empty() && !types(schema).iter().any(|name| is_type(value, name)) {
            self.wrong_type(pointer, value, schema, &types(schema));
            return false;
        }
        if let Some(allowed) = allowed_values(schema)
            && !allowed.contains(&&*value)
        {
            self.not_allowed(pointer, value, &allowed);
            return false;
        }
        match value {
            Value::Number(_) => self.in_range(pointer, value, schema),
            Value::Array(items) => self.list_fits(pointer, items, schema),
            Value::Object(map) => {
                self.map_fits(pointer, map, schema);
                true
            }
            _ => true,
        }
    }

    fn resolve(&self, schema: &'a Value) -> &'a Value {
        let path = schema["$ref"]
            .as_str()
            .and_then(|path| path.strip_prefix('#'));
        match path.and_then(|path| self.root.pointer(path)) {
            Some(target) => self.resolve(target),
            None => schema,
        }
    }

    fn list_fits(&mut self, pointer: &str, items: &mut [Value], schema: &'a Value) -> bool {
        let least = schema["minItems"].as_u64().unwrap_or(0);
        if (items.len() as u64) < least {
            let message = format!("{} is empty, expected at least {least}", name(pointer));
            self.flaws.push(Flaw::at(pointer, message));
        }
        let Some(item_schema) = schema.get("items") else {
            return true;
        };
        let of_maps = types(self.resolve(item_schema)) == ["object"];
        let mut all = true;
        for (index, item) in items.iter_mut().enumerate() {
            if !self.fits(&format!("{pointer}/{index}"), item, item_schema) {
                *item = Value::Object(Map::new());
                all &= of_maps;
            }
        }
        all
    }

    fn map_fits(&mut self, pointer: &str, map: &mut Map<String, Value>, schema: &'a Value) {
        for name in strings(&schema["required"]) {
            if !map.contains_key(name) {
                self.flaws
                    .push(Flaw::at(pointer, format!("`{name}` is missing")));
            }
        }
        let others = &schema["additionalProperties"];
        map.retain(|key, value| {
            let pointer = format!("{pointer}/{}", escape(key));
            match schema["properties"].get(key) {
                Some(known) => self.fits(&pointer, value, known),
                None if *others == Value::Bool(false) => {
                    self.flaws.push(unknown_key(pointer, key, schema));
                    false
                }
                None => self.fits(&pointer, value, others),
            }
        });
    }

    fn in_range(&mut self, pointer: &str, value: &Value, schema: &Value) -> bool {
        let number = value.as_f64().unwrap_or_default();
        let (lowest, highest) = bounds(schema);
        let expected = match (lowest, highest) {
            (Some(low), _) if number < low => format!("at least {low}"),
            (_, Some(high)) if number > high => format!("at most {high}"),
            _ => return true,
        };
        let what = name(pointer);
        self.flaws.push(Flaw::at(
            pointer,
            format!("{what} is `{value}`, expected {expected}"),
        ));
        false
    }

    fn fits_one_of(&mut self, pointer: &str, value: &mut Value, forms: &'a [Value]) -> bool {
        let forms: Vec<&Value> = forms.iter().map(|form| self.resolve(form)).collect();
        let constants: Option<Vec<Vec<&Value>>> =
            forms.iter().map(|form| allowed_values(form)).collect();
        if let Some(allowed) = constants.map(|lists| lists.concat()) {
            let fits = allowed.contains(&&*value);
            if !fits {
                self.not_allowed(pointer, value, &allowed);
            }
            return fits;
        }
        let alike = |form: &&&Value| {
            types(form).is_empty() || types(form).iter().any(|t| is_type(value, t))
        };
        let candidates: Vec<&Value> = forms.iter().filter(alike).copied().collect();
        let Some(nearest) = candidates.iter().min_by_key(|form| distance(value, form)) else {
            let expected: Vec<&str> = forms.iter().flat_map(|form| types(form)).collect();
            self.wrong_type(pointer, value, &Value::Null, &expected);
            return false;
        };
        let mut best = None;
        for form in &candidates {
            let mut tried = value.clone();
            let before = self.flaws.len();
            let stays = self.fits(pointer, &mut tried, form);
            let found = self.flaws.split_off(before);
            if found.is_empty() {
                return true;
            }
            if std::ptr::eq(*form, *nearest) {
                best = Some((stays, tried, found));
            }
        }
        match best {
            Some((stays, rest, found))
                if candidates.len() == 1 || distance(value, nearest) == 0 =>
            {
                *value = rest;
                self.flaws.extend(found);
                stays
            }
            _ => {
                self.flaws.push(no_form(pointer, value, &candidates));
                false
            }
        }
    }

    fn wrong_type(&mut self, pointer: &str, value: &Value, schema: &Value, expected: &[&str]) {
        let mut names: Vec<&str> = expected
            .iter()
            .filter(|name| **name != "null")
            .map(|name| type_name(name))
            .collect();
        names.dedup();
        let message = format!(
            "{} is {}, expected {}",
            name(pointer),
            found(value),
            names.join(" or ")
        );
        let flaw = Flaw::at(pointer, message);
        let example = schema["examples"][0].as_str();
        let hint = schema["x-hint"].as_str();
        self.flaws.push(match (example, expected.first(), value) {
            _ if let Some(hint) = hint => flaw.hint(hint.replace("{}", &plain(value))),
            (Some(example), ..) => flaw.hint(format!("for example `{example}`")),
            (None, Some(&"string"), Value::Number(_) | Value::Bool(_)) => {
                flaw.hint("put it in quotes")
            }
            (None, Some(&"array"), Value::String(_) | Value::Number(_)) => {
                flaw.hint(format!("write a list, as `[{}]`", plain(value)))
            }
            _ => flaw,
        });
    }

    fn not_allowed(&mut self, pointer: &str, value: &Value, allowed: &[&Value]) {
        let names: Vec<String> = allowed.iter().map(|value| plain(value)).collect();
        let list = names.join("`, `");
        let message = format!(
            "{} is {}, expected one of `{list}`",
            name(pointer),
            found(value)
        );
        let flaw = Flaw::at(pointer, message);
        let near = value
            .as_str()
            .and_then(|text| nearest(text, names.iter().map(String::as_str)));
        self.flaws.push(match near {
            Some(name) => flaw.hint(format!("did you mean `{name}`?")),
            None => flaw,
        });
    }
}

fn unknown_key(pointer: String, key: &str, schema: &Value) -> Flaw {
    let known: Vec<&str> = keys(&schema["properties"]).collect();
    let flaw = Flaw::at(pointer, format!("unknown key `{key}`"));
    match (
        schema["x-hints"][key].as_str(),
        nearest(key, known.iter().copied()),
    ) {
        (Some(hint), _) => flaw.hint(hint),
        (None, Some(name)) => flaw.hint(format!("did you mean `{name}`?")),
        (None, None) if known.is_empty() => flaw.hint("no key is expected here"),
        (None, None) => flaw.hint(format!("known keys: {}", known.join(", "))),
    }
}

/// The flaw of a map that is like none of several forms, each known by its keys.
fn no_form(pointer: &str, value: &Value, forms: &[&Value]) -> Flaw {
    let mut tags: Vec<&str> = Vec::new();
    for tag in forms.iter().flat_map(|form| strings(&form["required"])) {
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    let message = format!(
        "{} has none of the keys `{}`",
        name(pointer),
        tags.join("`, `")
    );
    let near = keys(value).find_map(|key| nearest(key, tags.iter().copied()));
    let flaw = Flaw::at(pointer, message);
    match near {
        Some(tag) => flaw.hint(format!("did you mean `{tag}`?")),
        None => flaw,
    }
}

/// How far a map is from a form: keys missing and keys too many.
fn distance(value: &Value, form: &Value) -> usize {
    let missing = strings(&form["required"])
        .filter(|name| value.get(name).is_none())
        .count();
    let closed = form["additionalProperties"] == Value::Bool(false);
    let unknown = keys(value)
        .filter(|key| closed && form["properties"].get(key).is_none())
        .count();
    missing + unknown
}

fn forms(schema: &Value) -> Option<&[Value]> {
    let forms = schema.get("oneOf").or_else(|| schema.get("anyOf"))?;
    forms.as_array().map(Vec::as_slice)
}

fn types(schema: &Value) -> Vec<&str> {
    match &schema["type"] {
        Value::String(name) => vec![name],
        list => strings(list).collect(),
    }
}

fn allowed_values(schema: &Value) -> Option<Vec<&Value>> {
    match (schema.get("const"), schema["enum"].as_array()) {
        (Some(value), _) => Some(vec![value]),
        (None, Some(values)) => Some(values.iter().collect()),
        (None, None) => None,
    }
}

/// Lowest and highest number, from the bounds given and from the width of the integer.
fn bounds(schema: &Value) -> (Option<f64>, Option<f64>) {
    let (low, high) = match schema["format"].as_str() {
        Some("uint8") => (Some(0.0), Some(f64::from(u8::MAX))),
        Some("uint16") => (Some(0.0), Some(f64::from(u16::MAX))),
        Some("uint32") => (Some(0.0), Some(f64::from(u32::MAX))),
        Some("uint64" | "uint") => (Some(0.0), None),
        Some("int32") => (Some(f64::from(i32::MIN)), Some(f64::from(i32::MAX))),
        _ => (None, None),
    };
    (
        schema["minimum"].as_f64().or(low),
        schema["maximum"].as_f64().or(high),
    )
}

fn strings(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

fn keys(map: &Value) -> impl Iterator<Item = &str> {
    map.as_object()
        .into_iter()
        .flat_map(Map::keys)
        .map(String::as_str)
}

fn is_type(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => true,
    }
}

fn type_name(name: &str) -> &str {
    match name {
        "boolean" => "true or false",
        "integer" => "a whole number",
        "number" => "a number",
        "string" => "text",
        "array" => "a list",
        "object" => "a map",
        other => other,
    }
}

/// A definition's own value may be shown; no row of data ever comes here.
fn found(value: &Value) -> String {
    match value {
        Value::Null => "empty".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a map".to_owned(),
        scalar => format!("`{}`", plain(scalar)),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// What is at `pointer`, for a message.
fn name(pointer: &str) -> String {
    let mut segments = pointer.rsplit('/').filter(|segment| !segment.is_empty());
    match (segments.next(), segments.next()) {
        (None, _) => "the file".to_owned(),
        (Some(last), Some(list)) if last.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("`{list}[{last}]`")
        }
        (Some(last), _) => format!("`{last}`"),
    }
}
