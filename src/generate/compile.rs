//! From the text of `generate.yaml` to a [`Plan`], or to every problem in it.

use std::sync::Arc;

use serde_saphyr::Spanned;

use super::chance::Rate;
use super::columns::Columns;
use super::plan::{Count, Defect, DefectKind, ListSource, Plan, Table, Text};
use super::spec::{DefectSpec, Each, FanOut, Spec, TableSpec};
use super::words::{Literal, Shares, WordList};
use crate::base::{Problem, Result, nearest};

/// Gives the text of another file of the folder.
pub type Lookup<'a> = dyn Fn(&str) -> Result<Arc<str>> + 'a;

/// Reads the definition `text` from the file `name`; `lookup` gives the word files it names.
///
/// # Errors
/// Every problem that was found, with its place.
pub fn compile(name: &str, text: &str, lookup: &Lookup) -> Result<Plan, Vec<Problem>> {
    let spec: Spec = serde_saphyr::from_str(text).map_err(|error| {
        let (line, column) = error
            .location()
            .map_or((0, 0), |at| (at.line() as u32, at.column() as u32));
        vec![Problem {
            file: name.to_owned(),
            line,
            column,
            message: error.without_snippet().to_string(),
            hint: None,
        }]
    })?;
    let mut compiler = Compiler {
        file: name,
        lookup,
        list_names: Vec::new(),
        plan: Plan {
            seed: spec.seed,
            scales: spec.scales,
            tables: Vec::new(),
            lists: Vec::new(),
            literals: Vec::new(),
            defects: Vec::new(),
        },
        problems: Vec::new(),
    };
    for table in &spec.tables {
        compiler.table(table);
    }
    for (place, table) in spec.tables.iter().enumerate() {
        let plan = &compiler.plan;
        let known = &plan.tables[place];
        if known.parent.is_none() && known.rows.is_none() && plan.cut_of(place).is_none() {
            let message = "a table without a `parent` needs `rows`, or a table below it does";
            compiler.problem(&table.name, message);
        }
    }
    if compiler.problems.is_empty() {
        Ok(compiler.plan)
    } else {
        Err(compiler.problems)
    }
}

/// The plan as far as it is known, and what was found wrong.
pub struct Compiler<'a> {
    file: &'a str,
    lookup: &'a Lookup<'a>,
    /// File names of the word lists, by place; empty for the rows of a table.
    list_names: Vec<String>,
    /// The plan so far.
    pub plan: Plan,
    problems: Vec<Problem>,
}

impl Compiler<'_> {
    /// Notes a problem at the name `at`.
    pub fn problem(&mut self, at: &Spanned<String>, message: impl std::fmt::Display) {
        self.problems.push(Problem {
            file: self.file.to_owned(),
            line: at.defined.line() as u32,
            column: at.defined.column() as u32,
            message: format!("`{}`: {message}", at.value),
            hint: None,
        });
    }

    /// Notes the problem of `result`, if it has one.
    pub fn noted<T>(&mut self, at: &Spanned<String>, result: Result<T, String>) -> Option<T> {
        result.map_err(|message| self.problem(at, message)).ok()
    }

    /// Keeps a text that is known beforehand.
    pub fn literal(&mut self, text: &str) -> Text {
        let known = &self.plan.literals;
        let place = known.iter().position(|literal| literal.text == text);
        let place = place.unwrap_or_else(|| {
            self.plan.literals.push(Literal::new(text));
            self.plan.literals.len() - 1
        });
        Text::Literal(place as u32)
    }

    /// The place of the word file `name` among the lists.
    pub fn words(&mut self, name: &str) -> Result<usize, String> {
        if let Some(place) = self.list_names.iter().position(|known| known == name) {
            return Ok(place);
        }
        let list = (self.lookup)(name).and_then(|text| WordList::read(name, &text));
        let list = list.map_err(|error| error.to_string())?;
        self.list_names.push(name.to_owned());
        self.plan.lists.push(ListSource::Words(list));
        Ok(self.plan.lists.len() - 1)
    }

    /// The place of the rows of `table` among the lists.
    pub fn rows_of(&mut self, table: usize) -> usize {
        let is_it = |list: &ListSource| matches!(list, ListSource::Table(place) if *place == table);
        let known = self.plan.lists.iter().position(is_it);
        known.unwrap_or_else(|| {
            self.list_names.push(String::new());
            self.plan.lists.push(ListSource::Table(table));
            self.plan.lists.len() - 1
        })
    }

    /// Column names of the list at `place`.
    pub fn fields(&self, place: usize) -> Vec<String> {
        match &self.plan.lists[place] {
            ListSource::Words(words) => words.columns().to_vec(),
            ListSource::Table(table) => visible_names(&self.plan.tables[*table]),
        }
    }

    /// The place of the table called `name`.
    pub fn place(&self, name: &str) -> Result<usize, String> {
        let tables = &self.plan.tables;
        let place = tables.iter().position(|table| table.name == name);
        place.ok_or_else(|| {
            let names = tables.iter().map(|table| table.name.as_str());
            unknown("table", name, names)
        })
    }

    fn table(&mut self, spec: &TableSpec) {
        let at = &spec.name;
        let place = self.plan.tables.len();
        if self.place(&at.value).is_ok() {
            self.problem(at, "a table of this name exists already");
        }
        let parent = spec.parent.as_ref().and_then(|parent| {
            let found = self.place(&parent.value);
            self.noted(parent, found)
        });
        match (&spec.parent, &spec.fan_out, spec.rows) {
            (None, Some(_), _) => self.problem(at, "`fan_out` needs a `parent`"),
            (Some(_), None, _) => self.problem(at, "a table with a `parent` needs `fan_out`"),
            _ => {}
        }
        let fan_out = spec
            .fan_out
            .as_ref()
            .map(count)
            .unwrap_or(Ok(Count::Range(1, 1)));
        let fan_out = self.noted(at, fan_out);
        if spec.each == Each::Once && spec.parent.is_some() {
            self.problem(
                at,
                "`each: once` belongs to the table at the top of the family",
            );
        }
        let root = parent.map_or(place, |parent| self.plan.tables[parent].root);
        if spec.exact {
            let parent = parent.map(|parent| &self.plan.tables[parent]);
            let fits = check_exact(spec.rows, parent, fan_out.as_ref());
            self.noted(at, fits);
        } else if parent.is_some() && spec.rows.is_some() && self.plan.cut_of(root).is_some() {
            self.problem(at, "another table cuts this family with its `rows` already");
        }
        let file = spec.file.clone();
        let file = file.unwrap_or_else(|| format!("{}.csv", at.value));
        if file.is_empty() || file.starts_with('.') || file.contains(['/', '\\']) {
            self.problem(at, "`file` is a plain file name, without a folder");
        }
        self.plan.tables.push(Table {
            name: at.value.clone(),
            file: spec.write.then_some(file),
            parent,
            children: Vec::new(),
            root,
            rows: spec.rows,
            exact: spec.exact,
            scaled: spec.scaled,
            daily: match parent {
                Some(parent) => self.plan.tables[parent].daily,
                None => spec.each == Each::Day,
            },
            fan_out: fan_out.unwrap_or(Count::Range(1, 1)),
            columns: Vec::new(),
            defects: 0..0,
        });
        if let Some(parent) = parent {
            self.plan.tables[parent].children.push(place);
        }
        let mut columns = Columns::of(self, place);
        for column in &spec.columns {
            columns.add(column);
        }
        let first = columns.compiler().plan.defects.len();
        for defect in &spec.defects {
            let compiled = compile_defect(&mut columns, defect);
            let compiler = columns.compiler();
            let compiled = compiler.noted(&defect.name, compiled);
            compiler.plan.defects.extend(compiled);
        }
        self.plan.tables[place].defects = first..self.plan.defects.len();
    }
}

