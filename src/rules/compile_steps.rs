//! Compiles the steps of a targets file.

use std::collections::BTreeSet;

use super::compile::Compiler;
use super::expression::Expression;
use super::lookup::Lookup;
use super::plan::Agreement;
use super::spec::{AgreeSpec, ListSpec, MapSpec, NumberSpec, Pairs, StepSpec, Text};
use super::step::{Conversion, Step};
use crate::base::Error;

impl Compiler<'_> {
    /// Adds what `spec` says to `steps`; `of_records` is false inside a row set.
    pub(super) fn step(&mut self, spec: &StepSpec, steps: &mut Vec<Step>, of_records: bool) {
        let step = match spec {
            StepSpec::Nulls(nulls) => {
                let columns = nulls
                    .columns
                    .as_ref()
                    .map(|columns| columns.iter().map(|column| self.column(column)).collect());
                Some(Step::Nulls {
                    words: nulls.words.iter().cloned().collect(),
                    columns,
                })
            }
            StepSpec::Date(date) => {
                let to = Conversion::Date(date.format.value.clone());
                self.check_format(&date.format);
                Some(self.convert(&date.column, date.name.as_ref(), date.reason.as_ref(), to))
            }
            StepSpec::Integer(number) => Some(self.number(number, Conversion::Integer)),
            StepSpec::Float(number) => Some(self.number(number, Conversion::Float)),
            StepSpec::List(list) if of_records => Some(self.list(list)),
            StepSpec::Map(map) => self.map(map),
            StepSpec::Set(columns) => {
                self.set(columns, steps);
                None
            }
            StepSpec::Check(check) => {
                self.expression(&check.condition)
                    .map(|condition| Step::Check {
                        condition,
                        reason: self.reason(&check.rule.value),
                    })
            }
            StepSpec::Agree(agree) if of_records => self.agree(agree, steps.len()),
            StepSpec::List(ListSpec { column, .. }) | StepSpec::Agree(AgreeSpec { column, .. }) => {
                let error = Error::new("`list` and `agree` are steps of records, not of row sets");
                self.problem(
                    Some(column),
                    error.hint("move it to the `steps` of the file"),
                );
                None
            }
        };
        steps.extend(step);
    }

    fn number(&mut self, spec: &NumberSpec, to: Conversion) -> Step {
        self.convert(&spec.column, spec.name.as_ref(), spec.reason.as_ref(), to)
    }

    fn convert(
        &mut self,
        column: &Text,
        name: Option<&Text>,
        reason: Option<&Text>,
        to: Conversion,
    ) -> Step {
        let default = match to {
            Conversion::Date(_) => "bad_date",
            Conversion::Integer | Conversion::Float => "bad_number",
        };
        let sources = self.scope.read(&column.value);
        let name = name.unwrap_or(column).value.clone();
        self.scope.make(&name, sources);
        Step::Convert {
            column: column.value.clone(),
            name,
            to,
            reason: self.reason(reason.map_or(default, |word| &word.value)),
        }
    }

    fn check_format(&mut self, format: &Text) {
        use chrono::format::{Item, StrftimeItems};
        let is_bad = StrftimeItems::new(&format.value).any(|item| matches!(item, Item::Error));
        if is_bad {
            let error = Error::new(format!("`{}` is not a date format", format.value));
            self.problem(
                Some(format),
                error.hint("expected a strftime format, as `%Y-%m-%d`"),
            );
        }
    }

    fn list(&mut self, spec: &ListSpec) -> Step {
        let sources = self.scope.read(&spec.column.value);
        let name = spec.name.as_ref().unwrap_or(&spec.column).value.clone();
        self.scope.make(&name, sources);
        self.scope.lists.insert(name.clone());
        let reason = spec
            .reason
            .as_ref()
            .map_or("list_syntax", |word| &word.value);
        Step::List {
            column: spec.column.value.clone(),
            name,
            syntax: spec.syntax,
            separator: spec.separator.as_ref().map_or(",", |s| &s.value).to_owned(),
            reason: self.reason(reason),
        }
    }

    fn map(&mut self, spec: &MapSpec) -> Option<Step> {
        let sources = self.scope.read(&spec.column.value);
        let names: Vec<String> = spec.values.0.iter().map(|(n, _)| n.value.clone()).collect();
        for name in &names {
            self.scope.make(name, sources.clone());
        }
        let text = match (self.read)(&spec.file.value) {
            Ok(text) => text,
            Err(error) => {
                self.problem(Some(&spec.file), error);
                return None;
            }
        };
        let values: Vec<&str> = spec
            .values
            .0
            .iter()
            .map(|(_, v)| v.value.as_str())
            .collect();
        match Lookup::parse(&text, &spec.key.value, &values) {
            Ok(table) => Some(Step::Lookup {
                column: spec.column.value.clone(),
                table,
                names,
            }),
            Err(error) => {
                let hint = error.hint_text().unwrap_or_default().to_owned();
                let error =
                    Error::new(format!("map file `{}`: {error}", spec.file.value)).hint(hint);
                self.problem(Some(&spec.file), error);
                None
            }
        }
    }

    /// One step for each run of columns that do not read each other.
    fn set(&mut self, columns: &Pairs<Text>, steps: &mut Vec<Step>) {
        let mut group: Vec<(String, Expression)> = Vec::new();
        for (name, text) in &columns.0 {
            let Some(expression) = self.expression(text) else {
                self.scope.make(&name.value, BTreeSet::new());
                continue;
            };
            let sources = self.scope.read_all(expression.columns());
            if group
                .iter()
                .any(|(made, _)| expression.columns().contains(made) || *made == name.value)
            {
                steps.push(Step::Set(std::mem::take(&mut group)));
            }
            self.scope.make(&name.value, sources);
            group.push((name.value.clone(), expression));
        }
        if !group.is_empty() {
            steps.push(Step::Set(group));
        }
    }

    fn agree(&mut self, spec: &AgreeSpec, step: usize) -> Option<Step> {
        let sources = self.scope.read(&spec.column.value);
        self.scope.read(&spec.within.value);
        if !self.scope.staged.contains(&spec.within.value) {
            let error = Error::new(format!(
                "`{}` is not a column of staging",
                spec.within.value
            ));
            self.problem(
                Some(&spec.within),
                error.hint("groups are found in staging, before any step"),
            );
        }
        let order_by: Vec<Expression> = spec
            .order_by
            .iter()
            .filter_map(|text| self.expression(text))
            .collect();
        let reason = self.reason(&spec.rule.value);
        self.agreements.push(Agreement {
            step,
            column: spec.column.value.clone(),
            within: spec.within.value.clone(),
            order_by,
            reason,
            sources: sources.into_iter().collect(),
        });
        Some(Step::Agree(self.agreements.len() - 1))
    }
}
