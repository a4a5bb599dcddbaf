//! From the rules of a table and the columns it has to what is done, with every problem at once.

use std::collections::BTreeSet;

use super::cast::canonical;
use super::cell::Standards;
use super::cleaning::{Cleaning, ColumnPlan, Step};
use super::cleansing::{Cleanse, CleansingRule};
use super::column_type::ColumnType;
use super::compatibility::Compatibility;
use super::dates::Evidence;
use super::flow::Pass;
use super::jobs::JobKind;
use super::load::{Keys, RuleTables};
use super::mapping::{Mapping, Standardize};
use super::place::{Place, Problems, unknown};
use super::quality::Class;
use super::rule::Rule;
use super::severity::{Severity, Threshold};
use crate::base::{Error, Problem, Result};

impl Cleaning {
    /// Compiles what `tables` say about the table `table`, whose records have the columns `columns`.
    ///
    /// # Errors
    /// Every rule that names a column which is not there or does not fit what the column holds, with its line.
    pub fn compile(
        tables: &RuleTables,
        table: &str,
        columns: &[String],
    ) -> Result<Self, Vec<Problem>> {
        let (pass, keys) = tables.pass(table).map_err(|problem| vec![problem])?;
        let mut compiler = Compiler {
            columns,
            problems: Problems::default(),
            cleaning: Self {
                table: table.to_owned(),
                compatibility: tables.compatibility,
                columns: columns.to_vec(),
                types: Vec::new(),
                plans: Vec::new(),
                rules: Vec::new(),
                judges: Vec::new(),
                parents: Vec::new(),
                key: pass.key.clone(),
                identities: Vec::new(),
                evidence: Vec::new(),
            },
        };
        compiler.columns(tables, &pass);
        compiler.keys(&pass, &keys);
        compiler.quality(tables, &pass);
        let cleaning = compiler.cleaning;
        compiler.problems.finish().map(|()| cleaning)
    }
}

/// A table's rules on their way, with the problems found so far.
pub(super) struct Compiler<'a> {
    columns: &'a [String],
    pub problems: Problems,
    pub cleaning: Cleaning,
}

