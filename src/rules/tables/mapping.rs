//! `ref_data.csv`: the standard words for what people write.

use std::collections::BTreeMap;

use super::place::{Place, Problems};
use super::sheet;
use super::sources::duplicate_order;
use crate::base::{Error, Result};

/// The file's name.
pub(super) const FILE: &str = "ref_data.csv";
const COLUMNS: [&str; 6] = [
    "table_name",
    "column_name",
    "actual_value",
    "std_value",
    "seq_no",
    "is_active",
];
const TRIGGER: &str = "__TRIGGER__";
const PHONE: &str = "__STD_PHONE_LOGIC__";
const NEGATIVE: &str = "__NEGATIVE__";

/// What one value, or all values of one sort, become.
#[derive(Debug, Clone)]
pub(super) struct Mapping {
    pub place: Place,
    pub table: String,
    pub column: String,
    pub what: Standardize,
}

/// A standardization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standardize {
    /// This text becomes that.
    Value(String, String),
    /// A number below zero becomes this.
    Negative(String),
    /// The column holds telephone numbers; their last ten digits stay.
    Phone,
}

/// The active mappings in file order.
pub(super) fn read(file: &str, text: &str, problems: &mut Problems) -> Vec<Mapping> {
    let mut mappings = Vec::new();
    let mut orders = BTreeMap::new();
    let mut values = BTreeMap::new();
    for record in sheet::read(file, text, &COLUMNS, &[], problems) {
        let place = record.place.clone();
        match problems.take(&place, record.is_active()) {
            Some(true) => {}
            Some(false) | None => continue,
        }
        let order = problems.take(&place, record.order());
        let table = problems.take(&place, record.text("table_name"));
        let column = problems.take(&place, record.text("column_name"));
        let what = problems.take(&place, standardize(&record));
        let (Some(order), Some(table), Some(column), Some(what)) = (order, table, column, what)
        else {
            continue;
        };
        let of = (table.clone(), column.clone());
        if let Some(order) = order
            && let Some(line) = orders.insert((of.clone(), order), place.line)
        {
            problems.add(&place, &duplicate_order(order, line));
        }
        let actual = record.raw("actual_value").to_owned();
        if let Some(line) = values.insert((of, actual), place.line) {
            let error = Error::new(format!("`actual_value` is also on line {line}"))
                .hint("one standard value for each value");
            problems.add(&place, &error);
        }
        mappings.push(Mapping {
            place,
            table,
            column,
            what,
        });
    }
    mappings
}

fn standardize(record: &sheet::Record) -> Result<Standardize> {
    let (actual, standard) = (record.raw("actual_value"), record.raw("std_value"));
    match (actual, standard) {
        (TRIGGER, PHONE) => Ok(Standardize::Phone),
        (TRIGGER, other) => Err(Error::new(format!("`{TRIGGER}` has no logic `{other}`"))
            .hint(format!("expected `{PHONE}`"))),
        (_, PHONE) => Err(Error::new(format!("`{PHONE}` is not a value"))
            .hint(format!("it stands beside `{TRIGGER}`"))),
        (NEGATIVE, standard) => Ok(Standardize::Negative(standard.to_owned())),
        (actual, _) if actual.starts_with("__") && actual.ends_with("__") && actual.len() > 4 => {
            Err(super::place::unknown(
                format!("unknown word `{actual}`"),
                actual,
                [TRIGGER, NEGATIVE],
            ))
        }
        (actual, standard) => Ok(Standardize::Value(actual.to_owned(), standard.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_words_are_told_apart() {
        let text = "table_name,column_name,actual_value,std_value,seq_no,is_active\n\
                    t,c,Yes,ACTIVE,null,Y\nt,p,__TRIGGER__,__STD_PHONE_LOGIC__,,Y\nt,d,__NEGATIVE__,0,1,Y\nt,d,-1,x,2,N\n";
        let mut problems = Problems::default();
        let mappings = read(FILE, text, &mut problems);
        assert!(problems.0.is_empty(), "{:?}", problems.0);
        let what: Vec<Standardize> = mappings.into_iter().map(|m| m.what).collect();
        let value = Standardize::Value("Yes".to_owned(), "ACTIVE".to_owned());
        let negative = Standardize::Negative("0".to_owned());
        assert_eq!(what, [value, Standardize::Phone, negative]);
    }

    #[test]
    fn every_mistake_has_its_line() {
        let text = "table_name,column_name,actual_value,std_value,seq_no,is_active\n\
                    t,c,a,A,1,Y\nt,c,a,B,1,Y\nt,c,__TRIGGER__,upper,2,Y\nt,c,__NEGATIV__,0,3,Y\nt,c,b,__STD_PHONE_LOGIC__,4,Y\n,c,b,B,first,Y\n";
        let mut problems = Problems::default();
        read(FILE, text, &mut problems);
        let problems: Vec<String> = problems.0.iter().map(ToString::to_string).collect();
        assert_eq!(
            problems,
            [
                "ref_data.csv:3: `seq_no` 1 is also on line 2\n  hint: each number once, so that the order is certain",
                "ref_data.csv:3: `actual_value` is also on line 2\n  hint: one standard value for each value",
                "ref_data.csv:4: `__TRIGGER__` has no logic `upper`\n  hint: expected `__STD_PHONE_LOGIC__`",
                "ref_data.csv:5: unknown word `__NEGATIV__`\n  hint: did you mean `__NEGATIVE__`?",
                "ref_data.csv:6: `__STD_PHONE_LOGIC__` is not a value\n  hint: it stands beside `__TRIGGER__`",
                "ref_data.csv:7: `seq_no` is `first`, expected a whole number",
                "ref_data.csv:7: `table_name` is empty, expected a name",
            ]
        );
    }
}
