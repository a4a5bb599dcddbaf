//! `cleansing_rules.csv`: what is done to the values of a column, step by step.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use regex::Regex;

use super::cast;
use super::column_type::ColumnType;
use super::date_pattern::DatePattern;
use super::dates::DateFormats;
use super::money::Money;
use super::phone::Phone;
use super::place::{Place, Problems, unknown};
use super::severity::Severity;
use super::sheet;
use super::sources::duplicate_order;
use crate::base::{Error, Result};
use crate::rules::lookup::Lookup;

/// The file's name.
pub(super) const FILE: &str = "cleansing_rules.csv";
const COLUMNS: [&str; 5] = [
    "table_name",
    "column_name",
    "cleanse_type",
    "seq_no",
    "is_active",
];
const OPTIONAL: [&str; 1] = ["severity"];

/// The words that a `cleanse_type` may begin with.
const KINDS: [&str; 14] = [
    "trim",
    "upper",
    "lower",
    "initcap",
    "nullify",
    "remove_spcl_charcs",
    "date_format",
    "date_formats",
    "cast",
    "replace",
    "map",
    "money",
    "phone",
    "email",
];

/// A step of a column.
#[derive(Debug, Clone)]
pub(super) struct CleansingRule {
    pub place: Place,
    pub table: String,
    pub column: String,
    /// As written, for people.
    pub text: String,
    pub order: i64,
    pub kind: Cleanse,
    pub severity: Severity,
}

/// What a step does.
#[derive(Debug, Clone)]
pub(super) enum Cleanse {
    Trim,
    Upper,
    Lower,
    InitCap,
    /// Empty text and these words become null.
    Nullify(Vec<String>),
    RemoveSpecial,
    Date(DatePattern),
    Dates(DateFormats),
    Cast(ColumnType),
    Replace(Regex, String),
    Map(Arc<HashMap<String, String>>),
    Money(Money),
    Phone(Phone),
    Email,
}

/// Reads the text of another file in the folder of the rule tables.
pub(super) type Beside<'a> = dyn Fn(&str) -> Result<Arc<str>> + 'a;

/// The active rules, column by column in their order.
pub(super) fn read(
    file: &str,
    text: &str,
    beside: &Beside<'_>,
    problems: &mut Problems,
) -> Vec<CleansingRule> {
    let mut rules = Vec::new();
    let mut orders = BTreeMap::new();
    for record in sheet::read(file, text, &COLUMNS, &OPTIONAL, problems) {
        let place = record.place.clone();
        match problems.take(&place, record.is_active()) {
            Some(true) => {}
            Some(false) | None => continue,
        }
        let kind = problems.take(&place, parse(record.get("cleanse_type"), beside));
        let order = problems.take(&place, record.required_order());
        let table = problems.take(&place, record.text("table_name"));
        let column = problems.take(&place, record.text("column_name"));
        let severity = problems.take(&place, Severity::read(&record, Severity::Error));
        let (Some(kind), Some(order), Some(table), Some(column), Some(severity)) =
            (kind, order, table, column, severity)
        else {
            continue;
        };
        let key = (table.clone(), column.clone(), order);
        if let Some(line) = orders.insert(key, place.line) {
            problems.add(&place, &duplicate_order(order, line));
        }
        rules.push(CleansingRule {
            place,
            table,
            column,
            text: record.get("cleanse_type").to_owned(),
            order,
            kind,
            severity,
        });
    }
    rules.sort_by_key(|rule| rule.order);
    rules
}

fn parse(text: &str, beside: &Beside<'_>) -> Result<Cleanse> {
    let (word, argument) = match text.split_once(':') {
        Some((word, argument)) => (word.trim(), Some(argument.trim())),
        None => (text, None),
    };
    // words may be written in any case, arguments may not
    let word = word.to_ascii_lowercase();
    if word != "nullify" {
        let takes_none = KINDS[..6].contains(&word.as_str()) || word == "email";
        match argument {
            Some(_) if takes_none => {
                return Err(Error::new(format!("`{word}` takes nothing after a colon")));
            }
            None | Some("") if !takes_none && KINDS.contains(&word.as_str()) => {
                return Err(
                    Error::new(format!("`{word}` needs something after a colon"))
                        .hint(example(&word)),
                );
            }
            _ => {}
        }
    }
    let argument = argument.unwrap_or_default();
    Ok(match word.as_str() {
        "trim" => Cleanse::Trim,
        "upper" => Cleanse::Upper,
        "lower" => Cleanse::Lower,
        "initcap" => Cleanse::InitCap,
        "nullify" => Cleanse::Nullify(match argument {
            "" => Vec::new(),
            words => words
                .split('|')
                .map(|word| word.trim().to_owned())
                .collect(),
        }),
        "remove_spcl_charcs" => Cleanse::RemoveSpecial,
        "date_format" => Cleanse::Date(DatePattern::parse(argument)?),
        "date_formats" => Cleanse::Dates(DateFormats::parse(argument)?),
        "cast" => Cleanse::Cast(cast::parse_type(argument)?),
        "replace" => replace(argument)?,
        "map" => Cleanse::Map(map(argument, beside)?),
        "money" => Cleanse::Money(Money::parse(argument)?),
        "phone" => Cleanse::Phone(Phone::parse(argument)?),
        "email" => Cleanse::Email,
        _ => {
            return Err(unknown(
                format!("unknown cleansing rule `{word}`"),
                &word,
                KINDS,
            ));
        }
    })
}

