//! What becomes of each record of a chunk.

use polars::prelude::*;

use super::cell::Why;
use super::cleaning::Cleaning;
use super::judge::{Failure, Judged, Judging};
use super::key::{Rows, content};
use super::seen::Seen;
use super::severity::Severity;
use crate::base::Result;

/// What becomes of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Passed,
    /// Passed, and failed a rule of severity `warn`.
    Warned,
    Duplicate,
    Rejected,
}

impl Cleaning {
    /// What the rules that look at one record make of each.
    fn judged(&self, judging: &Judging<'_>) -> Vec<Fate> {
        let mut fates = vec![Fate::Passed; judging.frame.height()];
        for failure in &judging.failures {
            fates[failure.row as usize] = self.worse(fates[failure.row as usize], failure.rule);
        }
        fates
    }

    /// Decides about records that nothing stands against but their own values.
    pub(super) fn fates_alone(&self, judging: &mut Judging<'_>) -> Vec<Fate> {
        for judge in &self.judges {
            let Judged::Unique(identity) = judge.what else {
                continue;
            };
            let places = self.identities[identity]
                .iter()
                .filter_map(|name| self.place_of(name));
            let mut whole = BooleanChunked::full(PlSmallStr::EMPTY, true, judging.frame.height());
            for place in places {
                whole = whole & judging.frame.columns()[place].is_not_null();
            }
            judging.tallies[judge.rule].checked += u64::from(whole.sum().unwrap_or(0));
        }
        self.judged(judging)
    }

    /// Decides about each record in its order, and remembers those that pass.
    pub(super) fn fates(&self, judging: &mut Judging<'_>, seen: &mut Seen) -> Result<Vec<Fate>> {
        let mut fates = self.judged(judging);
        if self.identities.is_empty() {
            return Ok(fates);
        }
        let all: Vec<usize> = (0..self.columns.len()).collect();
        let all = judging.texts(&all)?;
        let mut all = Rows::new(&all);
        let keys = self
            .identities
            .iter()
            .map(|names| {
                let places: Vec<usize> = names.iter().filter_map(|n| self.place_of(n)).collect();
                judging.texts(&places)
            })
            .collect::<Result<Vec<_>>>()?;
        let mut keys: Vec<Rows<'_>> = keys.iter().map(|columns| Rows::new(columns)).collect();
        let mut rules = vec![None; self.identities.len()];
        for judge in &self.judges {
            if let Judged::Unique(identity) = judge.what {
                rules[identity] = Some(judge.rule);
            }
        }
        let mut row_keys = Vec::with_capacity(keys.len());
        for (row, fate) in (0..).zip(&mut fates) {
            let content = content(all.next_row());
            row_keys.clear();
            row_keys.extend(keys.iter_mut().map(Rows::next_key));
            let mut repeats = false;
            for ((set, key), rule) in seen.sets.iter().zip(&row_keys).zip(&rules) {
                let before = key.and_then(|key| set.get(&key));
                repeats |= before == Some(&content);
                let (Some(rule), Some(_)) = (*rule, key) else {
                    continue;
                };
                judging.tallies[rule].checked += 1;
                if before.is_some_and(|before| *before != content) {
                    judging.tallies[rule].failed += 1;
                    judging.failures.push(Failure {
                        row,
                        rule,
                        why: Why::Rule,
                    });
                    *fate = self.worse(*fate, rule);
                }
            }
            if *fate == Fate::Rejected {
                continue;
            }
            if repeats {
                *fate = Fate::Duplicate;
                continue;
            }
            for ((set, key), rule) in seen.sets.iter_mut().zip(&row_keys).zip(&rules) {
                let Some(key) = *key else { continue };
                if rule.is_some() {
                    // the first row with a key is the one others must not differ from
                    set.entry(key).or_insert(content);
                } else {
                    set.insert(key, content);
                }
            }
        }
        Ok(fates)
    }

    fn worse(&self, fate: Fate, rule: usize) -> Fate {
        match (fate, self.rules[rule].severity) {
            (_, Severity::Error) | (Fate::Rejected, _) => Fate::Rejected,
            (_, Severity::Warn) => Fate::Warned,
        }
    }
}
