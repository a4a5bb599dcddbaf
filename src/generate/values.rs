//! The value of one column of the row at hand.

use std::borrow::Cow;

use chrono::{Datelike, NaiveDate, TimeDelta};

use super::chance::{Chance, exp};
use super::csv_text::{push_date, push_decimal, push_field, push_number};
use super::list_text::push_list;
use super::plan::{
    Case, Count, Date, Kind, List, Number, Operand, Part, Plan, Source, Spread, Text,
};
use super::row::{Cell, Row, Stretch};
use super::spec::DateFormat;
use super::words::{Shares, WordList};

/// Everything the value of a column may depend on.
pub struct Values<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The plan's lists.
    pub lists: &'a [Cow<'a, WordList>],
    /// The day.
    pub day: NaiveDate,
    /// Place of the table of the row at hand.
    pub table: usize,
    /// The rows at hand of the other tables.
    pub others: &'a [Row],
    /// The row at hand, as far as its values are known.
    pub row: &'a mut Row,
    /// The table's chance.
    pub chance: &'a mut Chance,
}

impl Values<'_> {
    /// A new value of this kind.
    pub fn draw(&mut self, kind: &Kind) -> Cell {
        match kind {
            Kind::Text(text) => self.text(text),
            Kind::Choice(texts, shares) => {
                let place = shares.choose(self.chance, texts.len());
                self.text(&texts[place])
            }
            Kind::Pick(list, shares) => {
                let line = shares.choose(self.chance, self.lists[*list].len());
                Cell::Line(*list as u32, line as u32)
            }
            Kind::Sample(list, shares, count) => self.sample(*list, shares, count),
            Kind::Nth(list, source) => self.nth(*list, *source),
            Kind::Number(number) => Cell::Number(self.number(number), number.decimals),
            Kind::Date(date, format) => self.date(date, *format),
            Kind::YearOf(source) => match self.cell(*source) {
                Cell::Date(date, _) => Cell::Number(i64::from(date.year()), 0),
                _ => Cell::Null,
            },
            Kind::Minus(this, that) => self.minus(*this, *that).unwrap_or(Cell::Null),
            Kind::Case(case) => self.case(case),
            Kind::List(list) => self.list(list),
        }
    }

    /// Puts a text together.
    pub fn text(&mut self, text: &Text) -> Cell {
        let parts = match text {
            Text::Literal(place) => return Cell::Literal(*place),
            Text::Parts(parts) => parts,
        };
        let start = self.row.text.len();
        for part in parts {
            let known = match part {
                Part::Literal(text) => {
                    self.row.text.extend_from_slice(text.as_bytes());
                    true
                }
                Part::Value(source) => self.push(*source),
                Part::Row(width) => {
                    push_number(&mut self.row.text, self.row.number as i64, *width);
                    true
                }
                Part::Day => {
                    push_date(&mut self.row.text, self.day, DateFormat::Compact);
                    true
                }
                Part::Digits(count) => {
                    push_digits(&mut self.row.text, self.chance, *count);
                    true
                }
                Part::Letters(count) => {
                    let chance = &mut *self.chance;
                    let letters = (0..*count).map(|_| b'a' + chance.below(26) as u8);
                    self.row.text.extend(letters);
                    true
                }
            };
            if !known {
                return Cell::Null;
            }
        }
        self.row.text_from(start)
    }

    /// The text of `cell` of the row at hand.
    pub fn text_of(&self, cell: Cell) -> Option<Cow<'_, [u8]>> {
        self.bytes(cell, self.row, None)
    }

    fn row_of(&self, source: Source) -> &Row {
        if source.table == self.table {
            self.row
        } else {
            &self.others[source.table]
        }
    }

    fn cell(&self, source: Source) -> Cell {
        self.row_of(source).cells[source.column]
    }

    fn bytes<'s>(
        &'s self,
        cell: Cell,
        row: &'s Row,
        field: Option<usize>,
    ) -> Option<Cow<'s, [u8]>> {
        let mut out = Vec::new();
        Some(match cell {
            Cell::Null | Cell::Lines(_) => return None,
            Cell::Literal(place) => {
                Cow::Borrowed(self.plan.literals[place as usize].text.as_bytes())
            }
            Cell::Text(stretch) => Cow::Borrowed(row.bytes(stretch)),
            Cell::Line(list, line) => {
                let words = &self.lists[list as usize];
                let literal = words.field(line as usize, field.unwrap_or(0));
                Cow::Borrowed(literal.text.as_bytes())
            }
            Cell::Number(units, decimals) => {
                push_decimal(&mut out, units, decimals);
                Cow::Owned(out)
            }
            Cell::Date(date, format) => {
                push_date(&mut out, date, format);
                Cow::Owned(out)
            }
        })
    }

    /// Appends a value to the row's buffer; `false` when there is none.
    fn push(&mut self, source: Source) -> bool {
        match self.cell(source) {
            Cell::Number(units, decimals) => push_decimal(&mut self.row.text, units, decimals),
            Cell::Date(date, format) => push_date(&mut self.row.text, date, format),
            Cell::Text(Stretch { start, end }) if source.table == self.table => {
                self.row
                    .text
                    .extend_from_within(start as usize..end as usize);
            }
            Cell::Text(stretch) => {
                let text = self.others[source.table].bytes(stretch);
                self.row.text.extend_from_slice(text);
            }
            Cell::Literal(place) => {
                let text = &self.plan.literals[place as usize].text;
                self.row.text.extend_from_slice(text.as_bytes());
            }
            Cell::Line(list, line) => {
                let words = &self.lists[list as usize];
                let literal = words.field(line as usize, source.field.unwrap_or(0));
                self.row.text.extend_from_slice(literal.text.as_bytes());
            }
            Cell::Null | Cell::Lines(_) => return false,
        }
        true
    }

    fn whole(&self, operand: Operand) -> Option<i64> {
        let source = match operand {
            Operand::Number(number) => return Some(number),
            Operand::Value(source) => source,
        };
        match self.cell(source) {
            Cell::Number(units, decimals) => Some(units / 10_i64.pow(u32::from(decimals))),
            cell => {
                let text = self.bytes(cell, self.row_of(source), source.field)?;
                std::str::from_utf8(&text).ok()?.trim().parse().ok()
            }
        }
    }

    fn minus(&self, this: Operand, that: Operand) -> Option<Cell> {
        let difference = self.whole(this)?.checked_sub(self.whole(that)?)?;
        Some(Cell::Number(difference, 0))
    }

    fn number(&mut self, number: &Number) -> i64 {
        let drawn = match number.spread {
            Spread::Even => return self.chance.between(number.min, number.max),
            Spread::Normal(mean, sd) => mean + sd * self.chance.normal(),
            Spread::Lognormal(median, sigma) => median * exp(sigma * self.chance.normal()),
        };
        (drawn.round() as i64).clamp(number.min, number.max)
    }

    fn date(&mut self, date: &Date, format: DateFormat) -> Cell {
        let (from, days) = match *date {
            Date::Range(from, days) => (Some(from), self.chance.below(days) as i64),
            Date::After {
                from,
                min,
                max,
                per_row,
            } => {
                let from = match from.map(|source| self.cell(source)) {
                    None => Some(self.day),
                    Some(Cell::Date(date, _)) => Some(date),
                    Some(_) => None,
                };
                let rows = self.row.number.saturating_sub(1) as i64;
                let days = rows.saturating_mul(i64::from(per_row));
                (from, days.saturating_add(self.days(min, max)))
            }
        };
        from.and_then(|from| from.checked_add_signed(TimeDelta::try_days(days)?))
            .map_or(Cell::Null, |date| Cell::Date(date, format))
    }

    fn days(&mut self, min: i32, max: i32) -> i64 {
        if min == max {
            return i64::from(min);
        }
        self.chance.between(i64::from(min), i64::from(max))
    }

    fn sample(&mut self, list: usize, shares: &Shares, count: &Count) -> Cell {
        let lines = self.lists[list].len();
        let wanted = draw_count(count, self.chance).min(lines as u64) as usize;
        let start = self.row.lines.len();
        // rare lines may not turn up in any reasonable time; then there are fewer
        for _ in 0..wanted * 8 {
            if self.row.lines.len() - start == wanted {
                break;
            }
            let line = shares.choose(self.chance, lines) as u32;
            if !self.row.lines[start..].contains(&line) {
                self.row.lines.push(line);
            }
        }
        Cell::Lines(Stretch {
            start: start as u32,
            end: self.row.lines.len() as u32,
        })
    }

    fn nth(&self, list: usize, source: Source) -> Cell {
        let Cell::Lines(stretch) = self.cell(source) else {
            return Cell::Null;
        };
        let lines = self.row_of(source).sampled(stretch);
        let line = lines.get(self.row.number.saturating_sub(1) as usize);
        line.map_or(Cell::Null, |&line| Cell::Line(list as u32, line))
    }

    fn case(&mut self, case: &Case) -> Cell {
        let text = self.bytes(self.cell(case.of), self.row_of(case.of), case.of.field);
        let by_text = text.and_then(|text| {
            let mut cases = case.equals.iter();
            cases.find(|(value, _)| value.as_bytes() == &*text)
        });
        if let Some((_, text)) = by_text {
            return self.text(text);
        }
        let number = match case.below.is_empty() {
            true => None,
            false => self.whole(Operand::Value(case.of)),
        };
        let by_number = case
            .below
            .iter()
            .find(|(limit, _)| number.is_some_and(|n| n < *limit));
        match by_number {
            Some((_, text)) => self.text(text),
            None => self.text(&case.otherwise),
        }
    }

    fn list(&mut self, list: &List) -> Cell {
        let sampled = |source: Source| match self.cell(source) {
            Cell::Lines(stretch) => Some(self.row_of(source).sampled(stretch).to_vec()),
            _ => None,
        };
        let Some(of) = sampled(list.of.sample) else {
            return Cell::Null;
        };
        let with = list.with.and_then(|item| sampled(item.sample));
        let start = self.row.text.len();
        push_list(
            &mut self.row.text,
            list,
            &of,
            &with.unwrap_or_default(),
            self.lists,
        );
        self.row.text_from(start)
    }
}

