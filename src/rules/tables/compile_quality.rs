//! Compiles the quality rules of a table.

use super::bounds::Bounds;
use super::column_type::ColumnType;
use super::compile::Compiler;
use super::condition::Condition;
use super::flow::Pass;
use super::jobs::JobKind;
use super::judge::{Judge, Judged, Test};
use super::known::Parent;
use super::load::RuleTables;
use super::quality::{Quality, QualityRule};
use super::rule::Rule;
use super::severity::{Severity, Threshold};
use crate::base::Error;

impl Compiler<'_> {
    /// The rules that judge the records of `pass`.
    pub fn quality(&mut self, tables: &RuleTables, pass: &Pass) {
        let Some(table) = pass.name(JobKind::Quality) else {
            return;
        };
        for rule in tables.quality.iter().filter(|rule| rule.table == table) {
            let columns: Option<Vec<usize>> = rule
                .columns
                .iter()
                .map(|name| self.column(&rule.place, name))
                .collect();
            // the columns that are there are looked at, whichever are not
            let Some(what) = columns.and_then(|columns| self.judged(rule, &columns, tables)) else {
                continue;
            };
            let threshold = match rule.kind {
                Quality::Completeness(percent) => Threshold::of_completeness(percent),
                _ => rule.threshold,
            };
            self.cleaning.judges.push(Judge {
                rule: self.cleaning.rules.len(),
                what,
            });
            self.cleaning.rules.push(Rule {
                place: rule.place.clone(),
                columns: rule.columns.clone(),
                kind: rule.kind.word().to_owned(),
                description: rule.description.clone(),
                class: rule.class,
                severity: rule.severity,
                threshold,
            });
        }
    }

    fn judged(
        &mut self,
        rule: &QualityRule,
        columns: &[usize],
        tables: &RuleTables,
    ) -> Option<Judged> {
        // a rule without columns is a query or a condition, which finds its own
        let column = columns.first().copied().unwrap_or_default();
        let to = self
            .cleaning
            .types
            .get(column)
            .map_or(ColumnType::Text, |(_, to)| *to);
        Some(match &rule.kind {
            Quality::NotNull => Judged::NotNull(column),
            Quality::Completeness(_) => Judged::Completeness(column),
            Quality::Regex(regex) => Judged::Text(column, Test::Regex(regex.clone())),
            Quality::ValidSet(values) => {
                let mut sorted: Vec<&String> = values.iter().collect();
                sorted.sort();
                for value in sorted {
                    self.fits(&rule.place, &rule.columns[0], value, to);
                }
                Judged::Text(column, Test::OneOf(values.clone()))
            }
            Quality::Between(bounds) => {
                self.check_bounds(rule, bounds, to);
                Judged::Text(column, Test::Between(*bounds))
            }
            Quality::Expression(expression) => {
                let mut found = true;
                for name in expression.columns() {
                    found &= self.column(&rule.place, name).is_some();
                }
                if !found {
                    return None;
                }
                let condition = Condition::new(expression, &self.cleaning.types);
                Judged::Condition(self.problems.take(&rule.place, condition)?)
            }
            Quality::Relationship {
                table,
                columns: names,
            } => {
                let parent = Parent {
                    table: table.clone(),
                    kept: tables.kept(table),
                    columns: names.clone(),
                };
                Judged::Relationship {
                    columns: columns.to_vec(),
                    parent: self.parent(parent),
                }
            }
            Quality::Unique => Judged::Unique(self.identity(rule)),
            Quality::Freshness(age) => {
                if !matches!(to, ColumnType::Date | ColumnType::Timestamp) {
                    let error = Error::new(format!(
                        "column `{}` is {to}, expected a date or a timestamp",
                        rule.columns[0]
                    ))
                    .hint("make it one with a `date_format` rule");
                    self.problems.add(&rule.place, &error);
                }
                Judged::Freshness(column, *age)
            }
            Quality::Sql(sql) => Judged::Sql(sql.clone()),
        })
    }

    /// The number of the columns that must not come twice. Those of the table's key are watched already.
    fn identity(&mut self, rule: &QualityRule) -> usize {
        let identities = &mut self.cleaning.identities;
        let is_key = !self.cleaning.key.is_empty() && self.cleaning.key == rule.columns;
        if is_key && rule.severity == Severity::Error {
            return 0;
        }
        identities.push(rule.columns.clone());
        identities.len() - 1
    }

    fn check_bounds(&mut self, rule: &QualityRule, bounds: &Bounds, to: ColumnType) {
        let is_date = matches!(to, ColumnType::Date | ColumnType::Timestamp);
        let fits = match bounds {
            Bounds::Numbers(..) => !is_date && to != ColumnType::Boolean,
            Bounds::Dates(..) => is_date || to == ColumnType::Text,
        };
        if !fits {
            let message = format!(
                "column `{}` is {to}, and its bounds are not",
                rule.columns[0]
            );
            let error = Error::new(message)
                .hint("bounds of numbers as `0..120`, of dates as `2020-01-01..`");
            self.problems.add(&rule.place, &error);
        }
    }

    fn parent(&mut self, parent: Parent) -> usize {
        let parents = &mut self.cleaning.parents;
        parents
            .iter()
            .position(|known| *known == parent)
            .unwrap_or_else(|| {
                parents.push(parent);
                parents.len() - 1
            })
    }
}
