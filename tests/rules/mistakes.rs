//! Rules that do not fit the table they are for: each has its line, all come at once.

use super::tables::Rules;

#[track_caller]
fn mistakes(rules: Rules<'_>, columns: &[&str], expected: &[&str]) {
    let problems = rules.compile(columns).expect_err("mistakes");
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
    for (problem, expected) in problems.iter().zip(expected) {
        assert!(problem.starts_with(expected), "{problem}");
    }
}

#[test]
fn columns_that_are_not_there() {
    let rules = Rules {
        cleansing: "t,nmae,trim,1,Y,\nt,d,date_formats:dd/MM/yyyy|MM/dd/yyyy;by=siet,1,Y,\n",
        values: "t,zzz,a,b,,Y\n",
        quality: "t,nmae,NOT_NULL,,,Y,,\nt,,CUSTOM_EXPR,nmae = 'x' AND d IS NULL,,Y,,\nt,\"name, ste\",UNIQUE,,,Y,,\n",
        ..Rules::default()
    };
    mistakes(
        rules,
        &["name", "d", "site"],
        &[
            "cleansing_rules.csv:2: table `t` has no column `nmae`\n  hint: did you mean `name`?",
            "cleansing_rules.csv:3: table `t` has no column `siet`\n  hint: did you mean `site`?",
            "dq_rule_config.csv:2: table `t` has no column `nmae`\n  hint: did you mean `name`?",
            "dq_rule_config.csv:3: table `t` has no column `nmae`\n  hint: did you mean `name`?",
            "dq_rule_config.csv:4: table `t` has no column `ste`\n  hint: did you mean `site`?",
            "ref_data.csv:2: table `t` has no column `zzz`\n  hint: expected one of `name`, `d`, `site`",
        ],
    );
}

#[test]
fn rules_that_do_not_fit_the_type_of_their_column() {
    let rules = Rules {
        cleansing: "t,d,date_format:yyyy-MM-dd,1,Y,\nt,d,upper,2,Y,\nt,d,cast:date,3,Y,\nt,d,nullify,4,Y,\nt,n,cast:integer,1,Y,\n",
        values: "t,d,__TRIGGER__,__STD_PHONE_LOGIC__,,Y\nt,n,one,1.0,,Y\nt,n,two,zwei,,Y\nt,p,a,b,,Y\nt,p,__TRIGGER__,__STD_PHONE_LOGIC__,,Y\n\
                 t,q,__TRIGGER__,__STD_PHONE_LOGIC__,,Y\nt,q,a,b,,Y\n",
        quality: "t,n,VALID_SET,\"1, x\",,Y,,\nt,d,BETWEEN,0..5,,Y,,\nt,n,BETWEEN,2020-01-01..,,Y,,\nt,n,FRESHNESS,24h,,Y,,\n\
                  t,d,CUSTOM_EXPR,d > 5,,Y,,\nt,p,CUSTOM_EXPR,p || 'x',,Y,,\nt,p,CUSTOM_EXPR,p = 'x' AND p > 1,,Y,,\nt,p,CUSTOM_EXPR,1 = 1,,Y,,\n",
        ..Rules::default()
    };
    mistakes(
        rules,
        &["d", "n", "p", "q"],
        &[
            "cleansing_rules.csv:3: `upper` comes after `date_format:yyyy-MM-dd`, which makes column `d` date\n  hint: what is done to text goes before",
            "cleansing_rules.csv:4: `cast:date` comes after `date_format:yyyy-MM-dd`",
            "dq_rule_config.csv:2: `x` does not fit column `n`, which is integer",
            "dq_rule_config.csv:3: column `d` is date, and its bounds are not\n  hint: bounds of numbers",
            "dq_rule_config.csv:4: column `n` is integer, and its bounds are not",
            "dq_rule_config.csv:5: column `n` is integer, expected a date or a timestamp\n  hint: make it one",
            "dq_rule_config.csv:6: `d > 5` takes column `d` for a number, it is a date\n  hint: dates are written",
            "dq_rule_config.csv:7: `p || 'x'` is not a condition\n  hint: expected an expression that is true or false",
            "dq_rule_config.csv:8: `p = 'x' AND p > 1` cannot be evaluated: cannot compare string with numeric type (f64)\n  hint: in a condition a column is text or a number, not both",
            "dq_rule_config.csv:9: `1 = 1` reads no column",
            "ref_data.csv:2: column `d` is date, expected text",
            "ref_data.csv:3: `1.0` does not fit column `n`, which is integer\n  hint: written `1`",
            "ref_data.csv:4: `zwei` does not fit column `n`, which is integer",
            "ref_data.csv:6: column `p` has other standard values\n  hint: a column of telephone numbers",
            "ref_data.csv:8: line 7 is for all values\n  hint: a column of telephone numbers",
        ],
    );
}

#[test]
fn rules_of_another_table_are_not_this_ones() {
    let rules = Rules {
        cleansing: "u,nothing,trim,1,Y,\n",
        quality: "t,a,NOT_NULL,,,Y,,\n",
        ..Rules::default()
    };
    let cleaning = rules.compile(&["a"]).expect("compiles");
    assert_eq!(cleaning.describe(), ["check a: NOT_NULL"]);
    let problems = rules.load().expect("loads").check_tables(&["t"]);
    assert_eq!(
        problems[0].to_string(),
        "cleansing_rules.csv:2: unknown table `u`\n  hint: did you mean `t`?"
    );
}

#[test]
fn a_column_cannot_be_there_twice() {
    mistakes(
        Rules::default(),
        &["a", "b", "a"],
        &["t: column `a` is there twice"],
    );
}

#[test]
fn a_relationship_names_a_table_and_columns_that_are_there() {
    let rules = Rules {
        quality: "t,a,RELATIONSHIP,sites(id),,Y,,\nt,a,RELATIONSHIP,sites(idd),,Y,,\nt,a,RELATIONSHIP,places(id),,Y,,\n",
        ..Rules::default()
    };
    let cleaning = rules.compile(&["a"]).expect("compiles");
    let columns_of = |table: &str| (table == "sites").then(|| vec!["id".to_owned()]);
    let problems = cleaning.check_parents(&columns_of);
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "dq_rule_config.csv:3: table `sites` has no column `idd`\n  hint: did you mean `id`?",
            "dq_rule_config.csv:4: unknown table `places`",
        ]
    );
}
