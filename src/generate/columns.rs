//! The columns of one table: from their names and texts to places in the plan.

use std::collections::BTreeMap;

use super::compile::{Compiler, count, rate, unknown, visible_names};
use super::plan::{
    Case, Column, Date, Item, Kind, List, ListSource, Number, Operand, Part, Seasons, Spread, Text,
};
use super::spec::{self, Choice, ColumnSpec, DateSpec, Days, Lognormal, Normal, NumberSpec};
use super::text::{RawPart, parse_text};
use super::words::{Literal, Shares};

/// A value, or what is wrong with what was written for it.
pub type Checked<T> = Result<T, String>;

/// The columns of a table, as far as they are known.
pub struct Columns<'c, 'f> {
    pub(super) compiler: &'c mut Compiler<'f>,
    pub(super) table: usize,
}

impl<'c, 'f> Columns<'c, 'f> {
    /// The columns of the table at place `table`.
    pub fn of(compiler: &'c mut Compiler<'f>, table: usize) -> Self {
        Self { compiler, table }
    }

    /// The compiler they belong to.
    pub fn compiler(&mut self) -> &mut Compiler<'f> {
        self.compiler
    }

    /// Compiles one more column.
    pub fn add(&mut self, spec: &ColumnSpec) {
        let kind = self.kind(spec).and_then(|kind| {
            let null_rate = spec.null_rate.map(rate).transpose()?;
            Ok((kind, null_rate))
        });
        if self.own(&spec.name.value).is_ok() {
            let message = "a column of this name exists already";
            self.compiler.problem(&spec.name, message);
        }
        let kind = self.compiler.noted(&spec.name, kind);
        // a faulty column still has its name, so that one mistake does not look like many
        let (kind, null_rate) = kind.unwrap_or((Kind::Text(Text::Parts(Vec::new())), None));
        let column = Column {
            name: spec.name.value.clone(),
            visible: !spec.hidden && !matches!(kind, Kind::Sample(..)),
            null_rate,
            null: Literal::new(&spec.null_text),
            kind,
        };
        self.compiler.plan.tables[self.table].columns.push(column);
    }

    /// Compiles several texts.
    pub fn texts<T: AsRef<str>>(&mut self, texts: &[T]) -> Checked<Vec<Text>> {
        texts.iter().map(|text| self.text(text.as_ref())).collect()
    }

    /// Compiles a text with holes.
    pub fn text(&mut self, text: &str) -> Checked<Text> {
        let parts = parse_text(text)?;
        match parts.as_slice() {
            [] => Ok(self.compiler.literal("")),
            [RawPart::Literal(text)] => Ok(self.compiler.literal(text)),
            _ => {
                let parts = parts.into_iter().map(|part| self.part(part));
                let parts = parts.collect::<Checked<Vec<_>>>()?;
                Ok(match parts.as_slice() {
                    [Part::Value(source)] => Text::Value(*source),
                    _ => Text::Parts(parts),
                })
            }
        }
    }

    fn part(&self, part: RawPart) -> Checked<Part> {
        let (name, width) = match part {
            RawPart::Literal(text) => return Ok(Part::Literal(text)),
            RawPart::Hole { name, width } => (name, width),
        };
        match (name.as_str(), width) {
            ("row", width) => Ok(Part::Row(width.unwrap_or(1))),
            ("day", None) => self.daily("`{day}`").map(|()| Part::Day),
            ("digits", Some(width)) => Ok(Part::Digits(width)),
            ("letters", Some(width)) => Ok(Part::Letters(width)),
            (_, None) => self.value(&name).map(Part::Value),
            (_, Some(_)) => Err(format!(
                "`{{{name}:…}}`: only `row`, `digits` and `letters` take a width"
            )),
        }
    }

    fn kind(&mut self, spec: &ColumnSpec) -> Checked<Kind> {
        let mut kinds = Vec::new();
        if let Some(text) = &spec.text {
            kinds.push(self.text(text).map(Kind::Text));
        }
        if let Some(choice) = &spec.choice {
            kinds.push(self.choice(choice));
        }
        if let Some(pick) = &spec.pick {
            kinds.push(self.pick(pick));
        }
        if let Some(sample) = &spec.sample {
            kinds.push(self.sample(sample));
        }
        if let Some(path) = &spec.nth {
            kinds.push(self.nth(path));
        }
        if let Some(reference) = &spec.reference {
            kinds.push(self.reference(reference));
        }
        if let Some(number) = &spec.number {
            kinds.push(compile_number(number).map(Kind::Number));
        }
        if let Some(date) = &spec.date {
            kinds.push(self.date(date));
        }
        if let Some(column) = &spec.year_of {
            kinds.push(self.date_column(column).map(Kind::YearOf));
        }
        if let Some([this, that]) = &spec.minus {
            let minus = self.operand(this).and_then(|this| {
                let that = self.operand(that)?;
                Ok(Kind::Minus(this, that))
            });
            kinds.push(minus);
        }
        if let Some(case) = &spec.case {
            kinds.push(self.case(case).map(Kind::Case));
        }
        if let Some(list) = &spec.list {
            kinds.push(self.list(list).map(Kind::List));
        }
        match (kinds.pop(), kinds.is_empty()) {
            (Some(kind), true) => kind,
            _ => Err(
                "expected exactly one kind of value, such as `text`, `choice` or `number`"
                    .to_owned(),
            ),
        }
    }

    fn choice(&mut self, choice: &Choice) -> Checked<Kind> {
        let (texts, shares) = match choice {
            Choice::Alike(values) => {
                let texts = values.iter().map(|value| match value {
                    serde_json::Value::String(text) => text.clone(),
                    other => other.to_string(),
                });
                (texts.collect::<Vec<_>>(), Some(Shares::Alike))
            }
            Choice::Shares(shares) => {
                let numbers = shares.values().map(|share| {
                    let number = share.as_u64();
                    number.ok_or_else(|| format!("share {share} is not a whole number"))
                });
                let numbers = numbers.collect::<Checked<Vec<_>>>()?;
                (shares.keys().cloned().collect(), Shares::new(numbers))
            }
        };
        match shares {
            Some(shares) if !texts.is_empty() => Ok(Kind::Choice(self.texts(&texts)?, shares)),
            _ => Err("there is nothing to choose from".to_owned()),
        }
    }

    fn shares(&self, list: usize, column: Option<&str>) -> Checked<Shares> {
        let Some(column) = column else {
            return Ok(Shares::Alike);
        };
        let ListSource::Words(words) = &self.compiler.plan.lists[list] else {
            return Err("only a word file has shares".to_owned());
        };
        let names = words.columns().iter().map(String::as_str);
        let place = names.clone().position(|name| name == column);
        let place = place.ok_or_else(|| unknown("column", column, names))?;
        let shares = (0..words.len()).map(|line| {
            let text = &words.field(line, place).text;
            text.parse::<u64>().map_err(|_| {
                format!(
                    "`{column}` in line {} of the word file is not a whole number",
                    line + 2
                )
            })
        });
        let shares = shares.collect::<Checked<Vec<_>>>()?;
        Shares::new(shares).ok_or_else(|| format!("the shares in `{column}` add up to nothing"))
    }

    fn pick(&mut self, pick: &spec::Pick) -> Checked<Kind> {
        let list = self.compiler.words(&pick.file)?;
        let shares = match (&pick.shares, pick.zipf, &self.compiler.plan.lists[list]) {
            (Some(_), true, _) => return Err("give `shares` or `zipf`, not both".to_owned()),
            (None, true, ListSource::Words(words)) => Shares::zipf(words.len()),
            (column, ..) => self.shares(list, column.as_deref())?,
        };
        Ok(Kind::Pick(list, shares))
    }

    fn sample(&mut self, sample: &spec::Sample) -> Checked<Kind> {
        let list = self.compiler.words(&sample.file)?;
        let shares = self.shares(list, sample.shares.as_deref())?;
        Ok(Kind::Sample(list, shares, count(&sample.count)?))
    }

    fn nth(&self, path: &str) -> Checked<Kind> {
        let source = self.source(path)?;
        let column = &self.compiler.plan.tables[source.table].columns[source.column];
        match column.kind {
            Kind::Sample(list, ..) if source.table != self.table => Ok(Kind::Nth(list, source)),
            _ => Err(format!("`{path}` is not a `sample` of a table above")),
        }
    }

    fn reference(&mut self, reference: &spec::Reference) -> Checked<Kind> {
        let place = self.compiler.place(&reference.table)?;
        let table = &self.compiler.plan.tables[place];
        let this = &self.compiler.plan.tables[self.table];
        if table.parent.is_some() || table.root == this.root {
            return Err(format!(
                "`{}` is not a table of its own, without a parent",
                table.name
            ));
        }
        if table.daily && !this.daily {
            return Err(format!(
                "`{}` differs from day to day, this table does not",
                table.name
            ));
        }
        if visible_names(table).is_empty() {
            return Err(format!("`{}` has no columns to refer to", table.name));
        }
        let shares = if reference.zipf {
            // its number of rows follows the scale; beyond this many lines the tail is never chosen
            Shares::zipf(table.rows.unwrap_or(1).min(100_000) as usize)
        } else {
            Shares::Alike
        };
        Ok(Kind::Pick(self.compiler.rows_of(place), shares))
    }

    fn date(&self, spec: &DateSpec) -> Checked<Kind> {
        let days = match &spec.days {
            Some(days) => compile_days(days)?,
            None => Number::default(),
        };
        let moved = spec.days.is_some() || spec.days_per_row > 0;
        let date = match (spec.from, spec.to) {
            (Some(from), Some(to)) if from <= to && spec.after.is_none() && !moved => {
                Date::Range(from, (to - from).num_days() as u64 + 1)
            }
            (None, None) => {
                let after = spec.after.as_ref();
                let from = after.map(|column| self.date_column(column)).transpose()?;
                if from.is_none() {
                    self.daily("the day of the run")?;
                }
                let per_row = spec.days_per_row;
                Date::After {
                    from,
                    days,
                    per_row,
                }
            }
            _ => {
                return Err(
                    "expected `from` ≤ `to` alone, or `after` a column, or neither".to_owned(),
                );
            }
        };
        Ok(Kind::Date(date, seasons(spec)?, spec.format))
    }

    fn operand(&self, operand: &spec::Operand) -> Checked<Operand> {
        match operand {
            spec::Operand::Number(number) => Ok(Operand::Number(*number)),
            spec::Operand::Column(path) => self.value(path).map(Operand::Value),
        }
    }

    fn case(&mut self, case: &spec::Case) -> Checked<Case> {
        let of = self.value(&case.of)?;
        let mut equals = Vec::new();
        for (value, text) in &case.equals {
            equals.push((value.clone(), self.text(text)?));
        }
        let mut below = Vec::new();
        for (limit, text) in &case.below {
            below.push((*limit, self.text(text)?));
        }
        let otherwise = self.text(&case.r#else)?;
        Ok(Case {
            of,
            equals,
            below,
            otherwise,
        })
    }

    fn list(&self, list: &spec::List) -> Checked<List> {
        Ok(List {
            of: self.item(&list.of)?,
            with: list.with.as_ref().map(|path| self.item(path)).transpose()?,
            style: list.style,
        })
    }

    fn item(&self, path: &str) -> Checked<Item> {
        let sample = self.source(path)?;
        let column = &self.compiler.plan.tables[sample.table].columns[sample.column];
        match (&column.kind, sample.field) {
            (Kind::Sample(list, ..), Some(field)) => Ok(Item {
                sample,
                list: *list,
                field,
            }),
            _ => Err(format!(
                "`{path}` is not a column of a `sample`, as `labels.name`"
            )),
        }
    }
}

