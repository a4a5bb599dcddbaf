//! A row of a model followed back to the rows that it was made of.

use galen::lake::{RowKey, RowTrace};

use super::house::House;
use crate::support::TestDatabase;

const TABLES: &str =
    "CREATE TABLE IF NOT EXISTS visits (id BIGINT PRIMARY KEY, person TEXT, ward TEXT, cost DOUBLE PRECISION);
    CREATE TABLE IF NOT EXISTS people (person TEXT PRIMARY KEY, town TEXT);
    CREATE TABLE IF NOT EXISTS wards (ward TEXT PRIMARY KEY, beds BIGINT);";

async fn house(models: &[(&str, &str)]) -> House {
    let mut house = House::new(TestDatabase::sqlite(), TABLES);
    house
        .sql("INSERT INTO visits (id, person, ward, cost) VALUES (1, 'a', 'x', 10), (2, 'b', 'x', 20), (3, 'a', 'y', 30), (4, 'c', NULL, 45), (5, 'c', 'x', 10);
            INSERT INTO people (person, town) VALUES ('a', 'Rome'), ('b', 'Rome'), ('c', 'Oslo'), ('d', 'Oslo');
            INSERT INTO wards (ward, beds) VALUES ('x', 3), ('y', 5), ('z', 7);")
        .await;
    for (path, sql) in models {
        house.file(path, sql);
    }
    for (path, _) in models {
        let name = path.trim_end_matches(".sql").replace('/', ".");
        house.build(&name, 1).await;
    }
    house
}

async fn trace(house: &House, table: &str, key: &[(&str, &str)]) -> RowTrace {
    let key = key
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let key = RowKey::Columns(key.collect());
    house
        .warehouse()
        .trace(table, &key, 10)
        .await
        .unwrap_or_else(|error| panic!("{table}: {error:?}"))
}

/// The tables on the way with their rows, `?` where those cannot be told.
fn steps(trace: &RowTrace) -> String {
    let steps = trace.steps.iter().map(|step| {
        let rows = step.rows.map_or("?".to_owned(), |rows| rows.to_string());
        format!("{}={rows}", step.table)
    });
    steps.collect::<Vec<String>>().join(" ")
}

/// The same by name.
fn sorted(trace: &RowTrace) -> String {
    let text = steps(trace);
    let mut steps: Vec<&str> = text.split(' ').collect();
    steps.sort_unstable();
    steps.join(" ")
}

/// A query, what names a row of it, and the tables with the rows that had a part.
type Case = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
);

#[tokio::test]
async fn only_rows_that_had_a_part_are_told_whatever_the_query_does() {
    let cases: &[Case] = &[
        (
            "SELECT id, cost * 2 AS twice FROM op.visits WHERE cost > 15",
            &[("id", "3")],
            "op.visits=1",
        ),
        (
            "SELECT ward, sum(cost) AS cost FROM op.visits GROUP BY ward",
            &[("ward", "x")],
            "op.visits=3",
        ),
        // a value that is null groups too, and is found by another column
        (
            "SELECT ward, sum(cost) AS cost FROM op.visits GROUP BY ward",
            &[("cost", "45")],
            "op.visits=1",
        ),
        (
            "SELECT count(*) AS n, max(cost) AS most FROM op.visits",
            &[("n", "5")],
            "op.visits=5",
        ),
        (
            "SELECT p.town, count(*) AS n FROM op.visits v JOIN op.people p ON p.person = v.person GROUP BY p.town HAVING count(*) > 1",
            &[("town", "Rome")],
            "op.people=2 op.visits=3",
        ),
        (
            "SELECT p.person, v.id FROM op.people p LEFT JOIN op.visits v ON v.person = p.person",
            &[("person", "d")],
            "op.people=1 op.visits=0",
        ),
        (
            "SELECT p.person, v.id FROM op.people p FULL JOIN op.visits v USING (person) ORDER BY 1",
            &[("person", "a")],
            "op.people=1 op.visits=2",
        ),
        // top n, numbering, and each of several branches
        (
            "SELECT id, cost FROM op.visits ORDER BY cost DESC, id LIMIT 2",
            &[("id", "3")],
            "op.visits=1",
        ),
        (
            "SELECT id, row_number() OVER (PARTITION BY person ORDER BY id) AS nth FROM op.visits",
            &[("nth", "2")],
            "op.visits=2",
        ),
        (
            "WITH it AS (SELECT id, ward AS name FROM op.visits UNION ALL SELECT beds, ward FROM op.wards) SELECT DISTINCT name FROM it",
            &[("name", "x")],
            "op.visits=3 op.wards=1",
        ),
        (
            "SELECT id, u FROM (SELECT id, unnest(make_array(person, ward)) AS u FROM op.visits) WHERE u IS NOT NULL",
            &[("u", "x")],
            "op.visits=3",
        ),
        (
            "SELECT a.id, b.id AS other FROM op.visits a JOIN op.visits b ON a.person = b.person",
            &[("id", "1"), ("other", "3")],
            "op.visits=2",
        ),
        (
            "SELECT p.town, v.ward, count(*) AS n FROM op.visits v JOIN op.people p ON p.person = v.person GROUP BY ROLLUP (p.town, v.ward)",
            &[("n", "3")],
            "op.people=2 op.visits=3",
        ),
        // which rows of a subquery decide cannot be told
        (
            "SELECT id FROM op.visits WHERE person IN (SELECT person FROM op.people WHERE town = 'Rome') AND cost < (SELECT max(beds) * 5 FROM op.wards)",
            &[("id", "1")],
            "op.visits=1 op.people=? op.wards=?",
        ),
    ];
    for (sql, key, expected) in cases {
        let house = house(&[(
            "gold/it.sql",
            &format!("-- {{allow_empty: true, drops: true}}\n{sql}"),
        )])
        .await;
        let found = trace(&house, "gold.it", key).await;
        assert_eq!(
            steps(&found),
            format!("gold.it={} {expected}", found.steps[0].rows.expect("rows")),
            "{sql}"
        );
    }
}

