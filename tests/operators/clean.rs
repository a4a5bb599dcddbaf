//! `clean`: rule tables from one Delta table to the next.

use galen::dag::load_folder;
use galen::operators::Operators;
use serde_json::{Value, json};

use crate::support::{Desk, TestDatabase, counts, cut_off};

const CLEANSING: &str = "table_name,column_name,cleanse_type,seq_no,is_active\n\
    bills,id,trim,1,Y\nbills,id,cast:integer,2,Y\nbills,town,trim,1,Y\nbills,town,upper,2,Y\n\
    bills,cost,money:EUR,1,Y\nbills,day,date_format:yyyy-MM-dd,1,Y\ntowns,name,upper,1,Y\n";
const QUALITY: &str = "table_name,column_name,rule_type,rule_condition,rule_desc,is_active\n\
    bills,id,NOT_NULL,,number is missing,Y\nbills,town,RELATIONSHIP,towns(name),town is unknown,Y\n\
    bills,id,UNIQUE,,number comes twice,Y\n";

fn desk() -> Desk {
    let mut desk = Desk::new(TestDatabase::sqlite());
    desk.file("rules/cleansing_rules.csv", CLEANSING);
    desk.file("rules/dq_rule_config.csv", QUALITY);
    desk.write("towns.csv", "name\nParis\nRome\n");
    desk
}

async fn land(desk: &Desk, table: &str) {
    let with =
        json!({"source": {"csv": format!("{table}*.csv")}, "into": format!("bronze.{table}")});
    desk.run("ingest", with).await;
}

fn of(table: &str) -> Value {
    json!({"from": format!("bronze.{table}"), "into": format!("silver.{table}"), "rules": "rules"})
}

const BILLS: &str = "id,town,cost,day\n 1 ,paris,12.50 €,2026-01-01\n2,Rome ,7,2026-01-02\n1,PARIS,12.50,2026-01-01\n\
    2,Rome,8,2026-01-02\nx,Oslo,1.234,2026-02-30\n,rome,1,2026-01-03\n3,,,\n";
const CLEAN: &str = "SELECT id, town, cost, day, _line FROM silver.bills ORDER BY id";
const REJECTED: &str =
    "SELECT _line, reasons, rules, record FROM silver.bills_quarantine ORDER BY _line";

#[tokio::test]
async fn what_passes_is_typed_and_what_does_not_is_rejected_with_all_reasons() {
    let desk = desk();
    desk.write("bills.csv", BILLS);
    land(&desk, "bills").await;
    land(&desk, "towns").await;
    desk.run("clean", of("towns")).await;
    let outcome = desk.run("clean", of("bills")).await;
    assert_eq!(outcome.counts, counts([3, 0, 0, 1, 3]));
    assert!(outcome.counts.balances());
    let rows = desk.rows(CLEAN).await;
    assert_eq!(
        rows,
        [
            "1,PARIS,12.50,2026-01-01,2",
            "2,ROME,7.00,2026-01-02,3",
            "3,,,,8"
        ]
    );
    let types =
        "SELECT DISTINCT arrow_typeof(id), arrow_typeof(cost), arrow_typeof(day) FROM silver.bills";
    assert_eq!(
        desk.rows(types).await,
        ["Int64,\"Decimal128(38, 2)\",Date32"]
    );
    let rejected = desk.rows(REJECTED).await;
    assert_eq!(rejected.len(), 3, "{rejected:?}");
    assert!(rejected[0].contains("number comes twice"), "{rejected:?}");
    for reason in ["bad_number", "bad_date", "town is unknown", "cost: "] {
        assert!(rejected[1].contains(reason), "{reason} in {rejected:?}");
    }
    assert!(
        rejected[1].contains("rules/dq_rule_config.csv:3"),
        "{rejected:?}"
    );
    assert!(rejected[2].contains("number is missing"), "{rejected:?}");
    let kept = desk
        .test
        .home()
        .join("state/lake/clinic/.rules/silver.bills.json");
    let kept: Value = serde_json::from_slice(&std::fs::read(kept).expect("kept")).expect("JSON");
    let unique = kept[0]["rules"].as_array().expect("rules");
    let unique = unique
        .iter()
        .find(|rule| rule["kind"] == "UNIQUE")
        .expect("a rule");
    assert_eq!(
        (&unique["failed"], &unique["status"]),
        (&json!(1), &json!("fail"))
    );
    // once more: the same tables, and one entry for the run
    let again = desk.run("clean", of("bills")).await;
    assert_eq!(again.counts, counts([0, 0, 3, 1, 3]));
    assert_eq!(desk.rows(CLEAN).await, rows);
    assert_eq!(desk.rows(REJECTED).await, rejected);
    let kept = desk
        .test
        .home()
        .join("state/lake/clinic/.rules/silver.bills.json");
    let kept: Value = serde_json::from_slice(&std::fs::read(kept).expect("kept")).expect("JSON");
    assert_eq!(kept.as_array().map(Vec::len), Some(1));
    // no value of a record in the log
    assert!(desk.logged("Oslo").is_empty());
}

