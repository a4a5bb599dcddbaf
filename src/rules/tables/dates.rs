//! Several date formats for one column, and the evidence that decides where a value can be read in two ways.

use std::collections::HashMap;

use chrono::NaiveDateTime;

use super::date_pattern::DatePattern;
use crate::base::{Error, Result};

/// How many groups evidence is kept for; more are a sign of the wrong column.
const MOST_GROUPS: usize = 100_000;

/// Formats of which each value of a column has one.
#[derive(Debug, Clone)]
pub(super) struct DateFormats {
    pub patterns: Vec<DatePattern>,
    /// The column whose value says which values are written alike; all are when absent.
    pub by: Option<String>,
}

/// How a value can be read.
#[derive(Debug, PartialEq, Eq)]
enum Reading {
    /// In none of the formats.
    No,
    /// In one way; the number of the format when no other gives the same.
    One(NaiveDateTime, Option<usize>),
    /// In several ways: formats and what they give.
    Many(Vec<(usize, NaiveDateTime)>),
}

/// What a value says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// This.
    Time(NaiveDateTime),
    /// Nothing in any of the formats.
    Bad,
    /// One of several, and nothing decides which.
    Ambiguous,
}

/// How many values of each group can be read in one format only.
#[derive(Debug, Clone, Default)]
pub(super) struct Evidence {
    groups: HashMap<String, Vec<u64>>,
}

impl DateFormats {
    /// Reads `FORMAT|FORMAT…`, with `;by=COLUMN` or without.
    pub fn parse(text: &str) -> Result<Self> {
        let (formats, by) = match text.split_once(';') {
            None => (text, None),
            Some((formats, option)) => {
                let column = option.trim().strip_prefix("by=").map(str::trim);
                match column.filter(|column| !column.is_empty()) {
                    Some(column) => (formats, Some(column.to_owned())),
                    None => {
                        return Err(Error::new(format!("unknown option `{}`", option.trim()))
                            .hint("expected `by=COLUMN`"));
                    }
                }
            }
        };
        let patterns = formats
            .split('|')
            .map(|format| DatePattern::parse(format.trim()))
            .collect::<Result<Vec<_>>>()?;
        for (number, pattern) in patterns.iter().enumerate() {
            if patterns[..number].contains(pattern) {
                let text = pattern.text();
                return Err(Error::new(format!(
                    "date format `{text}` is in the list twice"
                )));
            }
        }
        if patterns.len() < 2 {
            return Err(Error::new("`date_formats` has one format")
                .hint("expected several, as `date_formats:dd/MM/yyyy|yyyy-MM-dd`, or `date_format:` for one"));
        }
        Ok(Self { patterns, by })
    }

    /// Whether any of the formats tells the time of day.
    pub fn has_time(&self) -> bool {
        self.patterns.iter().any(DatePattern::has_time)
    }

    fn reading(&self, text: &str) -> Reading {
        let mut ways: Vec<(usize, NaiveDateTime)> = Vec::new();
        for (number, pattern) in self.patterns.iter().enumerate() {
            ways.extend(pattern.read(text).map(|time| (number, time)));
        }
        match ways.as_slice() {
            [] => Reading::No,
            [(number, time)] => Reading::One(*time, Some(*number)),
            [(_, first), rest @ ..] if rest.iter().all(|(_, time)| time == first) => {
                Reading::One(*first, None)
            }
            _ => Reading::Many(ways),
        }
    }

    /// Takes what `text` shows about its group into `evidence`.
    ///
    /// # Errors
    /// When there are too many groups.
    pub fn witness(&self, text: &str, group: &str, evidence: &mut Evidence) -> Result<()> {
        let Reading::One(_, Some(number)) = self.reading(text) else {
            return Ok(());
        };
        if let Some(counts) = evidence.groups.get_mut(group) {
            counts[number] += 1;
            return Ok(());
        }
        let mut counts = vec![0; self.patterns.len()];
        counts[number] = 1;
        self.first_of(group, counts, evidence)
    }

    /// Adds to `evidence` what `other` has.
    ///
    /// # Errors
    /// When there are too many groups.
    pub fn join(&self, evidence: &mut Evidence, other: &Evidence) -> Result<()> {
        for (group, others) in &other.groups {
            match evidence.groups.get_mut(group) {
                Some(counts) => counts.iter_mut().zip(others).for_each(|(n, m)| *n += m),
                None => self.first_of(group, others.clone(), evidence)?,
            }
        }
        Ok(())
    }