fn example(word: &str) -> &'static str {
    match word {
        "date_format" => "as `date_format:yyyy-MM-dd`",
        "date_formats" => "as `date_formats:dd/MM/yyyy|yyyy-MM-dd`",
        "cast" => "as `cast:integer`",
        "replace" => "as `replace:/+=>-`",
        "map" => "as `map:words.csv,from,to`",
        "money" => "as `money:EUR`",
        _ => "as `phone:ES`",
    }
}

fn replace(argument: &str) -> Result<Cleanse> {
    let (pattern, by) = argument.rsplit_once("=>").ok_or_else(|| {
        Error::new("`replace` has no `=>`").hint("expected `replace:PATTERN=>TEXT`")
    })?;
    Ok(Cleanse::Replace(regex(pattern)?, by.to_owned()))
}

/// A regular expression.
pub(super) fn regex(pattern: &str) -> Result<Regex> {
    Regex::new(pattern).map_err(|error| {
        let reason = error.to_string();
        // the library draws the pattern with a mark below it; the last line says what is wrong
        let reason = reason.lines().last().unwrap_or_default();
        let reason = reason.trim().trim_start_matches("error: ");
        Error::new(format!("`{pattern}` is not a regular expression: {reason}"))
            .hint("look-around and back-references are not supported")
    })
}

fn map(argument: &str, beside: &Beside<'_>) -> Result<Arc<HashMap<String, String>>> {
    let parts: Vec<&str> = argument.split(',').map(str::trim).collect();
    let [file, from, to] = parts[..] else {
        return Err(Error::new("`map` needs a file and two of its columns")
            .hint("as `map:words.csv,from,to`"));
    };
    let text = beside(file)?;
    let lookup = Lookup::parse(&text, from, &[to]).map_err(|error| {
        let hint = error.hint_text().unwrap_or_default().to_owned();
        Error::new(format!("map file `{file}`: {error}")).hint(hint)
    })?;
    Ok(Arc::new(lookup.into_pairs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(lines: &str) -> Vec<String> {
        let mut problems = Problems::default();
        let beside = |file: &str| match file {
            "words.csv" => Ok("from,to\na,b\n".into()),
            _ => Err(Error::new(format!("file `{file}` is not there"))),
        };
        let text = format!("{}\n{lines}", COLUMNS.join(","));
        read(FILE, &text, &beside, &mut problems);
        problems.0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn reads_every_kind() {
        let kinds = "trim upper Lower initcap nullify nullify:NA|- remove_spcl_charcs date_format:yyyy-MM-dd \
                     date_formats:dd/MM/yyyy|MM/dd/yyyy;by=x cast:decimal(2) replace:\\s+=>_ \
                     money:USD;decimal=. phone:US email";
        let lines: String = (1..)
            .zip(kinds.split_whitespace())
            .map(|(order, kind)| format!("t,c,{kind},{order},Y\n"))
            .collect();
        assert_eq!(problems(&lines), [""; 0]);
        assert_eq!(problems("t,c,\"map:words.csv,from,to\",1,Y\n"), [""; 0]);
    }

    #[test]
    fn every_mistake_has_its_line_and_a_way_out() {
        let lines = "t,c,tirm,1,Y\nt,c,trim:x,2,Y\nt,c,cast,3,Y\nt,c,replace:(=>x,4,Y\nt,c,replace:a,5,Y\n\
                     t,c,\"map:word.csv,from,to\",6,Y\nt,c,\"map:words.csv,form,to\",7,Y\nt,c,map:words.csv,8,Y\nt,c,upper,9,Y\n\
                     t,c,lower,9,Y\nt,c,lower,x,Y\nt,,lower,10,maybe\n,,lower,,Y\nt,d,broken,1,N\n";
        let expected = [
            "cleansing_rules.csv:2: unknown cleansing rule `tirm`\n  hint: did you mean `trim`?",
            "cleansing_rules.csv:3: `trim` takes nothing after a colon",
            "cleansing_rules.csv:4: `cast` needs something after a colon\n  hint: as `cast:integer`",
            "cleansing_rules.csv:5: `(` is not a regular expression: unclosed group\n  hint: look-around and back-references are not supported",
            "cleansing_rules.csv:6: `replace` has no `=>`\n  hint: expected `replace:PATTERN=>TEXT`",
            "cleansing_rules.csv:7: file `word.csv` is not there",
            "cleansing_rules.csv:8: map file `words.csv`: column `form` is not in the header\n  hint: did you mean `from`?",
            "cleansing_rules.csv:9: `map` needs a file and two of its columns\n  hint: as `map:words.csv,from,to`",
            "cleansing_rules.csv:11: `seq_no` 9 is also on line 10\n  hint: each number once, so that the order is certain",
            "cleansing_rules.csv:12: `seq_no` is `x`, expected a whole number",
            "cleansing_rules.csv:13: `is_active` is `maybe`, expected `Y` or `N`",
            "cleansing_rules.csv:14: `seq_no` is empty, expected a whole number",
            "cleansing_rules.csv:14: `table_name` is empty, expected a name",
            "cleansing_rules.csv:14: `column_name` is empty, expected a name",
        ];
        assert_eq!(problems(lines), expected);
    }
}
