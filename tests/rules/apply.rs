//! What becomes of records, rule by rule.

use chrono::{DateTime, Utc};
use galen::rules::tables::{ColumnType, Compatibility, Known, RuleOutcome, Seen, Severity, Status};

use super::tables::{Rules, chunk, clean, column, rejected};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("time")
}

fn numbers(statuses: &[Status]) -> Vec<(u64, u64, RuleOutcome)> {
    let numbers = statuses.iter().map(|s| (s.checked, s.failed, s.outcome));
    numbers.collect()
}

#[test]
fn values_are_cleansed_standardized_and_typed() {
    let rules = Rules {
        cleansing: "t,name,trim,1,Y,\nt,name,nullify:n/a,2,Y,\nt,name,initcap,3,Y,\n\
                    t,day,trim,1,Y,\nt,day,date_format:dd/MM/yyyy,2,Y,\nt,cost,money:USD,1,Y,\nt,n,cast:integer,1,Y,\n\
                    t,phone,phone:US,1,Y,\nt,mail,email,1,Y,\nt,code,replace:[^0-9]=>,1,Y,\nt,name,upper,9,N,\n",
        values: "t,n,__NEGATIVE__,0,null,Y\nt,name,Ana Gil,A. Gil,,Y\n",
        ..Rules::default()
    };
    let columns: &[(&str, &[&str])] = &[
        ("name", &[" ana gil ", "n/a", "PEP"]),
        ("day", &["17/03/2025 ", "null", "01/12/2024"]),
        ("cost", &["$1,234.5", "(3)", "null"]),
        ("n", &["-4", "7.0", "null"]),
        ("phone", &["(206)241-2659x12", "null", "+34 912 345 678"]),
        ("mail", &["a@X.org", "null", "b@y.org"]),
        ("code", &["A-12", "", "7"]),
        ("other", &["as ", "it", "is"]),
    ];
    let (cleaning, cleaned, _) = clean(rules, columns);
    assert_eq!(
        cleaned.counts.passed,
        3,
        "{:?}",
        rejected(&cleaning, &cleaned)
    );
    for (name, expected) in [
        ("name", ["A. Gil", "null", "Pep"]),
        ("day", ["2025-03-17", "null", "2024-12-01"]),
        ("cost", ["1234.50", "-3.00", "null"]),
        ("n", ["0", "7", "null"]),
        ("phone", ["+12062412659;ext=12", "null", "+34912345678"]),
        ("mail", ["a@x.org", "null", "b@y.org"]),
        ("code", ["12", "", "7"]),
        ("other", ["as ", "it", "is"]),
    ] {
        assert_eq!(column(&cleaned, name), expected, "{name}");
    }
    let types: Vec<ColumnType> = cleaning.columns().iter().map(|(_, of)| *of).collect();
    assert_eq!(
        types[1..4],
        [
            ColumnType::Date,
            ColumnType::Decimal(2),
            ColumnType::Integer
        ]
    );
    assert_eq!(
        cleaning.describe(),
        [
            "cleanse name: trim, nullify:n/a, initcap",
            "standardize name: 1 value",
            "cleanse day: trim, date_format:dd/MM/yyyy",
            "cleanse cost: money:USD",
            "cleanse n: cast:integer",
            "standardize n: numbers below zero",
            "cleanse phone: phone:US",
            "cleanse mail: email",
            "cleanse code: replace:[^0-9]=>",
        ]
    );
}

