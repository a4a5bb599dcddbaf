//! Joins that lose rows are found whether or not it was asked before if one table covers another.

use galen::lake::DeadEnd;

use super::house::House;
use crate::support::TestDatabase;

const TABLES: &str = "CREATE TABLE IF NOT EXISTS visits (id bigint PRIMARY KEY, person text);\n\
    CREATE TABLE IF NOT EXISTS people (person text PRIMARY KEY, town text, parent text);\n\
    CREATE TABLE IF NOT EXISTS towns (town text PRIMARY KEY, name text);\n";
const CHAIN: &str = "SELECT v.id, t.name FROM silver.visits v JOIN silver.people p ON p.person = v.person \
    JOIN silver.towns t ON t.town = p.town";

/// Every visit has a person, every person a town and a parent.
async fn house() -> House {
    let mut house = House::new(TestDatabase::sqlite(), TABLES);
    house
        .sql(
            "INSERT INTO visits (id, person) VALUES (1, 'a'), (2, 'a'), (3, 'b');
             INSERT INTO people (person, town, parent) VALUES ('a', 'x', 'b'), ('b', 'y', 'a');
             INSERT INTO towns (town, name) VALUES ('x', 'Xanten'), ('y', 'Ypern');",
        )
        .await;
    for table in ["visits", "people", "towns"] {
        house.file(
            &format!("silver/{table}.sql"),
            &format!("SELECT * FROM op.{table}"),
        );
    }
    house
}

async fn silver(house: &House) {
    for table in ["visits", "people", "towns"] {
        house.build(&format!("silver.{table}"), 1).await;
    }
}

/// Rows lost by each join of `gold.joined`, the last join first.
async fn lost(house: &House) -> Vec<u64> {
    let dead_ends = house.build("gold.joined", 1).await.dead_ends;
    let lost = dead_ends.iter().map(|dead_end| match dead_end {
        DeadEnd::Join { lost, .. } => *lost,
        DeadEnd::Empty => panic!("no rows"),
    });
    lost.collect()
}

#[tokio::test]
async fn a_table_that_changed_is_asked_again() {
    let mut house = house().await;
    house.file("gold/joined.sql", CHAIN);
    silver(&house).await;
    assert_eq!(lost(&house).await, Vec::<u64>::new());
    house.sql("DELETE FROM towns WHERE town = 'x'").await;
    silver(&house).await;
    assert_eq!(lost(&house).await, [2], "two visits of one person");
    house.sql("DELETE FROM people WHERE person = 'b'").await;
    silver(&house).await;
    house.file("gold/joined.sql", &format!("{CHAIN}\n-- anew"));
    house
        .sql("INSERT INTO towns (town, name) VALUES ('x', 'Xanten')")
        .await;
    silver(&house).await;
    assert_eq!(lost(&house).await, [1], "the visit of the other");
}

#[tokio::test]
async fn a_row_that_a_left_join_did_not_find_is_lost_by_the_next() {
    let mut house = house().await;
    house
        .sql("INSERT INTO visits (id, person) VALUES (4, 'nobody')")
        .await;
    // every person has a town, and yet a visit without a person has none
    house.file(
        "gold/towns.sql",
        "SELECT p.person, t.name FROM silver.people p JOIN silver.towns t ON t.town = p.town",
    );
    house.file("gold/joined.sql", &CHAIN.replacen("JOIN", "LEFT JOIN", 1));
    silver(&house).await;
    assert_eq!(house.build("gold.towns", 1).await.dead_ends, []);
    assert_eq!(lost(&house).await, [1]);
}

#[tokio::test]
async fn a_table_joined_twice_is_two_tables() {
    let mut house = house().await;
    // each column finds its equal somewhere, but no row has both
    house.file(
        "gold/joined.sql",
        "SELECT a.person FROM silver.people a JOIN silver.people b ON b.person = a.parent \
         JOIN silver.people c ON c.person = a.person AND c.town = b.town",
    );
    house.file("gold/same.sql", "SELECT a.person FROM silver.people a JOIN silver.people c ON c.person = a.person AND c.town = a.town");
    silver(&house).await;
    assert_eq!(house.build("gold.same", 1).await.dead_ends, []);
    let dead_ends = house.build("gold.joined", 1).await.dead_ends;
    assert!(
        matches!(
            dead_ends[..],
            [DeadEnd::Join { lost: 2, of: 2, .. }, DeadEnd::Empty]
                | [DeadEnd::Empty, DeadEnd::Join { lost: 2, of: 2, .. }]
        ),
        "{dead_ends:?}"
    );
}

#[tokio::test]
async fn a_summed_table_has_no_other_values_than_the_table() {
    let mut house = house().await;
    let of = |with: &str| {
        format!(
            "WITH counted AS (SELECT v.person, count(*) AS visits FROM silver.visits v GROUP BY v.person ORDER BY 2 LIMIT 2), \
             twice AS (SELECT a.person, b.town FROM silver.people a JOIN silver.people b ON b.person = a.parent) {with}"
        )
    };
    house.file(
        "gold/joined.sql",
        &of("SELECT c.visits, p.town FROM counted c JOIN silver.people p ON p.person = c.person"),
    );
    // each column finds its equal somewhere, but no person has both
    house.file("gold/pairs.sql", &of("SELECT t.person FROM twice t JOIN silver.people p ON p.person = t.person AND p.town = t.town"));
    silver(&house).await;
    assert_eq!(lost(&house).await, Vec::<u64>::new());
    let dead_ends = house.build("gold.pairs", 1).await.dead_ends;
    let two = |dead_end: &DeadEnd| matches!(dead_end, DeadEnd::Join { lost: 2, of: 2, .. });
    assert!(dead_ends.iter().any(two), "{dead_ends:?}");
    house.sql("DELETE FROM people WHERE person = 'b'").await;
    silver(&house).await;
    assert_eq!(lost(&house).await, [1], "the one who is gone");
}
