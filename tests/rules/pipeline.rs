//! Whole pipelines that are nothing but rule tables, through the binary.

use std::collections::BTreeMap;
use std::path::Path;

use galen::base::sha256;
use serde_json::Value;
use tempfile::TempDir;

use crate::cli::galen::{Said, galen};
use crate::support::{copy, shared_data};

fn succeeds(said: Said) -> Said {
    assert_eq!(said.code, 0, "{said}");
    said
}

/// What became of the records of each task: inserted, updated, unchanged, duplicate, quarantined.
type Counts = BTreeMap<String, [u64; 5]>;

fn run(home: &Path, args: &[&str]) -> Counts {
    let args: Vec<&str> = ["run"].into_iter().chain(args.iter().copied()).collect();
    let said = succeeds(galen(home, &[&args[..], &["--json"]].concat()));
    let tasks: Vec<Value> = serde_json::from_str(&said.out).expect("JSON");
    let counts = tasks.iter().map(|task| {
        let number = |name: &str| task[name].as_u64().unwrap_or_default();
        let names = [
            "inserted",
            "updated",
            "unchanged",
            "duplicate",
            "quarantined",
        ];
        let parts = names.map(number);
        assert_eq!(number("read"), parts.iter().sum::<u64>(), "{task}");
        (task["task"].as_str().expect("a name").to_owned(), parts)
    });
    counts.collect()
}

/// The number of versions of every table.
fn versions(home: &Path) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    let pattern = format!("{}/state/lake/*/*/*/_delta_log/*.json", home.display());
    for path in glob::glob(&pattern).expect("a pattern").flatten() {
        let table = path.parent().and_then(Path::parent).expect("a table");
        *found.entry(table.display().to_string()).or_default() += 1;
    }
    found
}

fn library() -> TempDir {
    let home = tempfile::tempdir().expect("home");
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules/library");
    copy(&fixture, home.path());
    home
}

fn query(home: &Path, dag: &str, sql: &str) -> Vec<String> {
    let said = succeeds(galen(home, &["query", dag, sql, "--format", "csv"]));
    said.out.lines().skip(1).map(str::to_owned).collect()
}

const LOANS: &str = "SELECT loan_id, member_id, book, days FROM gold.gold_loans ORDER BY loan_id";
const MEMBERS: &str =
    "SELECT member_id, name, kind, joined FROM gold.gold_members ORDER BY member_id";

fn change(home: &Path, file: &str, from: &str, to: &str) {
    let path = home.join("dags/library").join(file);
    let text = std::fs::read_to_string(&path).expect("a file");
    assert!(text.contains(from), "{file} has `{from}`");
    std::fs::write(path, text.replacen(from, to, 1)).expect("written");
}

#[test]
fn every_table_is_a_task_in_the_order_of_its_jobs() {
    let home = library();
    let shown = succeeds(galen(home.path(), &["dags", "show", "library"])).out;
    let tasks = shown.split_once("\n\n").expect("tasks").1;
    let lines: Vec<String> = tasks
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        lines,
        [
            "1 load.bronze.members ingest",
            "load.bronze.loans ingest",
            "2 load.silver.stage_members clean after load.bronze.members",
            // a rule of the loans looks at the members
            "3 load.silver.stage_loans clean after load.bronze.loans, load.silver.stage_members",
            "load.gold.gold_members merge after load.silver.stage_members",
            "4 load.gold.gold_loans merge after load.silver.stage_loans",
            "5 build.marts.readers models after load.gold.gold_members, load.gold.gold_loans",
        ]
    );
}

