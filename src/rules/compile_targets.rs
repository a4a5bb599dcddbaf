//! Compiles the targets of a targets file against the declared tables.

use std::collections::BTreeSet;

use super::compile::{Compiler, FILLED};
use super::plan::{Target, TargetColumn};
use super::scope::Scope;
use super::spec::{TargetSpec, TargetsSpec, Text};
use crate::base::{Error, Table};

impl Compiler<'_> {
    /// The targets, each in the scope of its row set.
    pub(super) fn targets(
        &mut self,
        spec: &TargetsSpec,
        scopes: &mut [(String, Scope)],
    ) -> Vec<Target> {
        let mut targets = Vec::new();
        for (number, target) in spec.targets.iter().enumerate() {
            if number == 0 && (target.rows.is_some() || target.condition.is_some()) {
                let error = Error::new(format!(
                    "the first target, `{}`, must have a row for every record",
                    target.table.value
                ));
                self.problem(Some(&target.table), error.hint("a record counts by what became of it in the first target; put that one first"));
            }
            let set = match &target.rows {
                None => None,
                Some(name) => match scopes.iter().position(|(known, _)| *known == name.value) {
                    Some(set) => Some(set),
                    None => {
                        let error = Error::new(format!("row set `{}` is not declared", name.value));
                        self.problem(Some(name), error.hint("declare it under `row_sets`"));
                        continue;
                    }
                },
            };
            match set {
                None => targets.extend(self.target(target, None)),
                Some(set) => {
                    let outer = std::mem::replace(&mut self.scope, scopes[set].1.clone());
                    targets.extend(self.target(target, Some(set)));
                    scopes[set].1 = self.leave(outer);
                }
            }
        }
        if spec.targets.is_empty() {
            self.problem(
                None,
                Error::new("`targets` is empty").hint("name the tables to write"),
            );
        }
        targets
    }

    fn target(&mut self, spec: &TargetSpec, row_set: Option<usize>) -> Option<Target> {
        let table = match self.schema.table(&spec.table.value) {
            Ok(table) => table.clone(),
            Err(error) => {
                self.problem(Some(&spec.table), error);
                return None;
            }
        };
        let condition = spec
            .condition
            .as_ref()
            .and_then(|text| self.expression(text));
        let mut columns = Vec::new();
        for (name, text) in spec.key.0.iter().chain(&spec.columns.0) {
            columns.extend(self.target_column(&table, name, text, columns.as_slice()));
        }
        self.check_key(spec, &table);
        for column in &table.columns {
            let is_given = columns.iter().any(|given| given.name == column.name);
            let is_optional =
                column.nullable || column.has_default || FILLED.contains(&column.name.as_str());
            if !is_given && !is_optional && !table.key.contains(&column.name) {
                let error = Error::new(format!(
                    "column `{}` of table `{}` must have a value",
                    column.name, table.name
                ));
                self.problem(
                    Some(&spec.table),
                    error.hint("give it an expression under `columns`"),
                );
            }
        }
        let version = spec
            .version_by
            .iter()
            .filter_map(|text| self.expression(text))
            .collect();
        Some(Target {
            table: table.name,
            row_set,
            condition,
            keys: spec.key.0.len(),
            columns,
            version,
        })
    }

    fn target_column(
        &mut self,
        table: &Table,
        name: &Text,
        text: &Text,
        known: &[TargetColumn],
    ) -> Option<TargetColumn> {
        let expression = self.expression(text);
        if known.iter().any(|column| column.name == name.value) {
            self.problem(
                Some(name),
                Error::new(format!("column `{}` is given twice", name.value)),
            );
        }
        match table.column(&name.value) {
            Ok(column) => Some(TargetColumn {
                name: name.value.clone(),
                cell_type: column.cell_type,
                required: !column.nullable || table.key.contains(&name.value),
                expression: expression?,
            }),
            Err(error) => {
                self.problem(Some(name), error);
                None
            }
        }
    }

    fn check_key(&mut self, spec: &TargetSpec, table: &Table) {
        let given: BTreeSet<&str> = spec
            .key
            .0
            .iter()
            .map(|(name, _)| name.value.as_str())
            .collect();
        let declared: BTreeSet<&str> = table.key.iter().map(String::as_str).collect();
        if given != declared || declared.is_empty() {
            let names: Vec<&str> = declared.into_iter().collect();
            let error = Error::new(format!(
                "the key of table `{}` is `{}`",
                table.name,
                names.join(", ")
            ));
            self.problem(
                Some(&spec.table),
                error.hint("`key` gives exactly the columns of the primary key"),
            );
        }
    }
}