/// How many, by chance.
pub fn draw_count(count: &Count, chance: &mut Chance) -> u64 {
    match count {
        Count::Range(min, max) if min == max => *min,
        Count::Range(min, max) => min + chance.below(max - min + 1),
        Count::Shares(numbers, shares) => numbers[shares.choose(chance, numbers.len())],
    }
}

/// Appends the value of `cell` as a CSV field.
pub fn push_cell(
    out: &mut Vec<u8>,
    cell: Cell,
    row: &Row,
    plan: &Plan,
    lists: &[Cow<'_, WordList>],
) {
    match cell {
        Cell::Null | Cell::Lines(_) => {}
        Cell::Number(units, decimals) => push_decimal(out, units, decimals),
        Cell::Date(date, format) => push_date(out, date, format),
        Cell::Literal(place) => out.extend_from_slice(&plan.literals[place as usize].csv),
        Cell::Text(stretch) => push_field(out, row.bytes(stretch)),
        Cell::Line(list, line) => {
            let words = &lists[list as usize];
            out.extend_from_slice(&words.field(line as usize, 0).csv);
        }
    }
}

fn push_digits(out: &mut Vec<u8>, chance: &mut Chance, count: usize) {
    out.push(b'1' + chance.below(9) as u8);
    let mut left = count.saturating_sub(1);
    while left > 0 {
        let some = left.min(18);
        let digits = chance.below(10_u64.pow(some as u32));
        push_number(out, digits as i64, some);
        left -= some;
    }
}