#[test]
fn rows_go_from_files_to_gold_and_a_second_run_changes_nothing() {
    let home = library();
    let home = home.path();
    let first = run(home, &["library"]);
    let expected = [
        ("build.marts.readers", [2, 0, 0, 0, 0]),
        ("load.bronze.loans", [5, 0, 0, 0, 0]),
        ("load.bronze.members", [6, 0, 0, 0, 0]),
        ("load.gold.gold_loans", [2, 0, 0, 1, 0]),
        ("load.gold.gold_members", [2, 0, 0, 0, 0]),
        ("load.silver.stage_loans", [3, 0, 0, 0, 2]),
        ("load.silver.stage_members", [2, 1, 0, 1, 2]),
    ];
    let expected = expected.map(|(task, counts)| (task.to_owned(), counts));
    assert_eq!(first, Counts::from(expected.clone()));
    let loans = ["2,M1,Emma,21", "3,M2,Kim,90"];
    assert_eq!(query(home, "library", LOANS), loans);
    let members = ["M1,Ann Lee,ADULT,2020-04-03", "M2,Bob Ray,CHILD,2021-04-14"];
    assert_eq!(query(home, "library", MEMBERS), members);
    let reasons = "SELECT _line, reasons FROM silver.stage_loans_quarantine ORDER BY _line";
    let reasons = query(home, "library", reasons);
    assert!(
        reasons[0].contains("a member who is there") && reasons[0].contains("days of a loan"),
        "{reasons:?}"
    );
    assert!(reasons[1].contains("bad_number"), "{reasons:?}");
    let origin = "SELECT DISTINCT _file FROM gold.gold_members";
    assert_eq!(query(home, "library", origin), ["data/day1/members.csv"]);

    let before = versions(home);
    let second = run(home, &["library"]);
    for (task, [inserted, updated, unchanged, duplicate, quarantined]) in &second {
        let [
            first_inserted,
            first_updated,
            _,
            first_duplicate,
            first_quarantined,
        ] = first[task];
        assert_eq!((*inserted, *updated), (0, 0), "{task}");
        assert_eq!(*unchanged, first_inserted + first_updated, "{task}");
        let rest = (first_duplicate, first_quarantined);
        assert_eq!((*duplicate, *quarantined), rest, "{task}");
    }
    assert_eq!(versions(home), before);
}

#[test]
fn a_later_delivery_and_a_row_more_in_a_rule_table_change_what_they_concern() {
    let home = library();
    let home = home.path();
    run(home, &["library"]);
    let next = run(home, &["library", "--param", "day=day2"]);
    assert_eq!(next["load.bronze.members"], [2, 0, 0, 0, 0]);
    assert_eq!(next["load.silver.stage_members"], [3, 2, 0, 1, 2]);
    assert_eq!(next["load.gold.gold_members"], [1, 1, 1, 0, 0]);
    assert_eq!(next["load.silver.stage_loans"], [4, 1, 0, 0, 2]);
    assert_eq!(next["load.gold.gold_loans"], [1, 1, 1, 1, 0]);
    let loans = ["2,M1,Emma,21", "3,M2,Kim,30", "6,M4,Kim,7"];
    assert_eq!(query(home, "library", LOANS), loans);

    // the order of runs does not matter where deliveries came in the same
    let other = library();
    run(other.path(), &["library"]);
    run(other.path(), &["library", "--param", "day=day2"]);
    run(other.path(), &["library"]);
    for sql in [LOANS, MEMBERS] {
        assert_eq!(
            query(other.path(), "library", sql),
            query(home, "library", sql)
        );
    }

    let jobs = "rules/main_pipeline_config.csv";
    change(
        home,
        jobs,
        "\"member_id, book\",1,Y",
        "\"member_id, book\",1,N",
    );
    let kept = run(home, &["library"]);
    assert_eq!(kept["load.gold.gold_loans"], [1, 0, 3, 0, 0]);
    assert_eq!(kept["load.silver.stage_loans"], [0, 0, 5, 0, 2]);
    change(
        home,
        "rules/cleansing_rules.csv",
        "loans,days",
        "loans,book,upper,1,Y\nloans,days",
    );
    let upper = run(home, &["library"]);
    assert_eq!(upper["load.gold.gold_loans"], [0, 4, 0, 0, 0]);
    assert_eq!(upper["load.gold.gold_members"], [0, 0, 3, 0, 0]);
    // a rule that is stricter takes rows away
    change(home, "rules/dq_rule_config.csv", "0..365", "0..20");
    let strict = run(home, &["library"]);
    assert_eq!(strict["load.gold.gold_loans"], [0, 0, 2, 0, 0]);
    assert_eq!(
        query(home, "library", LOANS),
        ["1,M1,EMMA,14", "6,M4,KIM,7"]
    );
}

