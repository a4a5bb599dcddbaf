//! `dq_rule_config.csv`: what a record, a column or a table must be.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use regex::Regex;
use serde::Serialize;

use super::bounds::Bounds;
use super::cleansing::regex;
use super::compatibility::Compatibility;
use super::place::{Place, Problems, unknown};
use super::severity::{Percent, Severity, Threshold};
use super::sheet;
use crate::base::{Error, Result, parse_duration};
use crate::rules::expression::Expression;

/// The file's name.
pub(super) const FILE: &str = "dq_rule_config.csv";
const COLUMNS: [&str; 6] = [
    "table_name",
    "column_name",
    "rule_type",
    "rule_condition",
    "rule_desc",
    "is_active",
];
const OPTIONAL: [&str; 3] = ["severity", "threshold", "class"];
const KINDS: [&str; 10] = [
    "NOT_NULL",
    "REGEX",
    "VALID_SET",
    "CUSTOM_EXPR",
    "BETWEEN",
    "RELATIONSHIP",
    "UNIQUE",
    "FRESHNESS",
    "COMPLETENESS",
    "CUSTOM_SQL",
];
const CLASSES: [(&str, Class); 3] = [
    ("conformance", Class::Conformance),
    ("completeness", Class::Completeness),
    ("plausibility", Class::Plausibility),
];

/// What a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Values are written as agreed and refer to what exists.
    Conformance,
    /// Values are there.
    Completeness,
    /// Values can be true.
    Plausibility,
}

/// A rule of a table.
#[derive(Debug, Clone)]
pub(super) struct QualityRule {
    pub place: Place,
    pub table: String,
    /// The columns it judges; empty for a query.
    pub columns: Vec<String>,
    pub kind: Quality,
    /// What a record that fails is told.
    pub description: String,
    pub severity: Severity,
    pub threshold: Threshold,
    pub class: Class,
}

/// What a rule wants.
#[derive(Debug, Clone)]
pub(super) enum Quality {
    NotNull,
    Regex(Regex),
    ValidSet(HashSet<String>),
    Expression(Expression),
    Between(Bounds),
    /// The columns are those of a row of this table.
    Relationship {
        table: String,
        columns: Vec<String>,
    },
    Unique,
    /// The newest value is at most so old.
    Freshness(Duration),
    /// At least this percentage of the values are there.
    Completeness(Percent),
    /// A query whose rows fail.
    Sql(String),
}

impl Quality {
    /// The word in the table.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::NotNull => KINDS[0],
            Self::Regex(_) => KINDS[1],
            Self::ValidSet(_) => KINDS[2],
            Self::Expression(_) => KINDS[3],
            Self::Between(_) => KINDS[4],
            Self::Relationship { .. } => KINDS[5],
            Self::Unique => KINDS[6],
            Self::Freshness(_) => KINDS[7],
            Self::Completeness(_) => KINDS[8],
            Self::Sql(_) => KINDS[9],
        }
    }

    /// The class of a rule that names none.
    const fn class(&self) -> Class {
        match self {
            Self::NotNull | Self::Completeness(_) => Class::Completeness,
            Self::Regex(_) | Self::ValidSet(_) | Self::Relationship { .. } => Class::Conformance,
            Self::Expression(_)
            | Self::Between(_)
            | Self::Unique
            | Self::Freshness(_)
            | Self::Sql(_) => Class::Plausibility,
        }
    }
}

/// The rules in file order, active ones only; the original pipeline applied the others too.
pub(super) fn read(
    file: &str,
    text: &str,
    compatibility: Compatibility,
    problems: &mut Problems,
) -> Vec<QualityRule> {
    let mut rules = Vec::new();
    let mut seen = BTreeMap::new();
    for record in sheet::read(file, text, &COLUMNS, &OPTIONAL, problems) {
        let place = record.place.clone();
        match problems.take(&place, record.is_active()) {
            Some(true) => {}
            Some(false) if compatibility == Compatibility::Source => {}
            Some(false) | None => continue,
        }
        let Some(rule) = rule(&record, problems) else {
            continue;
        };
        let same = (
            rule.table.clone(),
            rule.columns.clone(),
            rule.kind.word(),
            record.get("rule_condition").to_owned(),
        );
        if let Some(line) = seen.insert(same, place.line) {
            let error = Error::new(format!("the same rule is on line {line}"))
                .hint("once is enough; twice counts each failure twice");
            problems.add(&place, &error);
        }
        rules.push(rule);
    }
    rules
}