#[tokio::test]
async fn rows_are_followed_from_model_to_model_and_each_counts_once() {
    let mut house = house(&[
        ("silver/visits.sql", "-- {materialized: incremental, unique_key: id, since: id}\nSELECT id, person, ward, cost FROM op.visits WHERE id > {{ since }}"),
        ("silver/shown.sql", "-- materialized: view\nSELECT * FROM silver.visits WHERE ward IS NOT NULL"),
        ("core/people.sql", "-- {materialized: scd2, unique_key: person}\nSELECT person, town FROM op.people"),
        ("core/wards.sql", "SELECT ward, count(*) AS n, sum(cost) AS cost FROM silver.shown GROUP BY ward"),
        (
            "gold/towns.sql",
            "-- {unique_key: [town, ward], drops: true}\nSELECT p.town, s.ward, count(*) AS n, max(w.cost) AS of_all FROM silver.shown s
             JOIN core.people p ON p.person = s.person AND p.is_current JOIN core.wards w ON w.ward = s.ward GROUP BY p.town, s.ward",
        ),
    ])
    .await;
    let found = trace(&house, "gold.towns", &[("town", "Oslo"), ("ward", "x")]).await;
    // one visit is of the town itself; all three of the ward made its sum
    assert_eq!(
        sorted(&found),
        "core.people=1 core.wards=1 gold.towns=1 op.people=1 op.visits=3 silver.visits=3"
    );
    assert_eq!(
        found.steps[0].model.as_deref(),
        Some("models/gold/towns.sql")
    );
    assert_eq!(found.sources[1].unknown, 3, "a statement wrote these");
    let warehouse = house.warehouse();
    let key = RowKey::Text("Oslo/x".to_owned());
    let same = warehouse
        .trace("gold.towns", &key, 10)
        .await
        .expect("traced");
    assert_eq!(same, found);

    for (table, key, expected) in [
        (
            "gold.towns",
            "Oslo",
            "the key of table `gold.towns` has 2 parts",
        ),
        (
            "gold.towns",
            "Oslo/q",
            "table `gold.towns` has no row with this key",
        ),
        ("silver.shown", "1", "table `silver.shown` has no key"),
        ("gold.town", "1", "no table `gold.town`"),
    ] {
        let key = RowKey::Text(key.to_owned());
        let error = warehouse.trace(table, &key, 10).await.expect_err(table);
        assert_eq!(error.to_string(), expected);
    }
    let typo = RowKey::Columns(vec![("twon".to_owned(), "Oslo".to_owned())]);
    let error = warehouse
        .trace("gold.towns", &typo, 10)
        .await
        .expect_err("a typo");
    assert_eq!(error.hint_text(), Some("did you mean `town`?"));

    // a test that a column is unique makes it a key; a row whose sources are gone is told as such
    house.file(
        "models.yaml",
        "models:\n- name: wards\n  columns: [{name: ward, tests: [unique]}]\n",
    );
    house.sql("DELETE FROM visits WHERE ward = 'y'").await;
    let key = RowKey::Text("y".to_owned());
    let found = house.warehouse().trace("core.wards", &key, 10).await;
    assert_eq!(
        steps(&found.expect("traced")),
        "core.wards=1 silver.visits=1 op.visits=0"
    );
}