impl Compiler<'_> {
    /// The number of a column that a rule names.
    pub fn column(&mut self, place: &Place, name: &str) -> Option<usize> {
        let found = self.columns.iter().position(|known| known == name);
        if found.is_none() {
            let message = format!("table `{}` has no column `{name}`", self.cleaning.table);
            let known = self.columns.iter().map(String::as_str);
            self.problems.add(place, &unknown(message, name, known));
        }
        found
    }

    fn columns(&mut self, tables: &RuleTables, pass: &Pass) {
        let of = |kind: JobKind, table: &str| pass.name(kind) == Some(table);
        for rule in tables
            .cleansing
            .iter()
            .filter(|r| of(JobKind::Cleanse, &r.table))
        {
            self.column(&rule.place, &rule.column);
        }
        let mappings: Vec<&Mapping> = tables
            .mappings
            .iter()
            .filter(|mapping| of(JobKind::Standardize, &mapping.table))
            .collect();
        for mapping in &mappings {
            self.column(&mapping.place, &mapping.column);
        }
        let mut twice = BTreeSet::new();
        for name in self.columns {
            if !twice.insert(name) {
                let place = Place {
                    file: self.cleaning.table.as_str().into(),
                    line: 0,
                };
                let error = Error::new(format!("column `{name}` is there twice"));
                self.problems.add(&place, &error);
            }
            let rules: Vec<&CleansingRule> = tables
                .cleansing
                .iter()
                .filter(|r| of(JobKind::Cleanse, &r.table) && r.column == *name)
                .collect();
            let (steps, to) = self.steps(&rules);
            let mappings = mappings.iter().filter(|mapping| mapping.column == *name);
            let standards = self.standards(mappings.copied(), to);
            self.cleaning.plans.push(ColumnPlan { steps, standards });
            self.cleaning.types.push((name.clone(), to));
        }
    }

    /// The steps of a column and the type they give it.
    fn steps(&mut self, rules: &[&CleansingRule]) -> (Vec<Step>, ColumnType) {
        let mut steps = Vec::new();
        let mut to = ColumnType::Text;
        let mut converted: Option<&CleansingRule> = None;
        for rule in rules {
            if let Some(before) = converted
                && !matches!(rule.kind, Cleanse::Nullify(_))
            {
                let error = Error::new(format!(
                    "`{}` comes after `{}`, which makes column `{}` {to}",
                    rule.text, before.text, rule.column
                ))
                .hint("what is done to text goes before; a column is converted once");
                self.problems.add(&rule.place, &error);
                continue;
            }
            if let Some(made) = rule.kind.makes() {
                to = made;
                converted = Some(rule);
            }
            steps.push(self.step(rule));
        }
        (steps, to)
    }

    fn step(&mut self, rule: &CleansingRule) -> Step {
        let (mut evidence, mut by) = (None, None);
        if let Cleanse::Dates(formats) = &rule.kind {
            evidence = Some(self.cleaning.evidence.len());
            self.cleaning.evidence.push(Evidence::default());
            by.clone_from(&formats.by);
            if let Some(by) = &formats.by {
                self.column(&rule.place, by);
            }
        }
        let number = rule.kind.can_fail().then(|| {
            let silent = self.cleaning.compatibility == Compatibility::Source
                && matches!(rule.kind, Cleanse::Date(_));
            self.cleaning.rules.push(Rule {
                place: rule.place.clone(),
                columns: vec![rule.column.clone()],
                kind: rule.text.clone(),
                description: String::new(),
                class: Class::Conformance,
                severity: match silent {
                    // the original pipeline makes a date that it cannot read null
                    true => Severity::Warn,
                    false => rule.severity,
                },
                threshold: Threshold::NONE,
            });
            self.cleaning.rules.len() - 1
        });
        Step {
            what: rule.kind.clone(),
            text: rule.text.clone(),
            rule: number,
            evidence,
            by,
        }
    }

    fn standards<'a>(
        &mut self,
        mappings: impl Iterator<Item = &'a Mapping>,
        to: ColumnType,
    ) -> Option<Standards> {
        let mut standards: Option<Standards> = None;
        let mut phone: Option<&Place> = None;
        for mapping in mappings {
            let place = &mapping.place;
            let into = standards.get_or_insert_default();
            if let Some(phone) = phone {
                let error = Error::new(format!("line {} is for all values", phone.line))
                    .hint("a column of telephone numbers has no other standard values");
                self.problems.add(place, &error);
                continue;
            }
            match &mapping.what {
                Standardize::Phone if to != ColumnType::Text => {
                    let column = &mapping.column;
                    let error = Error::new(format!("column `{column}` is {to}, expected text"));
                    self.problems.add(place, &error);
                }
                Standardize::Phone if into.negative.is_some() || !into.values.is_empty() => {
                    let error = Error::new(format!(
                        "column `{}` has other standard values",
                        mapping.column
                    ))
                    .hint("a column of telephone numbers has no other standard values");
                    self.problems.add(place, &error);
                }
                Standardize::Phone => {
                    into.phone = true;
                    phone = Some(place);
                }
                Standardize::Value(actual, standard) => {
                    self.fits(place, &mapping.column, standard, to);
                    into.values.insert(actual.clone(), standard.clone());
                }
                Standardize::Negative(standard) => {
                    self.fits(place, &mapping.column, standard, to);
                    into.negative = Some(standard.clone());
                }
            }
        }
        standards
    }

    /// A value that a rule names must be one of the column's type, written as the type is.
    pub fn fits(&mut self, place: &Place, column: &str, value: &str, to: ColumnType) {
        if to == ColumnType::Text || canonical(value, to).as_deref() == Some(value) {
            return;
        }
        let error = Error::new(format!(
            "`{value}` does not fit column `{column}`, which is {to}"
        ));
        let error = match canonical(value, to) {
            Some(right) => error.hint(format!("written `{right}`")),
            None => error,
        };
        self.problems.add(place, &error);
    }

    /// Keys name columns that are there. The first is what identifies a row.
    fn keys(&mut self, pass: &Pass, others: &Keys<'_>) {
        let own = (&pass.place, pass.key.as_slice());
        for (place, key) in std::iter::once(&own).chain(others) {
            for name in *key {
                self.column(place, name);
            }
        }
        if !pass.key.is_empty() {
            self.cleaning.identities.push(pass.key.clone());
        }
    }
}