fn rule(record: &sheet::Record, problems: &mut Problems) -> Option<QualityRule> {
    let place = record.place.clone();
    let kind = problems.take(
        &place,
        parse(record.get("rule_type"), record.get("rule_condition")),
    );
    let table = problems.take(&place, record.text("table_name"));
    let columns = problems.take(&place, columns(record, kind.as_ref()));
    let severity = problems.take(&place, Severity::read(record, Severity::Error));
    let threshold = problems.take(&place, Threshold::read(record));
    let class = problems.take(&place, class(record));
    let (kind, columns) = (kind?, columns?);
    if let Quality::Relationship {
        columns: parents, ..
    } = &kind
        && parents.len() != columns.len()
    {
        let error = Error::new(format!(
            "{} columns refer to {} columns",
            columns.len(),
            parents.len()
        ))
        .hint("as many on one side as on the other");
        problems.add(&place, &error);
    }
    let description = match record.get("rule_desc") {
        "" => format!("{} {}", columns.join(", "), kind.word()),
        text => text.to_owned(),
    };
    Some(QualityRule {
        table: table?,
        description,
        severity: severity?,
        threshold: threshold?,
        class: class?.unwrap_or(kind.class()),
        place,
        columns,
        kind,
    })
}

fn columns(record: &sheet::Record, kind: Option<&Quality>) -> Result<Vec<String>> {
    match kind {
        Some(Quality::Sql(_) | Quality::Expression(_)) if record.get("column_name").is_empty() => {
            Ok(Vec::new())
        }
        Some(Quality::Unique | Quality::Relationship { .. }) => record.names("column_name"),
        _ => record.text("column_name").map(|column| vec![column]),
    }
}

fn class(record: &sheet::Record) -> Result<Option<Class>> {
    let word = record.get("class");
    if word.is_empty() {
        return Ok(None);
    }
    let found = CLASSES.iter().find(|(name, _)| *name == word);
    found.map(|(_, class)| Some(*class)).ok_or_else(|| {
        let known = CLASSES.iter().map(|(name, _)| *name);
        unknown(format!("unknown class `{word}`"), word, known)
    })
}

fn parse(word: &str, condition: &str) -> Result<Quality> {
    let wants = |hint: &str| Error::new(format!("`{word}` needs a condition")).hint(hint);
    let given = |hint: &str| match condition {
        "" => Err(wants(hint)),
        text => Ok(text),
    };
    match word.to_ascii_uppercase().as_str() {
        "NOT_NULL" | "UNIQUE" if !condition.is_empty() => {
            Err(Error::new(format!("`{word}` takes no condition")))
        }
        "NOT_NULL" => Ok(Quality::NotNull),
        "UNIQUE" => Ok(Quality::Unique),
        "REGEX" => regex(given("a regular expression")?).map(Quality::Regex),
        "VALID_SET" => Ok(Quality::ValidSet(
            given("the values that are valid, separated by commas")?
                .split(',')
                .map(|value| value.trim().to_owned())
                .collect(),
        )),
        "CUSTOM_EXPR" => {
            Expression::parse(given("an SQL condition over one record")?).map(Quality::Expression)
        }
        "BETWEEN" => Bounds::parse(given("bounds, as `0..120`")?).map(Quality::Between),
        "RELATIONSHIP" => relationship(given("as `table(column)`")?),
        "FRESHNESS" => parse_duration(given("how old the newest value may be, as `24h`")?)
            .map(Quality::Freshness)
            .map_err(Error::new),
        "COMPLETENESS" => {
            let text = given("the least percentage, as `95%`")?;
            Percent::read(text)
                .map(Quality::Completeness)
                .ok_or_else(|| Error::new(format!("`{text}` is not a percentage")).hint("as `95%`"))
        }
        "CUSTOM_SQL" => sql(given("a query whose rows fail")?),
        _ => Err(unknown(
            format!("unknown quality rule `{word}`"),
            word,
            KINDS,
        )),
    }
}

fn relationship(text: &str) -> Result<Quality> {
    let wrong = || {
        Error::new(format!("`{text}` does not name a table and its columns"))
            .hint("expected `table(column)` or `table(column, column)`")
    };
    let inside = text.strip_suffix(')').and_then(|text| text.split_once('('));
    let (table, columns) = inside.ok_or_else(wrong)?;
    let columns: Vec<String> = columns.split(',').map(|c| c.trim().to_owned()).collect();
    match table.trim() {
        "" => Err(wrong()),
        _ if columns.iter().any(String::is_empty) => Err(wrong()),
        table => Ok(Quality::Relationship {
            table: table.to_owned(),
            columns,
        }),
    }
}

