//! The value of one column of the row at hand.

use std::borrow::Cow;

use chrono::{Datelike, NaiveDate, TimeDelta};

use super::chance::{Chance, exp};
use super::csv_text::{push_date, push_decimal, push_number};
use super::list_text::push_list;
use super::plan::{
    Case, Count, Date, Kind, List, Number, Operand, Part, Plan, Seasons, Source, Spread, Text,
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
    /// Draws a value of this kind and puts it behind those of the row.
    // Nothing on the way hands a `Cell` back: written in parts and read as a whole right after, it made the processor wait
    // longer than all else took.
    pub fn draw(&mut self, kind: &Kind) {
        match kind {
            Kind::Text(text) => self.text(text),
            Kind::Choice(texts, shares) => {
                let place = shares.choose(self.chance, texts.len());
                self.text(&texts[place]);
            }
            Kind::Pick(list, shares) => {
                let line = shares.choose(self.chance, self.lists[*list].len());
                self.put(Cell::Line(*list as u32, line as u32, 0));
            }
            Kind::Sample(list, shares, count) => self.sample(*list, shares, count),
            Kind::Nth(list, source) => self.nth(*list, *source),
            Kind::Number(number) => {
                let units = self.number(number);
                self.put(Cell::Number(units, number.decimals));
            }
            Kind::Date(date, seasons, format) => match self.day(date, seasons.as_ref()) {
                Some(date) => self.put(Cell::Date(date, *format)),
                None => self.put(Cell::Null),
            },
            Kind::YearOf(source) => match self.cell(*source) {
                Cell::Date(date, _) => self.put(Cell::Number(i64::from(date.year()), 0)),
                _ => self.put(Cell::Null),
            },
            Kind::Minus(this, that) => match self.minus(*this, *that) {
                Some(difference) => self.put(Cell::Number(difference, 0)),
                None => self.put(Cell::Null),
            },
            Kind::Case(case) => self.case(case),
            Kind::List(list) => self.list(list),
        }
    }

    /// Puts a value behind those of the row.
    pub fn put(&mut self, cell: Cell) {
        self.row.cells.push(cell);
    }

    /// Puts a text behind the values of the row; null when a part of it is.
    pub fn text(&mut self, text: &Text) {
        match text {
            Text::Literal(place) => self.put(Cell::Literal(*place)),
            Text::Value(source) => self.same(*source),
            Text::Parts(parts) => {
                let start = self.row.text.len();
                match self.put_together(parts) {
                    true => self.put_text(start),
                    false => self.put(Cell::Null),
                }
            }
        }
    }

    /// Puts the text that reaches from `start` to the end of the buffer behind the values of the row.
    fn put_text(&mut self, start: usize) {
        self.put(Cell::Text(Stretch {
            start: start as u32,
            end: self.row.text.len() as u32,
        }));
    }

    /// Appends a text to the row's buffer; `false` when a part of it is null.
    fn put_together(&mut self, parts: &[Part]) -> bool {
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
                return false;
            }
        }
        true
    }

    /// Puts the text of a value, without a copy of it: the rows above stay as they are while this one is at hand.
    fn same(&mut self, source: Source) {
        match self.cell(source) {
            Cell::Null | Cell::Lines(_) => self.put(Cell::Null),
            Cell::Line(list, line, column) => {
                let column = source.field.map_or(column, |field| field as u32);
                self.put(Cell::Line(list, line, column));
            }
            Cell::Text(stretch) if source.table != self.table => {
                self.put(Cell::Above(source.table as u32, stretch));
            }
            Cell::Number(units, decimals) if decimals > 0 => {
                // as a number it would lend itself to sums, which its text does not
                let start = self.row.text.len();
                push_decimal(&mut self.row.text, units, decimals);
                self.put_text(start);
            }
            cell => self.put(cell),
        }
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
            Cell::Above(table, stretch) => {
                Cow::Borrowed(self.others[table as usize].bytes(stretch))
            }
            Cell::Line(list, line, column) => {
                let words = &self.lists[list as usize];
                let literal = words.field(line as usize, field.unwrap_or(column as usize));
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
            Cell::Above(table, stretch) => {
                let text = self.others[table as usize].bytes(stretch);
                self.row.text.extend_from_slice(text);
            }
            Cell::Literal(place) => {
                let text = &self.plan.literals[place as usize].text;
                self.row.text.extend_from_slice(text.as_bytes());
            }
            Cell::Line(list, line, column) => {
                let words = &self.lists[list as usize];
                let field = source.field.unwrap_or(column as usize);
                let literal = words.field(line as usize, field);
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

    fn minus(&self, this: Operand, that: Operand) -> Option<i64> {
        self.whole(this)?.checked_sub(self.whole(that)?)
    }

    fn number(&mut self, number: &Number) -> i64 {
        let drawn = match number.spread {
            Spread::Even => return self.chance.between(number.min, number.max),
            Spread::Normal(mean, sd) => mean + sd * self.chance.normal(),
            Spread::Lognormal(median, sigma) => median * exp(sigma * self.chance.normal()),
        };
        (drawn.round() as i64).clamp(number.min, number.max)
    }

    /// A date that its season lets pass; the last that was drawn when none of many is.
    fn day(&mut self, date: &Date, seasons: Option<&Seasons>) -> Option<NaiveDate> {
        let mut drawn = self.date(date)?;
        let Some(seasons) = seasons else {
            return Some(drawn);
        };
        for _ in 0..100 {
            let share = seasons.months[drawn.month0() as usize]
                * seasons.weekdays[drawn.weekday().num_days_from_monday() as usize];
            if self.chance.below(seasons.most) < share {
                break;
            }
            drawn = self.date(date)?;
        }
        Some(drawn)
    }

    fn date(&mut self, date: &Date) -> Option<NaiveDate> {
        let (from, days) = match date {
            Date::Range(from, days) => (Some(*from), self.chance.below(*days) as i64),
            Date::After {
                from,
                days,
                per_row,
            } => {
                let from = match from.map(|source| self.cell(source)) {
                    None => Some(self.day),
                    Some(Cell::Date(date, _)) => Some(date),
                    Some(_) => None,
                };
                let rows = self.row.number.saturating_sub(1) as i64;
                let before = rows.saturating_mul(i64::from(*per_row));
                (from, before.saturating_add(self.days(days)))
            }
        };
        from?.checked_add_signed(TimeDelta::try_days(days)?)
    }

    fn days(&mut self, days: &Number) -> i64 {
        // nothing is drawn where there is nothing to choose
        match days.min == days.max {
            true => days.min,
            false => self.number(days),
        }
    }

    fn sample(&mut self, list: usize, shares: &Shares, count: &Count) {
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
        self.put(Cell::Lines(Stretch {
            start: start as u32,
            end: self.row.lines.len() as u32,
        }));
    }

    fn nth(&mut self, list: usize, source: Source) {
        let Cell::Lines(stretch) = self.cell(source) else {
            return self.put(Cell::Null);
        };
        let lines = self.row_of(source).sampled(stretch);
        let line = lines.get(self.row.number.saturating_sub(1) as usize);
        match line.copied() {
            Some(line) => self.put(Cell::Line(list as u32, line, 0)),
            None => self.put(Cell::Null),
        }
    }

    fn case(&mut self, case: &Case) {
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

    fn list(&mut self, list: &List) {
        let Row {
            cells, text, lines, ..
        } = &mut *self.row;
        let sampled = |source: Source| {
            let (cells, lines) = match source.table == self.table {
                true => (&*cells, &*lines),
                false => {
                    let row = &self.others[source.table];
                    (&row.cells, &row.lines)
                }
            };
            match cells[source.column] {
                Cell::Lines(stretch) => Some(stretch.of(lines)),
                _ => None,
            }
        };
        let Some(of) = sampled(list.of.sample) else {
            return self.put(Cell::Null);
        };
        let with = list.with.and_then(|item| sampled(item.sample));
        let start = text.len();
        push_list(text, list, of, with.unwrap_or_default(), self.lists);
        self.put_text(start);
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
