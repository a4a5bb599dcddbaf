//! Rule tables and chunks of text for tests.

use std::sync::Arc;

use galen::base::Problem;
use galen::rules::tables::{Cleaned, Cleaning, Compatibility, Known, RuleTables, Seen};
use polars::prelude::*;

pub const CLEANSING: &str = "table_name,column_name,cleanse_type,seq_no,is_active,severity\n";
pub const VALUES: &str = "table_name,column_name,actual_value,std_value,seq_no,is_active\n";
pub const QUALITY: &str =
    "table_name,column_name,rule_type,rule_condition,rule_desc,is_active,severity,threshold\n";

/// Rule tables of table `t`, each without its header.
#[derive(Default, Clone, Copy)]
pub struct Rules<'a> {
    pub cleansing: &'a str,
    pub values: &'a str,
    pub quality: &'a str,
    pub compatibility: Compatibility,
    /// With columns here the table goes through jobs: its rows are staged by this key.
    pub key: &'a str,
}

const JOBS: &str = "layer,job_typ,source,target,catalog_name,schema_name,ref_table,seq_no,is_active\n\
    silver,cleanse,t,t1,c,s,cleansing_rules,1,Y\nsilver,std,t1,t2,c,s,ref_data,1,Y\nsilver,dq,t2,t3,c,s,dq_rule_config,1,Y\n";

impl Rules<'_> {
    pub fn load(&self) -> Result<RuleTables, Vec<Problem>> {
        let (values, quality) = match self.key {
            "" => (self.values.to_owned(), self.quality.to_owned()),
            _ => (renamed(self.values, "t1"), renamed(self.quality, "t2")),
        };
        let mut files: Vec<(&str, Arc<str>)> = vec![
            (
                "cleansing_rules.csv",
                format!("{CLEANSING}{}", self.cleansing).into(),
            ),
            ("ref_data.csv", format!("{VALUES}{values}").into()),
            ("dq_rule_config.csv", format!("{QUALITY}{quality}").into()),
        ];
        if !self.key.is_empty() {
            let jobs = format!("{JOBS}silver,stage,t3,t4,c,s,\"{}\",1,Y\n", self.key);
            files.push(("main_pipeline_config.csv", jobs.into()));
        }
        let files = files.iter().map(|(name, text)| (*name, text));
        RuleTables::load("", files, self.compatibility)
    }

    pub fn compile(&self, columns: &[&str]) -> Result<Cleaning, Vec<String>> {
        let text = |problems: Vec<Problem>| problems.iter().map(ToString::to_string).collect();
        let tables = self.load().map_err(text)?;
        let columns: Vec<String> = columns.iter().map(|name| (*name).to_owned()).collect();
        Cleaning::compile(&tables, "t", &columns).map_err(text)
    }
}

/// Lines of rules for table `t`, for table `name`.
fn renamed(lines: &str, name: &str) -> String {
    lines
        .lines()
        .map(|line| line.replacen("t,", &format!("{name},"), 1) + "\n")
        .collect()
}

/// A chunk: a column's name and its values, the word `null` for null.
pub fn chunk(columns: &[(&str, &[&str])]) -> DataFrame {
    let height = columns.first().map_or(0, |(_, values)| values.len());
    let columns = columns
        .iter()
        .map(|(name, values)| {
            let values: Vec<Option<&str>> = values
                .iter()
                .map(|value| (*value != "null").then_some(*value))
                .collect();
            Column::new((*name).into(), values)
        })
        .collect();
    DataFrame::new(height, columns).expect("chunk")
}

/// Cleans one chunk with nothing before it and no other table.
pub fn clean(rules: Rules<'_>, columns: &[(&str, &[&str])]) -> (Cleaning, Cleaned, Seen) {
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let mut cleaning = rules.compile(&names).expect("compiles");
    let chunk = chunk(columns);
    let mut survey = cleaning.nothing_shown();
    cleaning.survey(&chunk, &mut survey).expect("survey");
    cleaning.rely_on(survey);
    let mut seen = Seen::default();
    let cleaned = cleaning
        .apply(&chunk, &Known::default(), &mut seen)
        .expect("applies");
    assert!(cleaned.counts.balances());
    (cleaning, cleaned, seen)
}

/// A column of the records that passed, as text.
pub fn column(cleaned: &Cleaned, name: &str) -> Vec<String> {
    let column = cleaned.passed.column(name).expect(name);
    let text = column.cast(&DataType::String).expect("text");
    let text = text.str().expect("text");
    text.iter()
        .map(|value| value.unwrap_or("null").to_owned())
        .collect()
}

/// Row and reasons of each rejected record.
pub fn rejected(cleaning: &Cleaning, cleaned: &Cleaned) -> Vec<(u32, String)> {
    let words = cleaned
        .rejected
        .iter()
        .map(|rejected| (rejected.row, cleaning.words(rejected).join(" | ")));
    words.collect()
}
