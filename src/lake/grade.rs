//! A grade for each mart: how the rules and tests ended of all that it is made of.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use super::testing::{TestResult, TestStatus};
use super::{KeptRule, Warehouse};
use crate::base::Result;

/// The layers whose tables are marts; the first that has any.
const FINISHED: [&str; 2] = ["marts", "gold"];

/// Percent of what was checked up to which failures are few.
const FEW: f64 = 5.0;

/// The tables that each table is made of, directly, by full names.
pub type MadeFrom = BTreeMap<String, BTreeSet<String>>;

/// How good a mart is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Grade {
    /// Every rule and test passes.
    A,
    /// Something fails, nowhere more than its threshold bears.
    B,
    /// A rule or test fails, for at most 5 percent of what it looked at.
    C,
    /// A rule or test fails for more.
    D,
    /// A rule or test fails that stops what depends on it.
    F,
    /// Nothing was looked at, which is not a pass.
    #[serde(rename = "-")]
    None,
}

/// A mart with its grade.
#[derive(Debug, Clone, PartialEq)]
pub struct Graded {
    /// The tag that its models share, or the full name of a table without one.
    pub mart: String,
    /// Its tables.
    pub tables: BTreeSet<String>,
    /// The grade.
    pub grade: Grade,
    /// What drags it down most.
    pub worst: Option<Finding>,
    /// Full names of the tables that are not made anew before that is mended: of the mart's own and of those it is made of.
    pub stopped: BTreeSet<String>,
}

/// What a rule or test said of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The table.
    pub table: String,
    /// The rule with its place, or the test.
    pub what: String,
    /// What was looked at.
    pub checked: u64,
    /// How much of it failed.
    pub failed: u64,
    verdict: Verdict,
}

/// How bad a finding is, the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Pass,
    Borne,
    Fail,
    Stop,
}

impl Finding {
    fn of_rule(table: &str, rule: &KeptRule) -> Option<Self> {
        let verdict = match rule.status.as_str() {
            "not_applicable" => return None,
            "fail" if rule.stops => Verdict::Stop,
            "fail" => Verdict::Fail,
            "pass_with_rows" => Verdict::Borne,
            _ => Verdict::Pass,
        };
        Some(Self {
            table: table.to_owned(),
            what: format!("{} {} ({})", rule.kind, rule.columns.join(", "), rule.place),
            checked: rule.checked,
            failed: rule.failed,
            verdict,
        })
    }

    fn of_test(test: &TestResult) -> Option<Self> {
        let verdict = match test.status {
            TestStatus::NotApplicable => return None,
            _ if test.stops() => Verdict::Stop,
            TestStatus::Fail | TestStatus::Error => Verdict::Fail,
            TestStatus::PassWithRows => Verdict::Borne,
            TestStatus::Pass => Verdict::Pass,
        };
        Some(Self {
            table: test.model.clone(),
            what: test.test.clone(),
            checked: test.counted.checked,
            failed: test.counted.failed,
            verdict,
        })
    }

    /// Percent of what was looked at that failed; all of it, when that cannot be told.
    fn percent(&self) -> f64 {
        match self.checked {
            0 => 100.0,
            checked => self.failed as f64 * 100.0 / checked as f64,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {}: {} of {} fail",
            self.table, self.what, self.failed, self.checked
        )
    }
}

impl Grade {
    /// That of a mart about which nothing worse was found.
    fn of(worst: Option<&Finding>) -> Self {
        match worst {
            None => Self::None,
            Some(worst) => match worst.verdict {
                Verdict::Pass => Self::A,
                Verdict::Borne => Self::B,
                Verdict::Fail if worst.percent() <= FEW => Self::C,
                Verdict::Fail => Self::D,
                Verdict::Stop => Self::F,
            },
        }
    }
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("-"),
            grade => write!(f, "{grade:?}"),
        }
    }
}

impl Warehouse {
    /// The grade of each mart, by what rules and tests said last; no row is read. `made_from` has the tables that tasks make, and models are
    /// added to it.
    ///
    /// # Errors
    /// When what is kept cannot be read.
    pub fn grades(&self, mut made_from: MadeFrom) -> Result<Vec<Graded>> {
        let mut findings = Vec::new();
        for table in self.lake.judged()? {
            let runs = self.lake.kept_rules(&table)?;
            let rules = runs.last().into_iter().flat_map(|run| &run.rules);
            findings.extend(rules.filter_map(|rule| Finding::of_rule(&table, rule)));
        }
        for results in self.results()? {
            findings.extend(results.tests.iter().filter_map(Finding::of_test));
        }
        let mut tags: BTreeMap<String, &[String]> = BTreeMap::new();
        for model in self.models.iter() {
            made_from.insert(model.full_name(), model.reads().collect());
            tags.insert(model.full_name(), &model.header.tags);
        }
        let tags = |table: &str| tags.get(table).copied().unwrap_or_default();
        Ok(graded(&made_from, &tags, &findings))
    }
}

