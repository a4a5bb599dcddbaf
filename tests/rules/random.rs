//! Whatever the records are: every one is accounted for, and neither the size of chunks nor the order of columns matters.

use galen::rules::tables::{Cleaned, Cleaning, Counts, Known, Parent, Seen};
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
#[derive(Debug, Default, PartialEq)]
struct Result {
    passed: Vec<(usize, String)>,
    duplicates: Vec<usize>,
    rejected: Vec<(usize, Vec<String>)>,
    statuses: String,
    counts: Counts,
}

impl Result {
    /// Takes in what became of a chunk whose records have these places.
    fn add(&mut self, cleaning: &Cleaning, cleaned: &Cleaned, places: &[usize]) {
        assert!(cleaned.counts.balances());
        assert_eq!(cleaned.counts.read, places.len() as u64);
        assert_eq!(cleaned.passed.height(), cleaned.passed_rows.len());
        let names = cleaned.passed.get_column_names();
        assert_eq!(names, ["id", "day", "cost", "kind", "site", "_line"]);
        for (row, place) in cleaned.passed_rows.iter().enumerate() {
            let values = cleaned.passed.get_row(row).expect("row").0;
            self.passed
                .push((places[*place as usize], format!("{values:?}")));
        }
        let rows = cleaned.duplicates.iter().map(|row| places[*row as usize]);
        self.duplicates.extend(rows);
        for rejected in &cleaned.rejected {
            let words = cleaning.words(rejected);
            assert!(!words.is_empty());
            self.rejected.push((places[rejected.row as usize], words));
        }
        self.counts += cleaned.counts;
    }

    /// All records were taken in.
    fn end(mut self, cleaning: &Cleaning, seen: &Seen) -> Self {
        assert_eq!(seen.counts(), self.counts);
        let at = "2025-01-01T00:00:00Z".parse().expect("time");
        self.statuses = format!("{:?}", cleaning.statuses(seen, at));
        self.passed.sort();
        self.duplicates.sort_unstable();
        self.rejected.sort();
        self
    }
}

fn surveyed(key: &'static str, chunks: &[DataFrame]) -> Cleaning {
    let mut cleaning = cleaning(key);
    let mut survey = cleaning.nothing_shown();
    for chunk in chunks {
        let mut shown = cleaning.nothing_shown();
        cleaning.survey(chunk, &mut shown).expect("survey");
        survey.add(&cleaning, &shown).expect("survey");
    }
    cleaning.rely_on(survey);
    cleaning
}

fn known() -> Known {
    let parent = Parent {
        table: "parent".to_owned(),
        kept: None,
        columns: vec!["id".to_owned()],
    };
    let keys = Column::new("id".into(), ["n", "s"]);
    let keys = DataFrame::new(2, vec![keys]).expect("a table");
    let mut known = Known::default();
    known.add(0, &parent, &keys).expect("keys");
    known
}

fn chunks(records: &[Record], size: usize, order: &[usize]) -> Vec<DataFrame> {
    let parts = records.chunks(size).zip((0..).step_by(size));
    parts.map(|(part, from)| chunk(part, from, order)).collect()
}

fn cleaned(key: &'static str, records: &[Record], size: usize, order: &[usize]) -> Result {
    let chunks = chunks(records, size, order);
    let cleaning = surveyed(key, &chunks);
    let (known, mut seen, mut result) = (known(), Seen::default(), Result::default());
    let mut from = 0;
    for chunk in &chunks {
        let cleaned = cleaning.apply(chunk, &known, &mut seen).expect("applies");
        let places: Vec<usize> = (from..from + chunk.height()).collect();
        result.add(&cleaning, &cleaned, &places);
        from += chunk.height();
    }
    result.end(&cleaning, &seen)
}

/// The same with the records apart that come again: the others first, and the last chunk of them first.
fn cleaned_apart(key: &'static str, records: &[Record], size: usize) -> Result {
    let chunks = chunks(records, size, &[0, 1, 2, 3, 4]);
    let cleaning = surveyed(key, &chunks);
    let mut repeats = cleaning.repeats(records.len() as u64);
    for (number, chunk) in chunks.iter().enumerate() {
        let mut noted = cleaning.repeats(records.len() as u64);
        cleaning.note(chunk, &mut noted).expect("notes");
        match number % 2 {
            0 => repeats.add(&noted),
            _ => cleaning.note(chunk, &mut repeats).expect("notes"),
        }
    }
    let (known, mut result) = (known(), Result::default());
    let (mut alone, mut seen) = (Seen::default(), Seen::default());
    let parts: Vec<[(DataFrame, Vec<usize>); 2]> = (0..)
        .step_by(size)
        .zip(&chunks)
        .map(|(from, chunk)| {
            let again = cleaning.again(chunk, &repeats).expect("asks");
            [false, true].map(|wanted| {
                let mask: BooleanChunked = again.iter().map(|again| *again == wanted).collect();
                let places = again.iter().enumerate();
                let places = places.filter(|(_, again)| **again == wanted);
                let places = places.map(|(row, _)| from + row).collect();
                (chunk.filter(&mask).expect("filters"), places)
            })
        })
        .collect();
    for [(chunk, places), _] in parts.iter().rev() {
        let cleaned = cleaning.apply_alone(chunk, &known, &mut alone);
        result.add(&cleaning, &cleaned.expect("applies"), places);
    }
    for [_, (chunk, places)] in &parts {
        let cleaned = cleaning.apply(chunk, &known, &mut seen).expect("applies");
        result.add(&cleaning, &cleaned, places);
    }
    seen.add(&alone);
    result.end(&cleaning, &seen)
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
        prop_assert_eq!(&whole, &cleaned_apart(key, &records, size));
        prop_assert_eq!(whole.counts.read, records.len() as u64);
    }
}