#[test]
fn mistakes_are_told_where_they_are_written() {
    let validate = |file: &str, from: &str, to: &str| {
        let home = library();
        change(home.path(), file, from, to);
        let said = galen(home.path(), &["dags", "validate"]);
        assert_eq!(said.code, 2, "{said}");
        said.out
    };
    let jobs = "rules/main_pipeline_config.csv";
    for (file, from, to, expected) in [
        (
            jobs,
            "gold,ingest,stage_loans,",
            "gold,ingest,dq_loans,",
            "rules/main_pipeline_config.csv:4: table `dq_loans` is not kept, its rows go on to `stage_loans`",
        ),
        (
            jobs,
            "main,library,loan_id,2,Y\nsilver,cleanse",
            "main,library,loan_no,2,Y\nsilver,cleanse",
            "rules/main_pipeline_config.csv:4: table `loans` has no column `loan_no`",
        ),
        (
            jobs,
            "stage_members,gold_members,",
            "stage_members,Gold-Members,",
            "rules/main_pipeline_config.csv:3: `gold.Gold-Members` is not a table of a layer",
        ),
        (
            "rules/pipeline_config.csv",
            "bronze,loans",
            "silver,loans",
            "rules/pipeline_config.csv:2: `silver.loans` cannot be a table that files land in",
        ),
        (
            "rules/pipeline_config.csv",
            "csv,main,library,true,true",
            "csv,main,library,true,false",
            "rules/pipeline_config.csv:3: ",
        ),
        (
            "dag.yaml",
            ", base_path: \"data/{{ params.day }}\"",
            "",
            "dag.yaml:7:",
        ),
        ("models/marts/readers.sql", "m.name,", "m.nmae,", "nmae`"),
        (
            "models/marts/readers.sql",
            "gold.gold_loans",
            "gold.gold_loan",
            "did you mean `gold.gold_loans`?",
        ),
    ] {
        let said = validate(file, from, to);
        assert!(said.contains(expected), "{expected}\n{said}");
    }
}

#[test]
fn a_mart_has_a_grade_and_a_reason() {
    let home = library();
    let home = home.path();
    let grades = || -> (i32, Vec<Value>) {
        let said = galen(home, &["quality", "library", "--marts", "--json"]);
        (said.code, serde_json::from_str(&said.out).expect("JSON"))
    };
    let (_, before) = grades();
    assert_eq!(
        (&before[0]["mart"], &before[0]["grade"]),
        (&"lending".into(), &"-".into())
    );
    run(home, &["library"]);
    let (_, found) = grades();
    assert_eq!(found[0]["grade"], "D");
    let because = "silver.stage_loans: BETWEEN days (rules/dq_rule_config.csv:5)";
    let told = found[0]["because"].as_str().expect("a reason");
    assert!(told.starts_with(because), "{told}");
    let model = "SELECT count(*) AS readers FROM marts.readers\n";
    std::fs::write(home.join("dags/library/models/marts/counts.sql"), model).expect("written");
    change(
        home,
        "models/models.yaml",
        "tests: [not_null, unique]",
        "tests: [not_null, {accepted_values: {values: [M1]}}]",
    );
    assert_eq!(galen(home, &["run", "library"]).code, 1);
    let (code, found) = grades();
    assert_eq!(code, 1);
    for (mart, grade) in found.iter().zip(["lending", "marts.counts"]) {
        assert_eq!(
            (&mart["mart"], &mart["grade"]),
            (&grade.into(), &"F".into()),
            "{mart}"
        );
    }
    assert_eq!(found[0]["stops"], Value::Array(Vec::new()));
    assert_eq!(found[1]["stops"][0], "marts.counts");
    let both = galen(home, &["quality", "library"]).out;
    assert!(both.contains("trend") && both.contains("grade"), "{both}");
}