fn graded<'a>(
    made_from: &MadeFrom,
    tags: &dyn Fn(&str) -> &'a [String],
    findings: &[Finding],
) -> Vec<Graded> {
    let of = |layer: &str| -> Vec<&String> {
        let inside = |table: &&String| table.split_once('.').is_some_and(|(own, _)| own == layer);
        made_from.keys().filter(inside).collect()
    };
    let finished = FINISHED
        .into_iter()
        .map(of)
        .find(|tables| !tables.is_empty());
    let mut marts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for table in finished.unwrap_or_default() {
        let names = match tags(table) {
            [] => std::slice::from_ref(table),
            tags => tags,
        };
        for name in names {
            marts.entry(name.clone()).or_default().insert(table.clone());
        }
    }
    let marts = marts.into_iter().map(|(mart, tables)| {
        let needed = closure(&tables, made_from);
        let about = || {
            findings
                .iter()
                .filter(|finding| needed.contains(&finding.table))
        };
        let worst = about().max_by(|a, b| {
            let by_percent = || a.percent().total_cmp(&b.percent());
            a.verdict.cmp(&b.verdict).then_with(by_percent)
        });
        let failing = about().filter(|finding| finding.verdict == Verdict::Stop);
        let failing: BTreeSet<&String> = failing.map(|finding| &finding.table).collect();
        let waits = |table: &&String| {
            let mut before = closure(&BTreeSet::from([(*table).clone()]), made_from);
            before.remove(*table);
            failing.iter().any(|failing| before.contains(*failing))
        };
        Graded {
            grade: Grade::of(worst),
            worst: worst.filter(|worst| worst.verdict > Verdict::Pass).cloned(),
            stopped: needed.iter().filter(waits).cloned().collect(),
            mart,
            tables,
        }
    });
    marts.collect()
}

/// `tables` and all that they are made of.
fn closure(tables: &BTreeSet<String>, made_from: &MadeFrom) -> BTreeSet<String> {
    let mut found = tables.clone();
    let mut queue: Vec<&String> = tables.iter().collect();
    while let Some(table) = queue.pop() {
        for from in made_from.get(table).into_iter().flatten() {
            if found.insert(from.clone()) {
                queue.push(from);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(table: &str, verdict: Verdict, failed: u64) -> Finding {
        Finding {
            table: table.to_owned(),
            what: "a rule".to_owned(),
            checked: 100,
            failed,
            verdict,
        }
    }

    #[test]
    fn a_mart_is_as_good_as_the_worst_that_it_is_made_of() {
        let edges = [
            ("silver.a", "bronze.a"),
            ("gold.a", "silver.a"),
            ("gold.b", "silver.b"),
            ("marts.x", "gold.a"),
            ("marts.y", "gold.b"),
        ];
        let mut made_from = MadeFrom::new();
        for (table, from) in edges {
            made_from
                .entry(table.to_owned())
                .or_default()
                .insert(from.to_owned());
        }
        let shared = ["finance".to_owned()];
        let tags = |table: &str| match table {
            "marts.y" => &shared[..],
            _ => &[],
        };
        let grades = |findings: &[Finding]| {
            let graded = graded(&made_from, &tags, findings);
            let marts: Vec<&str> = graded.iter().map(|graded| graded.mart.as_str()).collect();
            assert_eq!(marts, ["finance", "marts.x"]);
            graded
        };
        let letters = |findings: &[Finding]| -> String {
            grades(findings)
                .iter()
                .map(|graded| graded.grade.to_string())
                .collect()
        };
        assert_eq!(letters(&[]), "--");
        let pass = finding("silver.a", Verdict::Pass, 0);
        assert_eq!(letters(std::slice::from_ref(&pass)), "-A");
        let borne = finding("silver.b", Verdict::Borne, 60);
        assert_eq!(letters(&[pass.clone(), borne.clone()]), "BA");
        let few = finding("silver.b", Verdict::Fail, 5);
        assert_eq!(letters(&[pass.clone(), borne.clone(), few.clone()]), "CA");
        let many = finding("silver.b", Verdict::Fail, 6);
        let found = grades(&[many.clone(), few, borne]);
        assert_eq!(
            (found[0].grade, found[0].worst.as_ref()),
            (Grade::D, Some(&many))
        );
        let stop = finding("silver.b", Verdict::Stop, 1);
        let found = grades(&[pass, many, stop.clone()]);
        assert_eq!(
            (found[0].grade, found[0].worst.as_ref()),
            (Grade::F, Some(&stop))
        );
        let stopped: Vec<&str> = found[0].stopped.iter().map(String::as_str).collect();
        assert_eq!(stopped, ["gold.b", "marts.y"]);
        assert!(found[1].stopped.is_empty());
    }
}
