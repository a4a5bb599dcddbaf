//! Run parameters: their types, limits and values.

use serde_json::{Map, Value};

use super::{Dag, Param, ParamType};
use crate::base::{Error, Result, nearest};

impl ParamType {
    /// The type of `value`; `None` for null.
    pub fn of(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Null => return None,
            Value::Bool(_) => Self::Boolean,
            Value::Number(number) if number.is_f64() => Self::Number,
            Value::Number(_) => Self::Integer,
            Value::String(_) => Self::String,
            Value::Array(_) => Self::Array,
            Value::Object(_) => Self::Object,
        })
    }

    /// What a value of it is called.
    pub const fn describe(self) -> &'static str {
        match self {
            Self::String => "text",
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::Boolean => "true or false",
            Self::Array => "a list",
            Self::Object => "a map",
        }
    }

    fn admits(self, value: &Value) -> bool {
        Self::of(value)
            .is_some_and(|found| found == self || (self == Self::Number && found == Self::Integer))
    }
}

impl Param {
    /// What is wrong with `value`, as `5 is less than the minimum 10`; `None` when nothing is.
    pub fn flaw(&self, value: &Value) -> Option<String> {
        if !self.r#type.admits(value) {
            return Some(format!("`{value}` is not {}", self.r#type.describe()));
        }
        let number = value.as_f64();
        if let (Some(number), Some(minimum)) = (number, self.minimum)
            && number < minimum
        {
            return Some(format!("`{value}` is less than the minimum {minimum}"));
        }
        if let (Some(number), Some(maximum)) = (number, self.maximum)
            && number > maximum
        {
            return Some(format!("`{value}` is more than the maximum {maximum}"));
        }
        match &self.r#enum {
            Some(allowed) if !allowed.contains(value) => {
                let list: Vec<String> = allowed.iter().map(Value::to_string).collect();
                Some(format!("`{value}` is not one of {}", list.join(", ")))
            }
            _ => None,
        }
    }
}

impl Dag {
    /// The values of every parameter: those given, and the defaults of the others.
    ///
    /// # Errors
    /// A parameter that the DAG does not have, or a value that it does not allow.
    pub fn params_with(&self, given: &Map<String, Value>) -> Result<Map<String, Value>> {
        for (name, value) in given {
            if let Some(flaw) = self.param(name)?.flaw(value) {
                return Err(Error::new(format!("parameter `{name}`: {flaw}")));
            }
        }
        let all = self.params.iter().map(|(name, param)| {
            let value = given.get(name).unwrap_or(&param.default);
            (name.clone(), value.clone())
        });
        Ok(all.collect())
    }

    /// The value that `text` (as on a command line) means for parameter `name`: text as it is, anything else as JSON.
    ///
    /// # Errors
    /// As [`Dag::params_with`].
    pub fn param_from_text(&self, name: &str, text: &str) -> Result<Value> {
        let param = self.param(name)?;
        let value = match param.r#type {
            ParamType::String => Value::from(text),
            _ => serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)),
        };
        match param.flaw(&value) {
            Some(flaw) => Err(Error::new(format!("parameter `{name}`: {flaw}"))),
            None => Ok(value),
        }
    }

    fn param(&self, name: &str) -> Result<&Param> {
        self.params.get(name).ok_or_else(|| {
            let error = Error::new(format!("DAG `{}` has no parameter `{name}`", self.dag_id));
            let names: Vec<&str> = self.params.keys().map(String::as_str).collect();
            match nearest(name, names.iter().copied()) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None if names.is_empty() => error.hint("it has none"),
                None => error.hint(format!("it has {}", names.join(", "))),
            }
        })
    }
}
