//! Each way of keeping a model.

use galen::base::Counts;
use galen::lake::{At, DeadEnd, Format, Request, TestStatus};

use super::house::{House, request};
use crate::support::{TestDatabase, counts};

const TABLES: &str = "CREATE TABLE IF NOT EXISTS visits (id BIGINT PRIMARY KEY, person TEXT, day DATE, cost DOUBLE PRECISION, seen_at TIMESTAMPTZ);
    CREATE TABLE IF NOT EXISTS people (person TEXT PRIMARY KEY, name TEXT);";

async fn house() -> House {
    let house = House::new(TestDatabase::sqlite(), TABLES);
    house
        .sql("INSERT INTO visits (id, person, day, cost) VALUES (1, 'a', '2026-01-01', 10.5), (2, 'b', '2026-01-01', 20.25), (3, 'a', '2026-01-02', 1);
            INSERT INTO people (person, name) VALUES ('a', 'Ann'), ('b', 'Bob');")
        .await;
    house
}

fn inserted(rows: u64) -> Counts {
    counts([rows, 0, 0, 0, 0])
}

#[tokio::test]
async fn a_table_is_written_anew_and_money_stays_decimal() {
    let mut house = house().await;
    house.file("silver/visits.sql", "-- partition_by: day\nSELECT id, person, day, CAST(cost AS DECIMAL(12, 2)) AS cost FROM op.visits");
    house.file(
        "silver/shown.sql",
        "-- materialized: view\nSELECT day, cost FROM silver.visits WHERE cost > 5",
    );
    house.file("gold/days.sql", "-- {unique_key: day, zorder_by: day, vacuum: 0s}\nSELECT day, sum(cost) AS cost, count(*) AS n FROM silver.shown GROUP BY day");
    assert_eq!(house.build("silver.visits", 1).await.counts, inserted(3));
    assert_eq!(house.build("silver.shown", 1).await.version, None);
    assert_eq!(house.build("gold.days", 1).await.counts, inserted(1));
    assert_eq!(
        house.rows("SELECT * FROM gold.days").await,
        ["2026-01-01,30.75,2"]
    );
    assert_eq!(
        house.rows("SELECT arrow_typeof(cost) FROM gold.days").await,
        ["\"Decimal128(22, 2)\""]
    );
    let place = house.warehouse().lake().place("silver", "visits");
    assert!(std::path::Path::new(&place).join("day=2026-01-01").is_dir());

    house
        .sql("UPDATE visits SET cost = 30.75 WHERE id = 3")
        .await;
    house.build("silver.visits", 2).await;
    house.build("gold.days", 2).await;
    assert_eq!(
        house
            .rows("SELECT day, cost FROM gold.days ORDER BY day")
            .await,
        ["2026-01-01,30.75", "2026-01-02,30.75"]
    );
    assert_eq!(
        house.files("gold", "days"),
        1,
        "vacuum leaves what is needed"
    );

    let old = house.warehouse();
    let past = old
        .query(
            "SELECT count(*) FROM silver.visits WHERE cost = 30.75",
            Some(At::Version(0)),
        )
        .await
        .expect("a version");
    let mut out = Vec::new();
    past.write(Format::Json, &mut out).await.expect("written");
    assert_eq!(
        String::from_utf8(out).expect("text"),
        "[\n{\"count(*)\":0}\n]\n"
    );
    let refused = old
        .query("SELECT * FROM op.visits", Some(At::Version(0)))
        .await
        .err()
        .expect("no past");
    assert!(refused.to_string().contains("no past"), "{refused}");
}

#[tokio::test]
async fn a_table_of_the_same_rows_is_not_made_again() {
    let mut house = house().await;
    house.file(
        "core/visits.sql",
        "-- {materialized: incremental, unique_key: id}\nSELECT id, day FROM op.visits",
    );
    house.file(
        "core/shown.sql",
        "-- materialized: view\nSELECT day FROM core.visits",
    );
    let days = "SELECT day, count(*) AS n FROM core.shown GROUP BY day";
    house.file("gold/days.sql", days);
    house.file(
        "gold/now.sql",
        "SELECT count(*) AS n, now() AS at FROM core.visits",
    );
    house.build("core.visits", 1).await;
    assert_eq!(house.build("gold.days", 1).await.counts, inserted(2));
    house.build("gold.now", 1).await;

    house.build("core.visits", 2).await;
    let again = house.build("gold.days", 2).await;
    assert_eq!(
        (again.counts, again.version, again.rows),
        (counts([0, 0, 2, 0, 0]), Some(0), 2)
    );
    // what asks for the time is never the same
    assert_eq!(house.build("gold.now", 2).await.version, Some(1));

    // other rows, another text, the old text again
    house
        .sql("INSERT INTO visits (id, day) VALUES (4, '2026-01-03')")
        .await;
    house.build("core.visits", 3).await;
    assert_eq!(house.build("gold.days", 3).await.counts, inserted(3));
    house.file("gold/days.sql", &format!("{days} HAVING count(*) > 1"));
    assert_eq!(house.build("gold.days", 3).await.counts, inserted(1));
    house.file("gold/days.sql", days);
    assert_eq!(house.build("gold.days", 3).await.counts, inserted(3));
    assert_eq!(house.build("gold.days", 3).await.version, Some(3));
    let full = Request {
        full_refresh: true,
        ..request(3)
    };
    let full = house.warehouse().build("gold.days", full).await;
    assert_eq!(full.expect("built").version, Some(4));
}

#[tokio::test]
async fn an_incremental_model_takes_what_is_new_changed_or_late() {
    let mut house = house().await;
    house.file(
        "core/visits.sql",
        "/*\nmaterialized: incremental\nunique_key: id\nsince: day\nlookback: 1d\n*/\nSELECT id, person, day, cost FROM op.visits WHERE day >= {{ since }}",
    );
    assert_eq!(house.build("core.visits", 1).await.counts, inserted(3));
    // the same again: nothing is written
    let again = house.build("core.visits", 1).await;
    assert_eq!(
        (again.counts, again.version),
        (counts([0, 0, 3, 0, 0]), Some(0))
    );
    // one new, one changed within the lookback, one late
    house
        .sql("INSERT INTO visits (id, person, day, cost) VALUES (4, 'b', '2026-01-05', 7), (5, 'b', '2026-01-01', 8);
            UPDATE visits SET cost = 99 WHERE id = 2")
        .await;
    let next = house.build("core.visits", 2).await;
    assert_eq!(next.counts, counts([2, 1, 2, 0, 0]));
    assert_eq!(
        house
            .rows("SELECT id, cost FROM core.visits ORDER BY id")
            .await,
        ["1,10.5", "2,99.0", "3,1.0", "4,7.0", "5,8.0"]
    );
    // before the watermark, nothing is looked at; a full refresh looks at everything
    house.sql("UPDATE visits SET cost = 0 WHERE id = 1").await;
    assert_eq!(house.build("core.visits", 3).await.counts.updated, 0);
    let full = Request {
        full_refresh: true,
        ..request(3)
    };
    house
        .warehouse()
        .build("core.visits", full)
        .await
        .expect("built");
    assert_eq!(
        house
            .rows("SELECT cost FROM core.visits WHERE id = 1")
            .await,
        ["0.0"]
    );

    house.file(
        "core/visits.sql",
        "-- {materialized: incremental, unique_key: person}\nSELECT person, cost FROM op.visits",
    );
    let error = house
        .warehouse()
        .build("core.visits", full)
        .await
        .expect_err("two rows a key");
    assert!(
        error
            .to_string()
            .contains("keys (person) stand in more than one row"),
        "{error}"
    );
    assert_eq!(
        house.rows("SELECT count(*) FROM core.visits").await,
        ["5"],
        "the table is as it was"
    );
}

#[tokio::test]
async fn a_history_opens_and_closes_versions() {
    let mut house = house().await;
    house.file(
        "core/people.sql",
        "-- {materialized: scd2, unique_key: person}\nSELECT person, name FROM op.people",
    );
    let all = "SELECT person, name, valid_from, valid_to, is_current, version FROM core.people ORDER BY person, version";
    assert_eq!(house.build("core.people", 1).await.counts, inserted(2));
    let first = house.rows(all).await;
    assert_eq!(first[0], "a,Ann,2026-01-01T00:00:00.000000Z,,true,1");
    // the same again writes nothing
    let again = house.build("core.people", 2).await;
    assert_eq!(
        (again.counts, again.version),
        (counts([0, 0, 2, 0, 0]), Some(0))
    );
    house
        .sql("UPDATE people SET name = 'Anna' WHERE person = 'a'; DELETE FROM people WHERE person = 'b'; INSERT INTO people (person, name) VALUES ('c', 'Cid')")
        .await;
    let changed = house.build("core.people", 3).await;
    assert_eq!(
        (changed.counts, changed.closed),
        (counts([1, 1, 0, 0, 0]), 1)
    );
    assert_eq!(
        house.rows(all).await,
        [
            "a,Ann,2026-01-01T00:00:00.000000Z,2026-01-03T00:00:00.000000Z,false,1",
            "a,Anna,2026-01-03T00:00:00.000000Z,,true,2",
            "b,Bob,2026-01-01T00:00:00.000000Z,2026-01-03T00:00:00.000000Z,false,1",
            "c,Cid,2026-01-03T00:00:00.000000Z,,true,1",
        ]
    );
    let again = house.build("core.people", 4).await;
    assert_eq!(
        (again.counts.unchanged, again.closed, again.version),
        (2, 0, Some(1))
    );
    // back again, in the same interval: the version still starts after the one before
    house.sql("INSERT INTO people (person, name) VALUES ('b', 'Bob'); UPDATE people SET name = 'Cyd' WHERE person = 'c'").await;
    house.build("core.people", 3).await;
    let rows = house.rows(all).await;
    assert_eq!(rows[3], "b,Bob,2026-01-03T00:00:00.000000Z,,true,2");
    assert_eq!(
        rows[4],
        "c,Cid,2026-01-03T00:00:00.000000Z,2026-01-03T00:00:00.000001Z,false,1"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_larger_than_memory_finishes() {
    let mut house = house().await;
    house.memory_mb = 128;
    let side = "SELECT value AS id, repeat(CAST(value AS VARCHAR), 20) AS pad FROM generate_series(1, 900000)";
    house.file(
        "gold/wide.sql",
        &format!(
            "-- drops: true\nSELECT a.id, b.pad FROM ({side}) a JOIN ({side}) b ON a.pad = b.pad"
        ),
    );
    house.file(
        "gold/models.yaml",
        "models: [{name: gold.wide, description: Wide rows, columns: [{name: pad, description: Long texts, \
         tests: [unique, {relationships: {to: gold.wide, field: pad}}]}]}]",
    );
    assert_eq!(house.build("gold.wide", 1).await.rows, 900_000);
    let statuses: Vec<TestStatus> = house
        .test("gold.wide")
        .await
        .iter()
        .map(|t| t.status)
        .collect();
    assert_eq!(
        statuses,
        [TestStatus::Pass, TestStatus::Pass],
        "so do its tests"
    );
    let spilled = house.test.home().join("state/spill");
    let left = glob::glob(&format!("{}/**/*.arrow", spilled.display()))
        .expect("a pattern")
        .count();
    assert_eq!(left, 0, "what was spilled is gone");
}

#[tokio::test]
async fn dead_ends_are_loud() {
    let mut house = house().await;
    house.sql("DELETE FROM people WHERE person = 'a'").await;
    house.file(
        "gold/named.sql",
        "SELECT v.id, p.name FROM op.visits v JOIN op.people p ON p.person = v.person",
    );
    house.file("gold/none.sql", "SELECT id FROM op.visits WHERE id < 0");
    let named = house.build("gold.named", 1).await;
    let [
        DeadEnd::Join {
            lost: 2,
            of: 3,
            driving,
            ..
        },
    ] = &named.dead_ends[..]
    else {
        panic!("{:?}", named.dead_ends);
    };
    assert_eq!(driving, "op.visits");
    assert_eq!(
        house.build("gold.none", 1).await.dead_ends,
        [DeadEnd::Empty]
    );
    house.file("gold/named.sql", "-- drops: true\nSELECT v.id, p.name FROM op.visits v JOIN op.people p ON p.person = v.person");
    house.file(
        "gold/none.sql",
        "-- allow_empty: true\nSELECT id FROM op.visits WHERE id < 0",
    );
    for model in ["gold.named", "gold.none"] {
        assert_eq!(house.build(model, 1).await.dead_ends, []);
    }
}

#[tokio::test]
async fn every_kind_of_test_says_how_it_ended() {
    let mut house = house().await;
    house.file(
        "silver/visits.sql",
        "-- unique_key: id\nSELECT id, nullif(person, 'b') AS person, day, cost FROM op.visits",
    );
    house.file(
        "silver/none.sql",
        "-- allow_empty: true\nSELECT id FROM op.visits WHERE false",
    );
    let tests = "
models:
- name: visits
  columns:
  - name: id
    tests: [unique, {accepted_values: {values: [1, 2], max_failures: 1}}]
  - name: person
    tests: [not_null, {not_null: {name: most, max_percent: 50}}, {relationships: {to: op.people, field: person}}, {unique: {name: u, severity: warn}}]
  - name: day
    tests: [{freshness: {max_age: 1d}}]
  tests:
  - expression: {sql: 'cost >= 2'}
  - row_count: {min: 1, max: 3}
- name: none
  tests: [{expression: {sql: 'id > 0'}}, {row_count: {min: 0}}]
";
    house.file("models.yaml", tests);
    house.build("silver.visits", 1).await;
    house.build("silver.none", 1).await;
    let results = house.test("silver.visits").await;
    let shown: Vec<String> = results
        .iter()
        .map(|r| {
            format!(
                "{} {} {}/{} {:?}",
                r.test, r.status, r.counted.failed, r.counted.checked, r.counted.keys
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            "unique(id) pass 0/3 []",
            "accepted_values(id) pass_with_rows 1/3 [\"3\"]",
            "not_null(person) fail 1/3 [\"2\"]",
            "most pass_with_rows 1/3 [\"2\"]",
            "relationships(person in op.people.person) pass 0/2 []",
            "u fail 2/2 [\"1\", \"3\"]",
            "freshness(day) fail 1/1 []",
            "expression(cost >= 2) fail 1/3 [\"3\"]",
            "row_count pass 0/1 []",
        ]
    );
    let none = house.test("silver.none").await;
    assert_eq!(none[0].status, TestStatus::NotApplicable);
    assert_eq!(none[1].status, TestStatus::Pass);

    // other thresholds are judged without a look at the rows
    house.sql("DELETE FROM visits").await;
    house.file(
        "models.yaml",
        &tests.replace("'cost >= 2'", "'cost >= 2', max_failures: 1"),
    );
    let kept = house.warehouse().results().expect("results");
    let visits = kept
        .iter()
        .find(|kept| kept.model == "silver.visits")
        .expect("kept");
    let expression = visits
        .tests
        .iter()
        .find(|test| test.test.starts_with("expression"))
        .expect("a test");
    assert_eq!(expression.status, TestStatus::PassWithRows);
}