fn sql(text: &str) -> Result<Quality> {
    let first = text
        .split(|c: char| !c.is_ascii_alphabetic())
        .next()
        .unwrap_or_default();
    match first.eq_ignore_ascii_case("select") || first.eq_ignore_ascii_case("with") {
        true => Ok(Quality::Sql(text.to_owned())),
        false => Err(Error::new("`CUSTOM_SQL` is not a query")
            .hint("expected one `SELECT`, whose rows are those that fail")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(lines: &str) -> Vec<String> {
        let mut problems = Problems::default();
        let header = format!("{},{}", COLUMNS.join(","), OPTIONAL.join(","));
        let text = format!("{header}\n{lines}");
        read(FILE, &text, Compatibility::Corrected, &mut problems);
        problems.0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn reads_every_kind() {
        let lines = "t,c,NOT_NULL,,d,Y,warn,5,plausibility\nt,c,REGEX,^a$,,Y,,1%,\nt,c,VALID_SET,\"a, b\",,Y,,\"5, 1%\",\n\
                     t,c,custom_expr,c >= 0,,Y,,,\nt,c,BETWEEN,0..1,,Y,,,\nt,\"a, b\",RELATIONSHIP,\"p(x, y)\",,Y,,,\n\
                     t,\"a, b\",UNIQUE,,,Y,,,\nt,c,FRESHNESS,24h,,Y,,,\nt,c,COMPLETENESS,95%,,Y,,,\nt,,CUSTOM_SQL,SELECT 1,,Y,,,\n";
        assert_eq!(problems(lines), [""; 0]);
    }

    #[test]
    fn every_mistake_has_its_line_and_a_way_out() {
        let lines = "t,c,NOTNULL,,,Y,,,\nt,c,NOT_NULL,x,,Y,,,\nt,c,REGEX,(,,Y,,,\nt,c,REGEX,,,Y,,,\nt,c,CUSTOM_EXPR,c >=,,Y,,,\n\
                     t,c,CUSTOM_EXPR,c > AVG(c),,Y,,,\nt,c,BETWEEN,5,,Y,,,\nt,c,RELATIONSHIP,p,,Y,,,\nt,c,RELATIONSHIP,\"p(x, y)\",,Y,,,\n\
                     t,c,FRESHNESS,soon,,Y,,,\nt,c,COMPLETENESS,95,,Y,,,\nt,c,CUSTOM_SQL,DELETE FROM t,,Y,,,\nt,\"a,a\",UNIQUE,,,Y,,,\n\
                     t,c,NOT_NULL,,,Y,fatal,x,conform\nt,c,NOT_NULL,,,Y,,,\nt,c,NOT_NULL,,,Y,,,\n,,NOT_NULL,,,Y,,,\n";
        let problems = problems(lines);
        let expected = [
            "dq_rule_config.csv:2: unknown quality rule `NOTNULL`\n  hint: did you mean `NOT_NULL`?",
            "dq_rule_config.csv:3: `NOT_NULL` takes no condition",
            "dq_rule_config.csv:4: `(` is not a regular expression: unclosed group\n  hint: look-around and back-references are not supported",
            "dq_rule_config.csv:5: `REGEX` needs a condition\n  hint: a regular expression",
            "dq_rule_config.csv:6: `c >=` is not an SQL expression",
            "dq_rule_config.csv:7: `c > AVG(c)` looks at other rows than its own\n  hint: expressions see one row; aggregates belong in a model",
            "dq_rule_config.csv:8: `5` has no `..` between its bounds\n  hint: expected bounds as `0..120`, `0..` or `2020-01-01..2029-12-31`",
            "dq_rule_config.csv:9: `p` does not name a table and its columns\n  hint: expected `table(column)` or `table(column, column)`",
            "dq_rule_config.csv:10: 1 columns refer to 2 columns\n  hint: as many on one side as on the other",
            "dq_rule_config.csv:11: `soon` is not a duration, expected for example `30s`, `5m` or `2h`",
            "dq_rule_config.csv:12: `95` is not a percentage\n  hint: as `95%`",
            "dq_rule_config.csv:13: `CUSTOM_SQL` is not a query\n  hint: expected one `SELECT`, whose rows are those that fail",
            "dq_rule_config.csv:14: `column_name` names `a` twice",
            "dq_rule_config.csv:15: `severity` is `fatal`, expected `error` or `warn`",
            "dq_rule_config.csv:15: `threshold` is `x`, expected a count, a percentage or both\n  hint: as `5`, `1%` or `5, 1%`",
            "dq_rule_config.csv:15: unknown class `conform`\n  hint: expected one of `conformance`, `completeness`, `plausibility`",
            "dq_rule_config.csv:17: the same rule is on line 16\n  hint: once is enough; twice counts each failure twice",
            "dq_rule_config.csv:18: `table_name` is empty, expected a name",
            "dq_rule_config.csv:18: `column_name` is empty, expected a name",
        ];
        assert_eq!(problems.len(), expected.len(), "{problems:#?}");
        for (problem, expected) in problems.iter().zip(expected) {
            assert!(problem.starts_with(expected), "{problem}");
        }
    }
}