#[test]
fn a_record_is_rejected_with_all_its_reasons_and_null_is_for_not_null_to_judge() {
    let rules = Rules {
        cleansing: "t,day,date_format:yyyy-MM-dd,1,Y,\nt,n,cast:integer,1,Y,warn\n",
        quality: "t,id,NOT_NULL,,no id,Y,,\nt,id,REGEX,^[A-Z]+$,bad id,Y,,\nt,day,NOT_NULL,,no day,Y,,\n\
                  t,n,BETWEEN,0..10,n out of range,Y,warn,\nt,kind,VALID_SET,\"x, y\",bad kind,Y,,\nt,n,CUSTOM_EXPR,n <> 5,n is five,Y,,\n\
                  t,id,NOT_NULL,,,N,,\n",
        ..Rules::default()
    };
    let columns: &[(&str, &[&str])] = &[
        ("id", &["A", "null", "", "b", "C", "D", "E"]),
        (
            "day",
            &[
                "2025-01-01",
                "2025-01-01",
                "2025-02-30",
                "null",
                "2025-01-01",
                "2025-01-01",
                "2025-01-01",
            ],
        ),
        ("n", &["1", "2", "x", "99", "99", "null", "5"]),
        ("kind", &["x", "y", "z", "null", "null", "x", "x"]),
    ];
    let (cleaning, cleaned, seen) = clean(rules, columns);
    assert_eq!(
        rejected(&cleaning, &cleaned),
        [
            (1, "no id".to_owned()),
            (2, "day: bad_date | no id | bad id | bad kind".to_owned()),
            (3, "bad id | no day".to_owned()),
            (6, "n is five".to_owned()),
        ]
    );
    assert_eq!(cleaned.passed_rows, [0, 4, 5]);
    assert_eq!(cleaned.counts.warned, 1);
    let statuses = cleaning.statuses(&seen, at("2025-01-02T00:00:00Z"));
    use RuleOutcome::{Fail, Pass};
    assert_eq!(
        numbers(&statuses),
        [
            (6, 1, Fail), // day is a date
            (6, 1, Fail), // n is a number
            (7, 2, Fail), // id is there
            (6, 2, Fail), // id is as agreed; null is not asked
            (6, 1, Fail), // day is there; one that is no date is not missing
            (5, 2, Fail), // n in range; null and what is no number are not asked
            (5, 1, Fail), // kind
            (5, 1, Fail), // n is not five
        ]
    );
    assert!(!statuses.iter().any(|status| status.outcome == Pass));
    assert_eq!(cleaning.rules()[1].severity, Severity::Warn);
}

#[test]
fn thresholds_bear_what_they_say_and_nothing_checked_is_no_pass() {
    let rules = Rules {
        quality: "t,a,REGEX,x,a,Y,,1\nt,a,NOT_NULL,,b,Y,,40%\nt,a,COMPLETENESS,60%,,Y,,\nt,a,COMPLETENESS,61%,,Y,,\n\
                  t,b,REGEX,x,c,Y,,\nt,a,VALID_SET,\"x, y\",d,Y,,\n",
        ..Rules::default()
    };
    let columns: &[(&str, &[&str])] = &[
        ("a", &["x", "y", "null", "x", "null"]),
        ("b", &["null", "null", "null", "null", "null"]),
    ];
    let (cleaning, cleaned, seen) = clean(rules, columns);
    assert_eq!(cleaned.passed_rows, [0, 3]);
    use RuleOutcome::{Fail, NotApplicable, Pass, PassWithRows};
    assert_eq!(
        numbers(&cleaning.statuses(&seen, at("2025-01-02T00:00:00Z"))),
        [
            (3, 1, PassWithRows),
            (5, 2, PassWithRows),
            (5, 2, PassWithRows),
            (5, 2, Fail),
            (0, 0, NotApplicable),
            (3, 0, Pass),
        ]
    );
}

#[test]
fn a_column_is_fresh_by_its_newest_value() {
    let rules = Rules {
        cleansing: "t,d,date_format:yyyy-MM-dd HH:mm,1,Y,\n",
        quality: "t,d,FRESHNESS,24h,,Y,,\n",
        ..Rules::default()
    };
    let (cleaning, cleaned, seen) = clean(
        rules,
        &[("d", &["2025-03-01 10:00", "2024-01-01 00:00", "null"])],
    );
    assert_eq!(cleaned.counts.passed, 3);
    let outcome = |time: &str| cleaning.statuses(&seen, at(time))[1].outcome;
    assert_eq!(outcome("2025-03-02T10:00:00Z"), RuleOutcome::Pass);
    assert_eq!(outcome("2025-03-02T10:01:00Z"), RuleOutcome::Fail);
}

#[test]
fn a_relationship_needs_a_row_on_the_other_side() {
    let rules = Rules {
        quality: "t,a,RELATIONSHIP,parent(id),no parent,Y,,\nt,\"a,b\",RELATIONSHIP,\"pair(x, y)\",no pair,Y,warn,\n",
        ..Rules::default()
    };
    let columns: &[(&str, &[&str])] = &[
        ("a", &["1", "2", "null", "1"]),
        ("b", &["x", "x", "x", "null"]),
    ];
    let cleaning = rules.compile(&["a", "b"]).expect("compiles");
    let parents = cleaning.parents();
    assert_eq!(parents.len(), 2);
    assert_eq!(
        (parents[1].table.as_str(), parents[1].columns.len()),
        ("pair", 2)
    );
    let mut known = Known::default();
    let error = cleaning.apply(&chunk(columns), &known, &mut Seen::default());
    let error = error.expect_err("not known").to_string();
    assert_eq!(error, "the keys of table `parent` are not known");
    known
        .add(0, &parents[0], &chunk(&[("id", &["1", "null"])]))
        .expect("keys");
    known
        .add(1, &parents[1], &chunk(&[("x", &["2"]), ("y", &["x"])]))
        .expect("keys");
    let mut seen = Seen::default();
    let cleaned = cleaning
        .apply(&chunk(columns), &known, &mut seen)
        .expect("applies");
    assert_eq!(rejected(&cleaning, &cleaned), [(1, "no parent".to_owned())]);
    assert_eq!(cleaned.counts.warned, 1);
}

