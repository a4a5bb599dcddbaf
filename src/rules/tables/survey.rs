//! What all records of a table show about values that can be read in several ways.

use polars::prelude::DataFrame;

use super::cell::Done;
use super::cleaning::{Cleaning, ColumnPlan};
use super::cleansing::Cleanse;
use super::dates::{DateFormats, Evidence};
use super::key::column;
use crate::base::Result;
use crate::rules::expression::as_text;

/// What the records seen so far show, for each step that reads values in several ways.
#[derive(Debug)]
pub struct Survey(Vec<Evidence>);

/// A step that needs evidence.
struct Asking<'a> {
    column: &'a str,
    plan: &'a ColumnPlan,
    /// Its place among the steps of the column.
    step: usize,
    formats: &'a DateFormats,
    evidence: usize,
}

impl Cleaning {
    /// Whether records must be looked at before they are cleaned, since values that can be read in several ways need evidence.
    pub fn needs_survey(&self) -> bool {
        !self.evidence.is_empty()
    }

    /// The columns that [`Cleaning::survey`] looks at; once each.
    pub fn survey_columns(&self) -> Vec<String> {
        let mut names = Vec::new();
        for asking in self.asking() {
            names.push(asking.column.to_owned());
            names.extend(asking.formats.by.clone());
        }
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Nothing seen yet.
    pub fn nothing_shown(&self) -> Survey {
        Survey(vec![Evidence::default(); self.evidence.len()])
    }

    /// Takes what a chunk shows. All chunks of a table must have been surveyed, and the survey [relied on](Cleaning::rely_on), before the
    /// first is cleaned, or the result depends on where chunks are cut; records of earlier runs too, if it shall not depend on when they came.
    ///
    /// # Errors
    /// When a column is missing, or evidence would grow without bound.
    pub fn survey(&self, chunk: &DataFrame, survey: &mut Survey) -> Result<()> {
        let none = &Evidence::default();
        for asking in self.asking() {
            let texts = as_text(column(chunk, asking.column)?)?;
            let groups = self.groups(chunk, asking.plan)?;
            let mut groups = groups.iter().flat_map(|groups| groups.iter());
            let before = &asking.plan.steps[..asking.step];
            let evidence = &mut survey.0[asking.evidence];
            let mut scratch = String::new();
            for text in texts.iter() {
                let group = groups.next().flatten().unwrap_or_default().trim();
                let Some(text) = text else { continue };
                scratch.clear();
                scratch.push_str(text);
                let kept = before.iter().all(|step| {
                    let what = &step.what;
                    what.apply(&mut scratch, self.compatibility, group, none) == Done::Kept
                });
                if kept {
                    asking.formats.witness(scratch.trim(), group, evidence)?;
                }
            }
        }
        Ok(())
    }

    /// Reads values from now on as `survey` shows.
    pub fn rely_on(&mut self, survey: Survey) {
        self.evidence = survey.0;
    }

    fn asking(&self) -> impl Iterator<Item = Asking<'_>> {
        let plans = self.columns.iter().zip(&self.plans);
        plans.flat_map(|(column, plan)| {
            let steps = plan.steps.iter().enumerate();
            steps.filter_map(move |(number, step)| match (&step.what, step.evidence) {
                (Cleanse::Dates(formats), Some(evidence)) => Some(Asking {
                    column,
                    plan,
                    step: number,
                    formats,
                    evidence,
                }),
                _ => None,
            })
        })
    }
}

impl Survey {
    /// Adds what other records of the table show.
    ///
    /// # Errors
    /// When evidence would grow without bound.
    pub fn add(&mut self, cleaning: &Cleaning, other: &Self) -> Result<()> {
        for asking in cleaning.asking() {
            let (own, others) = (&mut self.0[asking.evidence], &other.0[asking.evidence]);
            asking.formats.join(own, others)?;
        }
        Ok(())
    }
}