#[tokio::test]
async fn a_relationship_holds_whatever_the_type_of_the_column() {
    let mut desk = desk();
    let types = [
        ("seen", "timestamp"),
        ("height", "float"),
        ("fee", "decimal(2)"),
        ("day", "date"),
        ("open", "boolean"),
    ];
    let names = types.map(|(name, _)| name).join(",");
    let (mut cleansing, mut quality) = (String::new(), String::new());
    for (name, cast) in types {
        for table in ["visits", "places"] {
            cleansing += &format!("{table},{name},cast:{cast},1,Y\n");
        }
        quality += &format!("visits,{name},RELATIONSHIP,places({name}),{name} is unknown,Y\n");
    }
    for (file, like, rules) in [
        ("rules/cleansing_rules.csv", CLEANSING, cleansing),
        ("rules/dq_rule_config.csv", QUALITY, quality),
    ] {
        let header = like.lines().next().expect("a header");
        desk.file(file, &format!("{header}\n{rules}"));
    }
    let rows = "2026-01-01T10:00:00Z,2.0,7.50,2026-01-01,true\n\
                2026-01-01T10:00:00.25Z,1e300,7,2026-01-02,false\n";
    for table in ["places", "visits"] {
        desk.write(&format!("{table}.csv"), format!("{names}\n{rows}"));
        land(&desk, table).await;
        let outcome = desk.run("clean", of(table)).await;
        assert_eq!(outcome.counts, counts([2, 0, 0, 0, 0]), "{table}");
    }
}

#[tokio::test]
async fn a_kill_leaves_the_old_table_and_the_next_try_makes_the_new_one() {
    let desk = desk();
    desk.write("towns.csv", "name\nParis\n");
    land(&desk, "towns").await;
    desk.run("clean", of("towns")).await;
    let more: String = (0..30_000).map(|n| format!("t{n}\n")).collect();
    desk.write("towns2.csv", format!("name\n{more}"));
    land(&desk, "towns").await;
    const NUMBER: &str = "SELECT count(*), count(DISTINCT name) FROM silver.towns";
    let mut cut = 0;
    for polls in [1, 4, 9, 16, 30, 60] {
        if cut_off(desk.attempt("clean", of("towns")), polls)
            .await
            .is_some()
        {
            break;
        }
        cut += 1;
        let rows = desk.rows(NUMBER).await;
        assert!(
            ["1,1", "30001,30001"].contains(&rows[0].as_str()),
            "{rows:?}"
        );
    }
    assert!(cut > 1, "cut off {cut} times");
    let outcome = desk.run("clean", of("towns")).await;
    let told = outcome.counts;
    assert_eq!(told.inserted + told.unchanged, 30_001, "{told}");
    assert_eq!(desk.rows(NUMBER).await, ["30001,30001"]);
}

