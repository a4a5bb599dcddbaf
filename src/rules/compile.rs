//! From a targets file to a plan, with every problem of the file at once.

use std::collections::{BTreeMap, BTreeSet};

use serde_saphyr::Location;

use super::expression::Expression;
use super::lookup::Lookup;
use super::plan::{Agreement, Plan, RowSet, Target, TargetColumn, builtin};
use super::spec::{
    AgreeSpec, ListSpec, MapSpec, NumberSpec, Pairs, RowSetSpec, StepSpec, TargetSpec, TargetsSpec,
    Text,
};
use super::step::{Conversion, Step};
use crate::base::{Error, Problem, Result, Schema, Table, nearest};

/// Columns that Galen fills by itself when a table has them.
pub const FILLED: [&str; 2] = ["created_at", "updated_at"];

/// Reads the text of another file of the DAG's folder.
pub type ReadFile<'a> = dyn Fn(&str) -> Result<std::sync::Arc<str>> + 'a;

impl Plan {
    /// Compiles the targets file `file` with text `text` against the tables of `schema`.
    ///
    /// # Errors
    /// Every problem of the file, with its place.
    pub fn compile(
        file: &str,
        text: &str,
        schema: &Schema,
        read: &ReadFile<'_>,
    ) -> Result<Self, Vec<Problem>> {
        let spec: TargetsSpec = serde_saphyr::from_str(text).map_err(|error| {
            let place = error.location();
            vec![Problem {
                file: file.to_owned(),
                line: place.as_ref().map_or(0, line),
                column: place.as_ref().map_or(0, column),
                message: error.without_snippet().to_string(),
                hint: None,
            }]
        })?;
        let mut compiler = Compiler {
            file,
            schema,
            read,
            problems: Vec::new(),
            scope: Scope::default(),
            reasons: builtin::WORDS.iter().map(|&word| word.to_owned()).collect(),
            agreements: Vec::new(),
        };
        let plan = compiler.plan(&spec);
        let mut problems = compiler.problems;
        if problems.is_empty()
            && let Err(problem) = plan.try_out(file)
        {
            problems.push(problem);
        }
        match problems.is_empty() {
            true => Ok(plan),
            false => Err(problems),
        }
    }

    /// Shapes a batch of no rows, which finds expressions that do not fit the types of their columns.
    fn try_out(&self, file: &str) -> Result<(), Problem> {
        let none = vec![Vec::new(); self.staged.len()];
        // polars may not run on a thread of an async runtime
        let tried = std::thread::scope(|scope| {
            let shaped = scope.spawn(|| self.shape(none, &Vec::new()).map(drop));
            shaped.join()
        });
        tried
            .unwrap_or_else(|_| Err(Error::new("the steps cannot be tried out")))
            .map_err(|error| Problem {
                file: file.to_owned(),
                line: 0,
                column: 0,
                message: error.to_string(),
                hint: error.hint_text().map(str::to_owned),
            })
    }
}

/// What names mean at some point of the file.
#[derive(Default, Clone)]
struct Scope {
    /// Column → the staged columns it is made from. A staged column is made from itself.
    sources: BTreeMap<String, BTreeSet<String>>,
    staged: BTreeSet<String>,
    lists: BTreeSet<String>,
}

impl Scope {
    /// A column is read; unless some step made it, it comes from staging.
    fn read(&mut self, name: &str) -> BTreeSet<String> {
        if !self.sources.contains_key(name) {
            self.staged.insert(name.to_owned());
            self.sources
                .insert(name.to_owned(), BTreeSet::from([name.to_owned()]));
        }
        self.sources[name].clone()
    }

    fn read_all(&mut self, names: &[String]) -> BTreeSet<String> {
        names.iter().flat_map(|name| self.read(name)).collect()
    }

    fn make(&mut self, name: &str, sources: BTreeSet<String>) {
        self.sources.insert(name.to_owned(), sources);
        self.lists.remove(name);
    }
}