#[test]
fn a_key_comes_once_over_all_chunks() {
    let rules = Rules {
        quality: "t,a,UNIQUE,,a twice,Y,,\nt,b,NOT_NULL,,no b,Y,,\n",
        ..Rules::default()
    };
    let cleaning = rules.compile(&["a", "b"]).expect("compiles");
    let mut seen = Seen::default();
    let known = Known::default();
    let before = chunk(&[("a", &["0"]), ("b", &["z"])]);
    cleaning.apply(&before, &known, &mut seen).expect("applies");
    let one = chunk(&[
        ("a", &["1", "1", "2", "null"]),
        ("b", &["x", "x", "null", "y"]),
    ]);
    let cleaned = cleaning.apply(&one, &known, &mut seen).expect("applies");
    assert_eq!(cleaned.passed_rows, [0, 3]);
    assert_eq!(cleaned.duplicates, [1]);
    let other = chunk(&[
        ("a", &["1", "2", "2", "0", "0", "null"]),
        ("b", &["y", "v", "null", "z", "y", "y"]),
    ]);
    let cleaned = cleaning.apply(&other, &known, &mut seen).expect("applies");
    // a record that was rejected does not take the key from one that is sound
    assert_eq!(cleaned.passed_rows, [1, 5]);
    assert_eq!(cleaned.duplicates, [3]);
    assert_eq!(
        rejected(&cleaning, &cleaned),
        [
            (0, "a twice".to_owned()),
            (2, "a twice | no b".to_owned()),
            (4, "a twice".to_owned()),
        ]
    );
    let counts = seen.counts();
    assert!(counts.balances());
    assert_eq!(
        (
            counts.read,
            counts.passed,
            counts.duplicate,
            counts.quarantined
        ),
        (11, 5, 2, 4)
    );
}

#[test]
fn a_record_that_repeats_its_key_and_content_is_a_duplicate_and_one_that_differs_passes() {
    let rules = Rules {
        cleansing: "t,a,trim,1,Y,\n",
        key: "a",
        ..Rules::default()
    };
    let cleaning = rules.compile(&["a", "b"]).expect("compiles");
    assert_eq!(cleaning.key(), ["a"]);
    let mut seen = Seen::default();
    let chunk = chunk(&[
        ("a", &["1", " 1", "1", "1", "null", "null"]),
        ("b", &["x", "x", "y", "x", "x", "x"]),
    ]);
    let cleaned = cleaning.apply(&chunk, &Known::default(), &mut seen);
    let cleaned = cleaned.expect("applies");
    // the later delivery stays, so that the first value, come again, is news; what has no key repeats nothing
    assert_eq!(cleaned.passed_rows, [0, 2, 3, 4, 5]);
    assert_eq!(cleaned.duplicates, [1]);
}

#[test]
fn dates_that_can_be_read_in_two_ways_need_evidence() {
    let rules = Rules {
        cleansing: "t,d,date_formats:dd/MM/yyyy|MM/dd/yyyy;by=site,1,Y,\n",
        ..Rules::default()
    };
    let columns: &[(&str, &[&str])] = &[
        (
            "d",
            &[
                "03/04/2025",
                "13/04/2025",
                "03/04/2025",
                "04/13/2025",
                "03/04/2025",
                "x",
                "05/05/2025",
            ],
        ),
        ("site", &["n", "n ", "s", "s", "w", "w", "w"]),
    ];
    let (cleaning, cleaned, _) = clean(rules, columns);
    assert!(cleaning.needs_survey());
    assert_eq!(
        column(&cleaned, "d"),
        [
            "2025-04-03",
            "2025-04-13",
            "2025-03-04",
            "2025-04-13",
            "2025-05-05"
        ]
    );
    assert_eq!(
        rejected(&cleaning, &cleaned),
        [
            (4, "d: ambiguous_date".to_owned()),
            (5, "d: bad_date".to_owned())
        ]
    );
}