fn seasons(spec: &DateSpec) -> Checked<Option<Seasons>> {
    if spec.months.is_empty() && spec.weekdays.is_empty() {
        return Ok(None);
    }
    let (months, weekdays) = (shares(&spec.months)?, shares(&spec.weekdays)?);
    let most = |shares: &[u64]| shares.iter().copied().max().unwrap_or(0);
    let most = most(&months) * most(&weekdays);
    match most {
        0 => Err("`months` and `weekdays` leave no day".to_owned()),
        _ => Ok(Some(Seasons {
            months,
            weekdays,
            most,
        })),
    }
}

/// Shares by number from 1 to `N`, all alike when none are given.
fn shares<const N: usize>(given: &BTreeMap<u32, u64>) -> Checked<[u64; N]> {
    if given.is_empty() {
        return Ok([1; N]);
    }
    let mut shares = [0; N];
    for (&number, &share) in given {
        let place = (number as usize).checked_sub(1);
        let place = place.and_then(|place| shares.get_mut(place));
        let place = place.ok_or_else(|| format!("`{number}` is not between 1 and {N}"))?;
        // their product stays a number
        *place = share.min(u64::from(u32::MAX));
    }
    Ok(shares)
}

fn compile_number(spec: &NumberSpec) -> Checked<Number> {
    if spec.decimals > 9 {
        return Err("at most 9 `decimals` are possible".to_owned());
    }
    let scale = 10_u32.pow(u32::from(spec.decimals)) as f64;
    let units = |value: f64| (value * scale).round();
    let (min, max) = (units(spec.min), units(spec.max));
    if !(min <= max && min.abs().max(max.abs()) < 9e15) {
        return Err("a number needs `min` ≤ `max`, with at most 15 digits".to_owned());
    }
    Ok(Number {
        min: min as i64,
        max: max as i64,
        decimals: spec.decimals,
        spread: spread(spec.normal.as_ref(), spec.lognormal.as_ref(), scale)?,
    })
}

fn compile_days(spec: &Days) -> Checked<Number> {
    if spec.min > spec.max {
        return Err("`days` needs `min` ≤ `max`".to_owned());
    }
    Ok(Number {
        min: spec.min.into(),
        max: spec.max.into(),
        decimals: 0,
        spread: spread(spec.normal.as_ref(), spec.lognormal.as_ref(), 1.0)?,
    })
}

fn spread(normal: Option<&Normal>, skewed: Option<&Lognormal>, scale: f64) -> Checked<Spread> {
    match (normal, skewed) {
        (None, None) => Ok(Spread::Even),
        (Some(normal), None) => Ok(Spread::Normal(normal.mean * scale, normal.sd * scale)),
        (None, Some(skewed)) => Ok(Spread::Lognormal(skewed.median * scale, skewed.sigma)),
        (Some(_), Some(_)) => Err("give `normal` or `lognormal`, not both".to_owned()),
    }
}