/// What each gold table was read of and left, as `gold.py` beside this file prints it: rows read, staged, kept, and the digest.
type Gold = [(&'static str, u64, u64, u64, &'static str); 6];

#[test]
fn the_pipeline_in_use_comes_to_its_gold_tables() {
    the_original("corrected", CORRECTED);
}

#[test]
fn the_pipeline_in_use_comes_to_the_gold_tables_it_had() {
    the_original("source", SOURCE);
}

fn the_original(compatibility: &str, expected: Gold) {
    let Some(configs) = shared_data("pharma/configs") else {
        return;
    };
    let data = shared_data("pharma/data").expect("raw files");
    let home = tempfile::tempdir().expect("home");
    let home = home.path();
    let dag = home.join("dags/original");
    copy(&configs, &dag.join("rules"));
    let text = format!(
        "dag_id: original\ntasks:\n  - {{task_id: all, operator: pipeline, with: {{rules: rules, base_path: {}, compatibility: {compatibility}}}}}\n",
        data.canonicalize().expect("a folder").display()
    );
    std::fs::write(dag.join("dag.yaml"), text).expect("written");
    let first = run(home, &["original"]);
    assert_eq!(first.len(), 18);
    let before = versions(home);
    let second = run(home, &["original"]);
    assert_eq!(versions(home), before);
    for (table, read, staged, kept, digest) in expected {
        let bare = table.trim_start_matches("gold_");
        assert_eq!(first[&format!("all.bronze.{bare}")], [read, 0, 0, 0, 0]);
        let task = format!("all.silver.stage_{bare}");
        assert_eq!(first[&task], [staged, 0, 0, read - staged, 0], "{table}");
        assert_eq!(second[&task], [0, 0, staged, read - staged, 0], "{table}");
        let task = format!("all.gold.{table}");
        assert_eq!(first[&task], [kept, 0, 0, staged - kept, 0], "{table}");
        assert_eq!(second[&task], [0, 0, kept, staged - kept, 0], "{table}");
        let export = succeeds(galen(
            home,
            &["export", "original", &format!("gold.{table}")],
        ));
        let mut lines: Vec<&str> = export.out.lines().collect();
        lines[1..].sort_unstable();
        let found = sha256(lines.join("\n") + "\n").to_string();
        assert_eq!(found, digest, "{table}");
    }
}

const CORRECTED: Gold = [
    (
        "gold_shipment_data",
        1000,
        1000,
        1000,
        "46eeaf997dd96866d35030ad8e7dd874b08a9a26db798c87c51679039e3a7b00",
    ),
    (
        "gold_hcp_feedback",
        800,
        800,
        800,
        "18dd6fafd1e4aa4163298cc6ff0473cc489f6346a6c5c88fae1888ac163d7ef5",
    ),
    (
        "gold_product_sales",
        2000,
        2000,
        2000,
        "44f89023ce3be4fa25e5e777aebd9dec42741e616b79ba54aba2e61168d5a8ae",
    ),
    (
        "gold_product_ref",
        10,
        10,
        10,
        "08af578b2faf027c8c2dfb034c7160f0d0e596b7dcab4e3cb900f7f9a0467142",
    ),
    (
        "gold_site_master",
        30,
        30,
        30,
        "b0f0dd06b3f94eb1fa4aaf5c6abf4e87cd36585ad76664f6e0005a5de4efc888",
    ),
    (
        "gold_hcp_data",
        300,
        300,
        300,
        "b3d0be303dbf84767e1b83244c8f50b82a133938fb607d5cffb951bee553fb6c",
    ),
];

const SOURCE: Gold = [
    CORRECTED[0],
    (
        "gold_hcp_feedback",
        800,
        800,
        780,
        "90c2dbdc3f47c284da5880c7eeab972136929da6a487a74fa0fe5aafcd2e17cc",
    ),
    CORRECTED[2],
    CORRECTED[3],
    CORRECTED[4],
    (
        "gold_hcp_data",
        300,
        300,
        300,
        "c556f5498313456bd06babb8073777edf33e81b262e1b2c511c6f813d8454fd1",
    ),
];