/// Whether a table can have exactly `rows` rows.
fn check_exact(
    rows: Option<u64>,
    parent: Option<&Table>,
    fan_out: Option<&Count>,
) -> Result<(), String> {
    let rows = rows.ok_or("an `exact` table needs `rows`")?;
    let (Some(parent), Some(fan_out)) = (parent, fan_out) else {
        return Ok(());
    };
    let Some(parents) = parent.rows.filter(|_| parent.exact) else {
        return Err(format!(
            "an `exact` table needs a parent that is `exact`, `{}` is not",
            parent.name
        ));
    };
    let (least, most) = fan_out.bounds();
    match (parents.saturating_mul(least)..=parents.saturating_mul(most)).contains(&rows) {
        true => Ok(()),
        false => Err(format!(
            "{parents} rows of `{}` with {least} to {most} rows each cannot have {rows}",
            parent.name
        )),
    }
}

fn compile_defect(columns: &mut Columns, spec: &DefectSpec) -> Result<Defect, String> {
    let kind = match (spec.repeat, &spec.column) {
        (true, None) if spec.replace.is_empty() && spec.swap.is_empty() => DefectKind::Repeat,
        (false, Some(column)) if spec.swap.is_empty() && !spec.replace.is_empty() => {
            let place = columns.own(column)?;
            DefectKind::Replace(place, columns.texts(&spec.replace)?)
        }
        (false, Some(column)) if spec.replace.is_empty() && !spec.swap.is_empty() => {
            let place = columns.own(column)?;
            let mut swap = Vec::new();
            for (from, to) in &spec.swap {
                swap.push((from.clone(), columns.text(to)?));
            }
            DefectKind::Swap(place, swap)
        }
        _ => {
            return Err(
                "expected `repeat: true`, or a `column` with `replace` or `swap`".to_owned(),
            );
        }
    };
    Ok(Defect {
        name: spec.name.value.clone(),
        rate: rate(spec.rate)?,
        expect: spec.expect,
        not_first: spec.not_first,
        kind,
    })
}

/// Names of the columns that are written.
pub fn visible_names(table: &Table) -> Vec<String> {
    let visible = table.columns.iter().filter(|column| column.visible);
    visible.map(|column| column.name.clone()).collect()
}

/// The message for a name nobody has.
pub fn unknown<'n>(what: &str, name: &str, known: impl Iterator<Item = &'n str>) -> String {
    match nearest(name, known) {
        Some(near) => format!("{what} `{name}` is unknown here, did you mean `{near}`?"),
        None => format!("{what} `{name}` is unknown here"),
    }
}

/// A probability.
pub fn rate(rate: f64) -> Result<Rate, String> {
    Rate::new(rate).ok_or_else(|| format!("rate {rate} is not between 0 and 1"))
}

/// A number of rows or items.
pub fn count(spec: &FanOut) -> Result<Count, String> {
    match spec {
        FanOut::Range { min, max } if min <= max && *max <= 1_000_000 => {
            Ok(Count::Range(*min, *max))
        }
        FanOut::Range { .. } => Err("a range needs `min` ≤ `max` ≤ 1000000".to_owned()),
        FanOut::Shares(shares) => {
            let numbers = shares.keys().copied().collect();
            let shares = Shares::new(shares.values().copied());
            let shares = shares.ok_or("the shares add up to nothing")?;
            Ok(Count::Shares(numbers, shares))
        }
    }
}
