//! The language of `targets/*.yaml`: how staged text becomes rows of tables.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_saphyr::Spanned;

/// Text of the file with its place.
pub type Text = Spanned<String>;

/// A whole targets file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetsSpec {
    /// Columns with the same text in every row, as `source: clinic`.
    #[serde(default)]
    pub constants: Pairs<Text>,
    /// Applied in order to every staged record.
    #[serde(default)]
    pub steps: Vec<StepSpec>,
    /// Further sets of rows, made from the lists of a record.
    #[serde(default)]
    pub row_sets: Pairs<RowSetSpec>,
    /// The tables to write. The first is the main one: a record counts by what became of it there.
    pub targets: Vec<TargetSpec>,
}

/// One step. A record that fails a step is quarantined with the step's reason; all reasons of a record are kept.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepSpec {
    /// Words that mean null.
    Nulls(NullsSpec),
    /// Text to a date.
    Date(DateSpec),
    /// Text to a whole number; `1929.0` is one.
    Integer(NumberSpec),
    /// Text to a number.
    Float(NumberSpec),
    /// Text to a list.
    List(ListSpec),
    /// A value looked up in a CSV file of the DAG's folder.
    Map(MapSpec),
    /// New columns from SQL expressions.
    Set(Pairs<Text>),
    /// A condition that must be true; null fails.
    Check(CheckSpec),
    /// A column that must be the same in all staged records of a group.
    Agree(AgreeSpec),
}

/// Words that mean null in the given columns.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NullsSpec {
    /// The words, compared exactly.
    pub words: Vec<String>,
    /// The columns; every column of text when absent.
    pub columns: Option<Vec<Text>>,
}

/// Text to a date; null stays null.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DateSpec {
    /// Column read.
    pub column: Text,
    /// A strftime format.
    pub format: Text,
    /// Column made; `column` itself when absent.
    #[serde(rename = "as")]
    pub name: Option<Text>,
    /// Reason of a failure; `bad_date` when absent.
    pub reason: Option<Text>,
}

/// Text to a number; null stays null.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NumberSpec {
    /// Column read.
    pub column: Text,
    /// Column made; `column` itself when absent.
    #[serde(rename = "as")]
    pub name: Option<Text>,
    /// Reason of a failure; `bad_number` when absent.
    pub reason: Option<Text>,
}

/// Text to a list; the column made holds it as JSON text, and row sets can explode it. Null stays null and differs from the empty list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListSpec {
    /// Column read.
    pub column: Text,
    /// Column made; `column` itself when absent.
    #[serde(rename = "as")]
    pub name: Option<Text>,
    /// How lists are written.
    pub syntax: ListSyntax,
    /// Between the items when the syntax is `separated`; a comma when absent.
    pub separator: Option<Text>,
    /// Reason of a failure; `list_syntax` when absent.
    pub reason: Option<Text>,
}

/// How a list is written as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListSyntax {
    /// `['a', ' b', nan]`, nested too, or NumPy's `['a' 'b']`. Items are trimmed; a bare `nan` or `None` is null.
    Python,
    /// A JSON array.
    Json,
    /// Items with a separator between them, trimmed.
    Separated,
}

/// A lookup in a CSV file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MapSpec {
    /// Column looked up, as text.
    pub column: Text,
    /// CSV file in the DAG's folder.
    pub file: Text,
    /// Column of the file that is compared with `column`.
    pub key: Text,
    /// Column made → column of the file. Null where the key is not in the file.
    pub values: Pairs<Text>,
}

/// A condition.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckSpec {
    /// The reason of a record that fails.
    pub rule: Text,
    /// An SQL condition.
    #[serde(rename = "where")]
    pub condition: Text,
}

/// Agreement within a group of staged records, processed or not.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgreeSpec {
    /// The reason of a record that disagrees.
    pub rule: Text,
    /// The column that must agree; nulls agree with everything.
    pub column: Text,
    /// The staged column that names the group.
    pub within: Text,
    /// The value of the first record in this order is the one the others must have. Must order the records of a group completely.
    pub order_by: Vec<Text>,
}

/// Rows made from a list of each record: one for each item that is not null.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowSetSpec {
    /// The list, a column made by a `list` step.
    pub explode: Text,
    /// Column that holds the item; `<as>_position` holds its place, from 1.
    #[serde(rename = "as")]
    pub name: Text,
    /// Applied in order to these rows: all but `list` and `agree`.
    #[serde(default)]
    pub steps: Vec<StepSpec>,
}

/// A table to write.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetSpec {
    /// The table, declared in the DAG's `tables` file.
    pub table: Text,
    /// The row set it is made from; the records themselves when absent.
    pub rows: Option<Text>,
    /// Only rows for which this SQL condition is true.
    #[serde(rename = "where")]
    pub condition: Option<Text>,
    /// Key column → expression. Rows with equal keys are one row.
    pub key: Pairs<Text>,
    /// Column → expression.
    #[serde(default)]
    pub columns: Pairs<Text>,
    /// Expressions, most important first: of rows with equal keys the one with the greater version stays, whatever comes first. Without it
    /// the later delivery stays, also when the earlier one is processed after it.
    #[serde(default)]
    pub version_by: Vec<Text>,
}

/// A map in file order, with the places of its keys.
#[derive(Debug)]
pub struct Pairs<T>(pub Vec<(Text, T)>);

impl<T> Default for Pairs<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Pairs<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for InOrder<T> {
            type Value = Pairs<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(InOrder(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_step_with_places() {
        let text = "\
constants: {source: clinic}
steps:
  - nulls: {words: ['', None]}
  - date: {column: day, format: '%Y%m%d'}
  - list: {column: labels, as: items, syntax: python}
  - set: {age: 'a - b', other: age}
  - check: {rule: old, where: 'age < 120'}
targets:
  - table: visits
    key: {id: n}
";
        let spec: TargetsSpec = serde_saphyr::from_str(text).expect("spec");
        assert_eq!(spec.steps.len(), 5);
        assert_eq!(spec.targets[0].table.value, "visits");
        assert_eq!(spec.targets[0].table.referenced.line(), 9);
        let StepSpec::Set(pairs) = &spec.steps[3] else {
            panic!("expected set");
        };
        assert_eq!(pairs.0[1].0.value, "other");
        assert_eq!(pairs.0[0].1.referenced.line(), 6);
    }
}
