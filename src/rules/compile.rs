//! From a targets file to a plan, with every problem of the file at once.

use std::collections::BTreeSet;

use serde_saphyr::Location;

use super::expression::Expression;
use super::plan::{Agreement, Plan, RowSet, builtin};
use super::scope::Scope;
use super::spec::{RowSetSpec, TargetsSpec, Text};
use crate::base::{Error, Problem, Result, Schema, nearest};

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

/// A targets file on its way to a plan, with the problems found so far.
pub(super) struct Compiler<'a> {
    file: &'a str,
    pub schema: &'a Schema,
    pub read: &'a ReadFile<'a>,
    problems: Vec<Problem>,
    pub scope: Scope,
    reasons: Vec<String>,
    pub agreements: Vec<Agreement>,
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
    pub(super) fn leave(&mut self, outer: Scope) -> Scope {
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

    pub(super) fn column(&mut self, column: &Text) -> String {
        self.scope.read(&column.value);
        column.value.clone()
    }

    pub(super) fn expression(&mut self, text: &Text) -> Option<Expression> {
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
    pub(super) fn reason(&mut self, word: &str) -> u64 {
        let bit = self.reasons.iter().position(|known| known == word);
        let bit = bit.unwrap_or_else(|| {
            self.reasons.push(word.to_owned());
            self.reasons.len() - 1
        });
        1u64.checked_shl(bit as u32).unwrap_or(0)
    }

    pub(super) fn problem(&mut self, at: Option<&Text>, error: Error) {
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
    use crate::base::{Cell, CellType, Table, TableColumn};

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
        let expected = [
            (1, "`Labels`: a list"),
            (1, "`Sex`: one value within `Person`"),
            (1, "year > 2000 OR year IS NULL"),
            (2, "`Day`: a date as `%Y%m%d`"),
            (4, "`visits.visit_id`: a value"),
        ];
        let expected = expected.map(|(record, text)| (record, text.to_owned()));
        assert_eq!(shaped.expected, expected);
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
    fn versions_order_as_numbers_do() {
        for number in ["DATE_PART('year', day) / 2.0", "DATE_PART('year', day)"] {
            let negative = format!("CASE WHEN Sex = 'M' THEN 0 - {number} ELSE {number} END");
            let text = VISITS.replace(
                "version_by: [day]",
                &format!("version_by: [\"{negative}\"]"),
            );
            let plan = compile(&text).expect("compiles");
            // from the least to the greatest
            let rows = [
                ["99990101", "a", "[]", "p", "M"],
                ["20190101", "b", "[]", "q", "M"],
                ["20190101", "c", "[]", "r", "F"],
                ["20200101", "d", "[]", "s", "F"],
                ["99990101", "e", "[]", "t", "F"],
            ];
            let shaped = plan.shape(staged(&plan, &rows), &Vec::new());
            let versions = &shaped.expect("shapes").targets[0].versions;
            assert_eq!(versions.len(), rows.len());
            assert!(versions.is_sorted(), "{versions:?}");
        }
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