    fn first_of(&self, group: &str, counts: Vec<u64>, evidence: &mut Evidence) -> Result<()> {
        if evidence.groups.len() == MOST_GROUPS {
            let by = self.by.as_deref().unwrap_or_default();
            return Err(Error::new(format!(
                "column `{by}` has more than {MOST_GROUPS} different values"
            ))
            .hint("`by` names a column with a value for each way of writing dates, as a site"));
        }
        evidence.groups.insert(group.to_owned(), counts);
        Ok(())
    }

    /// What `text` says. Of several ways that one holds whose format is the only one of them that `evidence` shows in the group.
    pub fn read(&self, text: &str, group: &str, evidence: &Evidence) -> Read {
        let ways = match self.reading(text) {
            Reading::No => return Read::Bad,
            Reading::One(time, _) => return Read::Time(time),
            Reading::Many(ways) => ways,
        };
        let Some(counts) = evidence.groups.get(group) else {
            return Read::Ambiguous;
        };
        let mut shown = ways.iter().filter(|(number, _)| counts[*number] > 0);
        match (shown.next(), shown.next()) {
            (Some((_, time)), None) => Read::Time(*time),
            _ => Read::Ambiguous,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formats(text: &str) -> DateFormats {
        DateFormats::parse(text).expect(text)
    }

    fn said(read: &Read) -> String {
        match read {
            Read::Time(time) => time.date().to_string(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn evidence_decides_and_without_it_nothing_is_guessed() {
        let formats = formats("dd/MM/yyyy|MM/dd/yyyy|yyyy-MM-dd");
        let mut evidence = Evidence::default();
        let read = |text: &str, evidence: &Evidence| said(&formats.read(text, "", evidence));
        assert_eq!(read("03/04/2025", &evidence), "Ambiguous");
        assert_eq!(read("04/04/2025", &evidence), "2025-04-04");
        assert_eq!(read("2025-04-03", &evidence), "2025-04-03");
        assert_eq!(read("2025/04/03", &evidence), "Bad");
        // says nothing about the other two
        formats
            .witness("2025-04-03", "", &mut evidence)
            .expect("witness");
        assert_eq!(read("03/04/2025", &evidence), "Ambiguous");
        formats
            .witness("13/04/2025", "", &mut evidence)
            .expect("witness");
        assert_eq!(read("03/04/2025", &evidence), "2025-04-03");
        formats
            .witness("04/13/2025", "", &mut evidence)
            .expect("witness");
        assert_eq!(read("03/04/2025", &evidence), "Ambiguous");
    }

    #[test]
    fn another_column_tells_groups_apart() {
        let formats = formats("dd/MM/yyyy|MM/dd/yyyy;by=site");
        let mut evidence = Evidence::default();
        for (text, group) in [("13/04/2025", "north"), ("04/13/2025", "south")] {
            formats
                .witness(text, group, &mut evidence)
                .expect("witness");
        }
        let read = |group| said(&formats.read("03/04/2025", group, &evidence));
        assert_eq!(read("north"), "2025-04-03");
        assert_eq!(read("south"), "2025-03-04");
        assert_eq!(read("west"), "Ambiguous");
    }

    #[test]
    fn what_parts_of_a_table_show_is_joined() {
        let formats = formats("dd/MM/yyyy|MM/dd/yyyy;by=site");
        let shown = |values: &[(&str, &str)]| {
            let mut evidence = Evidence::default();
            for (text, group) in values {
                let taken = formats.witness(text, group, &mut evidence);
                taken.expect("witness");
            }
            evidence
        };
        let mut all = shown(&[("13/04/2025", "north"), ("13/04/2025", "east")]);
        let other = shown(&[("04/13/2025", "south"), ("04/13/2025", "east")]);
        formats.join(&mut all, &other).expect("joined");
        let read = |group| said(&formats.read("03/04/2025", group, &all));
        assert_eq!(read("north"), "2025-04-03");
        assert_eq!(read("south"), "2025-03-04");
        assert_eq!(read("east"), "Ambiguous");
    }

    #[test]
    fn mistakes_are_errors() {
        for text in [
            "yyyy-MM-dd",
            "dd/MM/yyyy|dd/MM/yyyy",
            "dd/MM/yyyy|MM/dd/yyyy;per=x",
            "a|b",
        ] {
            assert!(DateFormats::parse(text).is_err(), "{text}");
        }
    }
}