#[tokio::test]
async fn of_rows_with_one_key_the_later_delivery_stays() {
    let mut desk = desk();
    desk.file(
        "keyed/main_pipeline_config.csv",
        "layer,job_typ,source,target,catalog_name,schema_name,ref_table,seq_no,is_active\n\
         silver,cleanse,towns,c_towns,c,s,cleansing_rules,1,Y\nsilver,stage,c_towns,s_towns,c,s,name,1,Y\n",
    );
    desk.file(
        "keyed/cleansing_rules.csv",
        "table_name,column_name,cleanse_type,seq_no,is_active\ntowns,name,trim,1,Y\n",
    );
    desk.write(
        "towns.csv",
        "name,size\nParis,1\nRome,2\nParis,3\n,4\n,5\nRome,2\n",
    );
    land(&desk, "towns").await;
    let with = json!({"from": "bronze.towns", "into": "silver.towns", "rules": "keyed"});
    let outcome = desk.run("clean", with).await;
    assert_eq!(outcome.counts, counts([4, 1, 0, 1, 0]));
    let rows = "SELECT name, size FROM silver.towns ORDER BY size";
    assert_eq!(desk.rows(rows).await, ["Rome,2", "Paris,3", ",4", ",5"]);
}

const DAG: &str = "dag_id: sample\ntasks:\n\
    - {task_id: land, operator: ingest, with: {source: {csv: bills.csv}, into: bronze.bills}}\n\
    - {task_id: clean, operator: clean, depends_on: [land], with: {from: bronze.bills, into: silver.bills, rules: rules}}\n\
    - {task_id: build, operator: models, depends_on: [clean]}\n";
const DESCRIBED: &str =
    "sources:\n- name: bronze.bills\n  columns: [{name: id}, {name: cost}, {name: town}]\n";