struct Compiler<'a> {
    file: &'a str,
    schema: &'a Schema,
    read: &'a ReadFile<'a>,
    problems: Vec<Problem>,
    scope: Scope,
    reasons: Vec<String>,
    agreements: Vec<Agreement>,
}

impl Compiler<'_> {
    fn plan(&mut self, spec: &TargetsSpec) -> Plan {
        let mut constants = Vec::new();
        for (name, text) in &spec.constants.0 {
            self.scope.make(&name.value, BTreeSet::new());
            constants.push((name.value.clone(), text.value.clone()));
        }
        let mut steps = Vec::new();
        for step in &spec.steps {
            self.step(step, &mut steps, true);
        }
        let mut row_sets = Vec::new();
        let mut scopes = Vec::new();
        for (name, rows) in &spec.row_sets.0 {
            let (set, scope) = self.row_set(rows);
            row_sets.push(set);
            scopes.push((name.value.clone(), scope));
        }
        let targets = self.targets(spec, &mut scopes);
        for (set, (_, scope)) in row_sets.iter_mut().zip(&scopes) {
            self.keep(set, scope);
        }
        if self.reasons.len() > 64 {
            self.problem(
                None,
                Error::new(format!(
                    "{} different reasons, expected at most 64",
                    self.reasons.len()
                )),
            );
        }
        Plan {
            staged: self.scope.staged.iter().cloned().collect(),
            constants,
            steps,
            row_sets,
            agreements: std::mem::take(&mut self.agreements),
            targets,
            reasons: std::mem::take(&mut self.reasons),
        }
    }

    fn step(&mut self, spec: &StepSpec, steps: &mut Vec<Step>, of_records: bool) {
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

    fn row_set(&mut self, spec: &RowSetSpec) -> (RowSet, Scope) {
        let list = &spec.explode.value;
        if !self.scope.lists.contains(list) {
            let error = Error::new(format!("`{list}` is not a list"));
            let error = match nearest(list, self.scope.lists.iter().map(String::as_str)) {
                Some(known) => error.hint(format!("did you mean `{known}`?")),
                None => error.hint("make it with a `list` step"),
            };
            self.problem(Some(&spec.explode), error);
        }
        let outer = self.scope.clone();
        let name = spec.name.value.clone();
        let sources = self.scope.read(list);
        self.scope.make(&name, sources);
        self.scope
            .make(&format!("{name}_position"), BTreeSet::new());
        let mut steps = Vec::new();
        for step in &spec.steps {
            self.step(step, &mut steps, false);
        }
        let inner = self.leave(outer);
        let set = RowSet {
            list: list.clone(),
            name,
            keep: Vec::new(),
            steps,
        };
        (set, inner)
    }

    /// Goes back to the scope `outer`, keeping what was found to come from staging.
    fn leave(&mut self, outer: Scope) -> Scope {
        let inner = std::mem::replace(&mut self.scope, outer);
        for name in &inner.staged {
            if !self.scope.sources.contains_key(name) {
                self.scope.read(name);
            }
        }
        inner
    }

    /// The record's columns that a row set's own steps and targets can read.
    fn keep(&self, set: &mut RowSet, scope: &Scope) {
        let position = format!("{}_position", set.name);
        set.keep = scope
            .sources
            .keys()
            .filter(|name| **name != set.name && **name != position)
            .filter(|name| self.scope.sources.contains_key(*name))
            .cloned()
            .collect();
    }

    fn targets(&mut self, spec: &TargetsSpec, scopes: &mut [(String, Scope)]) -> Vec<Target> {
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

    fn column(&mut self, column: &Text) -> String {
        self.scope.read(&column.value);
        column.value.clone()
    }

    fn expression(&mut self, text: &Text) -> Option<Expression> {
        match Expression::parse(&text.value) {
            Ok(expression) => {
                self.scope.read_all(expression.columns());
                Some(expression)
            }
            Err(error) => {
                self.problem(Some(text), error);
                None
            }
        }
    }

    /// The bit of a reason, which is given one when it is new.
    fn reason(&mut self, word: &str) -> u64 {
        let bit = self.reasons.iter().position(|known| known == word);
        let bit = bit.unwrap_or_else(|| {
            self.reasons.push(word.to_owned());
            self.reasons.len() - 1
        });
        1u64.checked_shl(bit as u32).unwrap_or(0)
    }

    fn problem(&mut self, at: Option<&Text>, error: Error) {
        self.problems.push(Problem {
            file: self.file.to_owned(),
            line: at.map_or(0, |text| line(&text.referenced)),
            column: at.map_or(0, |text| column(&text.referenced)),
            message: error.to_string(),
            hint: error
                .hint_text()
                .filter(|hint| !hint.is_empty())
                .map(str::to_owned),
        });
    }
}

fn line(place: &Location) -> u32 {
    u32::try_from(place.line()).unwrap_or(0)
}

fn column(place: &Location) -> u32 {
    u32::try_from(place.column()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Cell, CellType, TableColumn};

    fn column(name: &str, cell_type: CellType, nullable: bool) -> TableColumn {
        TableColumn {
            name: name.to_owned(),
            cell_type,
            nullable,
            has_default: false,
        }
    }

    fn schema() -> Schema {
        let mut schema = Schema::default();
        schema.insert(Table {
            name: "visits".to_owned(),
            columns: vec![
                column("visit_id", CellType::Text, false),
                column("day", CellType::Date, true),
                column("year", CellType::Integer, true),
            ],
            key: vec!["visit_id".to_owned()],
            foreign_keys: Vec::new(),
        });
        schema.insert(Table {
            name: "findings".to_owned(),
            columns: vec![
                column("visit_id", CellType::Text, false),
                column("label", CellType::Text, false),
                column("code", CellType::Text, true),
                column("place", CellType::Integer, false),
            ],
            key: vec!["visit_id".to_owned(), "label".to_owned()],
            foreign_keys: Vec::new(),
        });
        schema
    }

    fn compile(text: &str) -> Result<Plan, Vec<Problem>> {
        let read = |file: &str| match file {
            "codes.csv" => Ok("label,code\nflu,J11\n".into()),
            _ => Err(Error::new(format!("file `{file}` is not there"))),
        };
        Plan::compile("t.yaml", text, &schema(), &read)
    }

    const VISITS: &str = r#"
constants: {source: clinic}
steps:
  - nulls: {words: ["", None]}
  - date: {column: Day, format: "%Y%m%d", as: day}
  - list: {column: Labels, as: labels, syntax: python}
  - set: {year: "DATE_PART('year', day)", next_year: "year + 1"}
  - check: {rule: too_old, where: "year > 2000 OR year IS NULL"}
  - agree: {rule: sex_conflict, column: Sex, within: Person, order_by: [day, Id]}
row_sets:
  findings:
    explode: labels
    as: label
    steps:
      - map: {column: label, file: codes.csv, key: label, values: {code: code}}
targets:
  - table: visits
    key: {visit_id: "uuid5(source, Id)"}
    columns: {day: day, year: next_year}
    version_by: [day]
  - table: findings
    rows: findings
    key: {visit_id: "uuid5(source, Id)", label: label}
    columns: {code: "COALESCE(code, label)", place: label_position}
"#;

    fn staged(plan: &Plan, rows: &[[&str; 5]]) -> Vec<Vec<Option<String>>> {
        let names = ["Day", "Id", "Labels", "Person", "Sex"];
        assert_eq!(plan.staged, names);
        (0..5)
            .map(|c| rows.iter().map(|row| Some(row[c].to_owned())).collect())
            .collect()
    }

    #[test]
    fn shapes_records_and_collects_every_reason() {
        let plan = compile(VISITS).expect("compiles");
        let rows = [
            ["20160102", "a", "['flu', ' cold']", "p", "F"],
            ["19990101", "b", "['flu'", "p", "M"],
            ["20161301", "c", "[]", "q", "M"],
            ["", "d", "", "q", "None"],
            ["20170101", "", "[]", "r", ""],
        ];
        let first = plan.reference(0, staged(&plan, &rows)).expect("reference");
        assert_eq!(first.get("p").map(String::as_str), Some("F"));
        let shaped = plan
            .shape(staged(&plan, &rows), &vec![first])
            .expect("shapes");
        let words: Vec<Vec<&str>> = shaped.reasons.iter().map(|r| plan.words(*r)).collect();
        assert_eq!(words[0], [""; 0]);
        assert_eq!(words[1], ["list_syntax", "too_old", "sex_conflict"]);
        assert_eq!(words[2], ["bad_date"]);
        assert_eq!(words[3], [""; 0]);
        assert_eq!(words[4], ["missing_key"]);
        assert_eq!(shaped.targets[0].records, [0, 3]);
        assert_eq!(shaped.targets[0].cells[2], Cell::Integer(2017));
        assert_eq!(shaped.targets[1].records, [0, 0]);
        let texts: Vec<String> = shaped.targets[1]
            .cells
            .iter()
            .map(Cell::to_string)
            .collect();
        assert_eq!(texts[1..4], ["flu", "J11", "1"]);
        assert_eq!(texts[5..8], ["cold", "cold", "2"]);
        assert_eq!(shaped.targets[0].versions[0], "2016-01-02");
    }

    #[test]
    fn the_result_does_not_depend_on_the_batch() {
        let plan = compile(VISITS).expect("compiles");
        let rows = [
            ["20160102", "a", "['flu']", "p", "F"],
            ["20160103", "b", "[]", "p", "F"],
        ];
        let all = plan
            .shape(staged(&plan, &rows), &Vec::new())
            .expect("shapes");
        let one = plan
            .shape(staged(&plan, &rows[1..]), &Vec::new())
            .expect("shapes");
        assert_eq!(all.targets[0].cells[3..], one.targets[0].cells[..]);
    }

    #[test]
    fn an_agreement_knows_what_it_is_made_from() {
        let plan = compile(VISITS).expect("compiles");
        assert_eq!(plan.agreements[0].sources, ["Sex"]);
    }

    #[test]
    fn reports_every_problem_with_its_place() {
        let text = r#"
steps:
  - date: {column: Day, format: "%Q"}
  - set: {year: "MAX(Day)"}
  - map: {column: x, file: nothing.csv, key: k, values: {}}
row_sets:
  things: {explode: labels, as: label}
targets:
  - table: visit
    key: {visit_id: Id}
  - table: visits
    key: {visit: Id}
    columns: {yaer: "1 +"}
  - table: findings
    rows: stuff
    key: {visit_id: Id}
"#;
        let problems = compile(text).expect_err("problems");
        let lines: Vec<u32> = problems.iter().map(|p| p.line).collect();
        assert_eq!(lines, [3, 4, 5, 7, 9, 12, 13, 13, 11, 15]);
        assert_eq!(problems[4].hint.as_deref(), Some("did you mean `visits`?"));
    }

    #[test]
    fn a_wrong_type_is_found_without_data() {
        let text = "targets:\n  - table: visits\n    key: {visit_id: Id}\n    columns: {day: \"Id = 'x'\"}\n";
        let problems = compile(text).expect_err("problems");
        assert!(
            problems[0]
                .message
                .contains("column `day` of table `visits`"),
            "{}",
            problems[0]
        );
        let text = "steps:\n  - nulls: {wrods: []}\ntargets: []\n";
        let problems = compile(text).expect_err("problems");
        assert!(problems[0].message.contains("wrods"), "{}", problems[0]);
    }
}