#[test]
fn a_value_that_is_null_after_a_warning_is_still_missing() {
    let rules = Rules {
        cleansing: "t,n,cast:integer,1,Y,warn\n",
        quality: "t,n,NOT_NULL,,no n,Y,,\n",
        ..Rules::default()
    };
    let (cleaning, cleaned, _) = clean(rules, &[("n", &["1", "x"])]);
    assert_eq!(rejected(&cleaning, &cleaned), [(1, "no n".to_owned())]);
}

#[test]
fn an_error_never_shows_a_value() {
    let rules = Rules {
        quality: "t,a,CUSTOM_EXPR,CAST(a AS BIGINT) > 0 AND b > 0,,Y,,\n",
        ..Rules::default()
    };
    let cleaning = rules.compile(&["a", "b"]).expect("compiles");
    let apply = |columns: &[(&str, &[&str])]| {
        let result = cleaning.apply(&chunk(columns), &Known::default(), &mut Seen::default());
        result.expect_err("fails").to_string()
    };
    let error = apply(&[("a", &["secret"]), ("b", &["1"])]);
    assert!(error.contains("failed on a value"), "{error}");
    assert!(!error.contains("secret"), "{error}");
    assert_eq!(apply(&[("a", &["1"])]), "column `b` is missing");
}

#[test]
fn a_cleaning_can_go_to_another_thread() {
    fn is_shared<T: Send + Sync>(_: &T) {}
    let cleaning = Rules::default().compile(&["a"]).expect("compiles");
    is_shared(&cleaning);
    is_shared(&Seen::default());
    is_shared(&Known::default());
}

#[test]
fn queries_are_for_the_warehouse() {
    let rules = Rules {
        quality: "t,,CUSTOM_SQL,SELECT id FROM t GROUP BY id HAVING COUNT(*) > 3,too many,Y,warn,10%\n",
        ..Rules::default()
    };
    let (cleaning, _, seen) = clean(rules, &[("id", &["1"])]);
    assert!(
        cleaning
            .statuses(&seen, at("2025-01-01T00:00:00Z"))
            .is_empty()
    );
    let queries = cleaning.queries();
    assert_eq!(queries.len(), 1);
    assert!(queries[0].sql.starts_with("SELECT id"));
    let rule = &cleaning.rules()[queries[0].rule];
    assert_eq!(rule.status(0, 100, 10).outcome, RuleOutcome::PassWithRows);
    assert_eq!(rule.status(0, 100, 11).outcome, RuleOutcome::Fail);
}

#[test]
fn what_the_original_did_can_be_had() {
    let rules = Rules {
        cleansing: "t,d,date_format:yyyy-MM-dd,1,Y,\nt,name,trim,1,Y,\nt,name,remove_spcl_charcs,2,Y,\n",
        values: "t,phone,__TRIGGER__,__STD_PHONE_LOGIC__,,Y\n",
        quality: "t,n,CUSTOM_EXPR,n >= 0,n,Y,,\nt,d,NOT_NULL,,no day,Y,,\nt,name,NOT_NULL,,no name,N,,\n",
        compatibility: Compatibility::Source,
        key: "",
    };
    let columns: &[(&str, &[&str])] = &[
        ("d", &["2025-03-17", "17/03/2025", "2025-03-17"]),
        ("name", &["\tñu ", "x", "null"]),
        ("phone", &["735-714-3217x8537", "null", "1"]),
        ("n", &["x", "1", "1"]),
    ];
    let (cleaning, cleaned, _) = clean(rules, columns);
    assert_eq!(column(&cleaned, "d"), ["2025-03-17"]);
    assert_eq!(column(&cleaned, "name"), ["\tu"]);
    assert_eq!(column(&cleaned, "phone"), ["1432178537"]);
    assert_eq!(
        rejected(&cleaning, &cleaned),
        [(1, "no day".to_owned()), (2, "no name".to_owned())]
    );
    let corrected = Rules {
        compatibility: Compatibility::Corrected,
        ..rules
    };
    let (cleaning, cleaned, _) = clean(corrected, columns);
    assert_eq!(column(&cleaned, "name"), ["null"]);
    assert_eq!(
        rejected(&cleaning, &cleaned),
        [(0, "n".to_owned()), (1, "d: bad_date".to_owned())]
    );
}