/// The problems of a DAG with these files.
fn problems(files: &[(&str, &str)]) -> Vec<String> {
    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path().join("sample");
    for (path, text) in files {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
    match load_folder(&folder, &Operators::all(), None) {
        Ok(_) => Vec::new(),
        Err(broken) => broken.problems.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn mistakes_are_found_before_anything_ran() {
    let rules = "table_name,column_name,cleanse_type,seq_no,is_active\nbills,cost,money:EUR,1,Y\n";
    let sound = [
        ("dag.yaml", DAG),
        ("models/models.yaml", DESCRIBED),
        ("rules/cleansing_rules.csv", rules),
        (
            "models/gold/costs.sql",
            "SELECT town, sum(cost) AS cost, min(_line) AS line FROM silver.bills GROUP BY town",
        ),
    ];
    assert_eq!(problems(&sound), [""; 0]);
    let with = |path: &str, text: &'static str| {
        let mut files = sound.to_vec();
        for file in files.iter_mut().filter(|file| file.0 == path) {
            file.1 = text;
        }
        problems(&files).join("\n")
    };
    let found = with(
        "rules/cleansing_rules.csv",
        "table_name,column_name,cleanse_type,seq_no,is_active\nbills,cots,money:EUR,1,Y\n",
    );
    assert!(
        found.contains("sample/rules/cleansing_rules.csv:2: table `bills` has no column `cots`\n  hint: did you mean `cost`?"),
        "{found}"
    );
    let found = with(
        "rules/cleansing_rules.csv",
        "table_name,column_name,cleanse_type,seq_no,is_active\nbill,cost,money:EUR,1,Y\n",
    );
    assert!(found.contains("unknown table `bill`"), "{found}");
    let found = with(
        "models/gold/costs.sql",
        "SELECT town, sum(costs) AS cost FROM silver.bills GROUP BY town",
    );
    assert!(
        found.contains(
            "sample/models/gold/costs.sql:1:18: no column `costs`\n  hint: did you mean `cost`?"
        ),
        "{found}"
    );
    let unordered: &'static str = "dag_id: sample\ntasks:\n\
        - {task_id: land, operator: ingest, with: {source: {csv: bills.csv}, into: bronze.bills}}\n\
        - {task_id: clean, operator: clean, with: {from: bronze.bills, into: silver.bills, rules: rules}}\n\
        - {task_id: build, operator: models, depends_on: [land]}\n";
    let found = with("dag.yaml", unordered);
    assert!(
        found.contains("task `clean` reads `bronze.bills`, which task `land` writes, and does not wait for it\n  hint: add `land` to its `depends_on`"),
        "{found}"
    );
    assert!(
        found.contains("task `build` reads `silver.bills`"),
        "{found}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_runs_at_once_wait_for_each_other() {
    let desk = desk();
    land(&desk, "towns").await;
    let other = Desk::beside(&desk);
    let both = async {
        tokio::join!(
            desk.run("clean", of("towns")),
            other.run("clean", of("towns"))
        )
    };
    let both = tokio::time::timeout(std::time::Duration::from_secs(60), both).await;
    let (one, two) = both.expect("no deadlock");
    let mut both = [one.counts, two.counts];
    both.sort_by_key(|counts| counts.unchanged);
    let expected = [counts([2, 0, 0, 0, 0]), counts([0, 0, 2, 0, 0])];
    assert_eq!(both, expected);
}

#[tokio::test]
async fn what_is_delivered_meanwhile_is_for_the_next_run() {
    let desk = desk();
    land(&desk, "towns").await;
    desk.run("clean", of("towns")).await;
    let deliver = async |number: u32| {
        let rows = (0..50).map(|id| format!("{id},Rome,1,2026-01-01\n"));
        let text = format!("id,town,cost,day\n{}", rows.collect::<String>());
        // the same records in another file
        let blanks = "\n".repeat(number as usize);
        desk.write(&format!("bills{number}.csv"), &(text + &blanks));
        land(&desk, "bills").await;
    };
    deliver(0).await;
    let delivered = std::cell::Cell::new(false);
    let deliveries = async {
        for number in 1..15 {
            deliver(number).await;
        }
        delivered.set(true);
    };
    let cleanings = async {
        while !delivered.get() {
            desk.run("clean", of("bills")).await;
            let found = desk
                .rows("SELECT count(*), count(DISTINCT id) FROM silver.bills")
                .await;
            assert_eq!(found, ["50,50"]);
        }
    };
    tokio::join!(deliveries, cleanings);
    let last = desk.run("clean", of("bills")).await.counts;
    let kept = last.inserted + last.unchanged;
    assert_eq!((kept, last.duplicate), (50, 700), "{last}");
}

/// Versions and Parquet files of a table.
fn kept(desk: &Desk, table: &str) -> [usize; 2] {
    let folder = desk.test.home().join("state/lake/clinic").join(table);
    ["_delta_log/*.json", "*.parquet"].map(|pattern| {
        let pattern = format!("{}/{pattern}", folder.display());
        glob::glob(&pattern).expect("a pattern").count()
    })
}

#[tokio::test]
async fn nothing_is_written_again_while_records_and_rules_are_as_they_were() {
    let mut desk = desk();
    desk.write("bills.csv", BILLS);
    land(&desk, "bills").await;
    land(&desk, "towns").await;
    desk.run("clean", of("towns")).await;
    let first = desk.run("clean", of("bills")).await;
    for run in ["clinic__manual__2", "clinic__manual__3"] {
        desk.run_id = run.to_owned();
        let again = desk.run("clean", of("bills")).await;
        assert_eq!(again.counts, counts([0, 0, 3, 1, 3]));
        assert_eq!(again.outputs, first.outputs);
    }
    assert_eq!(kept(&desk, "silver/bills"), [1, 1]);
    // what a rule refers to is among what decides
    desk.write("towns2.csv", "name\nOslo\n");
    land(&desk, "towns").await;
    desk.run("clean", of("towns")).await;
    let more = desk.run("clean", of("bills")).await;
    assert_eq!(more.counts, counts([3, 0, 0, 1, 3]));
    assert_eq!(kept(&desk, "silver/bills"), [2, 2]);
    // and so is a rule table; a rule about time asks each time
    let fresh = format!("{QUALITY}bills,day,FRESHNESS,24h,bills are new,Y\n");
    desk.file("rules/dq_rule_config.csv", &fresh);
    for versions in [3, 4] {
        desk.run("clean", of("bills")).await;
        assert_eq!(kept(&desk, "silver/bills")[0], versions);
    }
    desk.file("rules/dq_rule_config.csv", QUALITY);
    let mut tidy = of("bills");
    tidy["vacuum"] = json!("0s");
    desk.run("clean", tidy.clone()).await;
    assert_eq!(kept(&desk, "silver/bills")[1], 1);
    assert_eq!(kept(&desk, "silver/bills_quarantine")[1], 1);
    assert_eq!(desk.rows(CLEAN).await.len(), 3);
    let again = desk.run("clean", tidy).await;
    assert_eq!(again.counts.unchanged, 3);
}
