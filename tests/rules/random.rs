//! Whatever the records are: every one is accounted for, and neither the size of chunks nor the order of columns matters.

use galen::rules::tables::{Cleaning, Counts, Known, Seen};
use polars::prelude::*;
use proptest::prelude::*;

use super::tables::Rules;

const COLUMNS: [&str; 5] = ["id", "day", "cost", "kind", "site"];

fn cleaning(key: &'static str) -> Cleaning {
    let rules = Rules {
        cleansing: "t,id,trim,1,Y,\nt,id,nullify:-,2,Y,\nt,day,date_formats:dd/MM/yyyy|MM/dd/yyyy|yyyy-MM-dd;by=site,1,Y,\n\
                    t,cost,money:EUR,1,Y,warn\nt,kind,lower,1,Y,\n",
        values: "t,kind,a,alpha,,Y\nt,kind,__NEGATIVE__,0,,Y\n",
        quality: "t,id,NOT_NULL,,no id,Y,,\nt,id,UNIQUE,,id twice,Y,,\nt,\"kind,site\",UNIQUE,,kind twice,Y,warn,\n\
                  t,kind,VALID_SET,\"alpha,b,0\",kind,Y,,\nt,cost,CUSTOM_EXPR,cost > 0,cost,Y,warn,\nt,site,RELATIONSHIP,sites(id),site,Y,,\n",
        key,
        ..Rules::default()
    };
    rules.compile(&COLUMNS).expect("compiles")
}

type Record = [Option<&'static str>; 5];

fn records() -> impl Strategy<Value = Vec<Record>> {
    let of = |values: &'static [&'static str]| {
        prop_oneof![
            1 => Just(None),
            6 => prop::sample::select(values).prop_map(Some),
        ]
    };
    let record = (
        of(&["1", " 2", "3 ", "4", "5", "6", "-", ""]),
        of(&["03/04/2025", "13/04/2025", "04/13/2025", "2025-04-03", "x"]),
        of(&["1.234,50 €", "1,234", "-5", "0", "€ 7"]),
        of(&["A", "a", "B", "c", "-1"]),
        of(&["n", "s", "w"]),
    );
    prop::collection::vec(record.prop_map(|(a, b, c, d, e)| [a, b, c, d, e]), 0..40)
}

/// A chunk with a column that is none of the table's and tells the record.
fn chunk(records: &[Record], from: usize, order: &[usize]) -> DataFrame {
    let mut columns: Vec<Column> = order
        .iter()
        .map(|number| {
            let values: Vec<Option<&str>> = records.iter().map(|record| record[*number]).collect();
            Column::new(COLUMNS[*number].into(), values)
        })
        .collect();
    let lines: Vec<i64> = (from..from + records.len())
        .map(|line| line as i64)
        .collect();
    columns.insert(order[0], Column::new("_line".into(), lines));
    DataFrame::new(records.len(), columns).expect("chunk")
}

/// All that can be seen of a cleaning, with records named by their place among all.
#[derive(Debug, PartialEq)]
struct Result {
    passed: Vec<String>,
    duplicates: Vec<usize>,
    rejected: Vec<(usize, Vec<String>)>,
    statuses: String,
    counts: Counts,
}

fn cleaned(key: &'static str, records: &[Record], size: usize, order: &[usize]) -> Result {
    let mut cleaning = cleaning(key);
    let chunks = || records.chunks(size).zip((0..).step_by(size));
    for (records, from) in chunks() {
        cleaning
            .survey(&chunk(records, from, order))
            .expect("survey");
    }
    let mut known = Known::default();
    known.add_key(0, &["n"]);
    known.add_key(0, &["s"]);
    let mut seen = Seen::default();
    let mut result = Result {
        passed: Vec::new(),
        duplicates: Vec::new(),
        rejected: Vec::new(),
        statuses: String::new(),
        counts: Counts::default(),
    };
    for (records, from) in chunks() {
        let cleaned = cleaning
            .apply(&chunk(records, from, order), &known, &mut seen)
            .expect("applies");
        assert!(cleaned.counts.balances());
        assert_eq!(cleaned.counts.read, records.len() as u64);
        assert_eq!(cleaned.passed.height(), cleaned.passed_rows.len());
        let names = cleaned.passed.get_column_names();
        assert_eq!(names, ["id", "day", "cost", "kind", "site", "_line"]);
        for row in 0..cleaned.passed.height() {
            let values = cleaned.passed.get_row(row).expect("row").0;
            result.passed.push(format!("{values:?}"));
        }
        let rows = cleaned.duplicates.iter().map(|row| from + *row as usize);
        result.duplicates.extend(rows);
        for rejected in &cleaned.rejected {
            let words = cleaning.words(rejected);
            assert!(!words.is_empty());
            result.rejected.push((from + rejected.row as usize, words));
        }
        result.counts += cleaned.counts;
    }
    assert_eq!(seen.counts(), result.counts);
    let at = "2025-01-01T00:00:00Z".parse().expect("time");
    result.statuses = format!("{:?}", cleaning.statuses(&seen, at));
    result
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn neither_chunks_nor_the_order_of_columns_matter(
        records in records(),
        size in 1usize..12,
        order in Just(vec![0usize, 1, 2, 3, 4]).prop_shuffle(),
        key in prop::sample::select(&["", "id", "kind, site"]),
    ) {
        let whole = cleaned(key, &records, 1000, &[0, 1, 2, 3, 4]);
        prop_assert_eq!(&whole, &cleaned(key, &records, size, &order));
        if key == "id" {
            // the key is watched by the rule that it be unique, and nothing else changes by it
            prop_assert_eq!(&whole, &cleaned("", &records, size, &order));
        }
        prop_assert_eq!(whole.counts.read, records.len() as u64);
    }
}
