//! What an incremental build writes, and what it leaves alone.

use std::collections::BTreeSet;

use galen::base::Counts;

use super::house::House;
use crate::support::{TestDatabase, counts};

const TABLES: &str = "CREATE TABLE IF NOT EXISTS visits (id BIGINT PRIMARY KEY, code TEXT, day DATE, at TIMESTAMPTZ, cost DOUBLE PRECISION);";
const ALL: &str = "SELECT id, code, CAST(day AS VARCHAR), cost FROM core.visits ORDER BY id";

async fn house(header: &str, columns: &str) -> House {
    let mut house = House::new(TestDatabase::sqlite(), TABLES);
    house
        .sql("INSERT INTO visits (id, code, day, at, cost) VALUES (1, 'b 1', '2026-01-01', '2026-01-01T08:00:00.000001Z', 1), (2, 'a 1', '2026-01-01', '2026-01-01T09:00:00Z', 2),
            (3, 'c 1', NULL, '2026-01-02T08:00:00.999999Z', 3)")
        .await;
    header_of(&mut house, header, columns);
    let first = house.build("core.visits", 1).await;
    assert_eq!(first.counts, counts([3, 0, 0, 0, 0]));
    house
}

fn header_of(house: &mut House, header: &str, columns: &str) {
    let text =
        format!("-- {{materialized: incremental, {header}}}\nSELECT {columns} FROM op.visits");
    house.file("core/visits.sql", &text);
}

/// What the newest commit of the table was, and the files it took away.
fn newest(house: &House) -> (String, usize) {
    let place = house.warehouse().lake().place("core", "visits");
    let mut commits: Vec<_> = glob::glob(&format!("{place}/_delta_log/*.json"))
        .expect("a pattern")
        .flatten()
        .collect();
    commits.sort();
    let text = std::fs::read_to_string(commits.last().expect("a commit")).expect("text");
    let actions: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("an action"))
        .collect();
    let operation = actions
        .iter()
        .find_map(|a| a["commitInfo"]["operation"].as_str());
    let removed = actions.iter().filter(|a| a.get("remove").is_some()).count();
    (operation.expect("a name").to_owned(), removed)
}

async fn build(house: &House) -> (Counts, (String, usize)) {
    let built = house.build("core.visits", 2).await;
    (built.counts, newest(house))
}

fn wrote(operation: &str, removed: usize) -> (String, usize) {
    (operation.to_owned(), removed)
}

const COLUMNS: &str = "id, code, day, at, cost";

#[tokio::test]
async fn rows_with_new_keys_are_added_and_no_file_is_touched() {
    for key in [
        "id",
        "code",
        "[code, at]",
        "at",
        "[id, code], partition_by: code",
    ] {
        let house = house(&format!("unique_key: {key}"), COLUMNS).await;
        house
            .sql("INSERT INTO visits (id, code, day, at, cost) VALUES (0, 'a 0', '2026-01-03', '2026-01-03T08:00:00Z', 0), (4, 'd 1', '2025-12-31', '2025-12-31T08:00:00Z', 4)")
            .await;
        let (counted, newest) = build(&house).await;
        assert_eq!(
            (counted, newest),
            (counts([2, 0, 3, 0, 0]), wrote("WRITE", 0)),
            "{key}"
        );
        let rows = house.rows(ALL).await;
        assert_eq!(
            rows,
            [
                "0,a 0,2026-01-03,0.0",
                "1,b 1,2026-01-01,1.0",
                "2,a 1,2026-01-01,2.0",
                "3,c 1,,3.0",
                "4,d 1,2025-12-31,4.0"
            ],
            "{key}"
        );
        // nothing new: nothing is written
        let again = house.build("core.visits", 3).await;
        assert_eq!(
            (again.counts, again.version),
            (counts([0, 0, 5, 0, 0]), Some(1)),
            "{key}"
        );
    }
}

#[tokio::test]
async fn rows_that_changed_are_merged_with_those_that_are_new() {
    let headers = [
        "unique_key: id",
        "unique_key: code",
        "unique_key: [at, id]",
        "unique_key: id, since: at",
        // a null among the values says nothing of where rows are
        "unique_key: id, since: day",
        "unique_key: [code, id], partition_by: code",
        "unique_key: id, partition_by: [code, day]",
    ];
    for header in headers {
        let house = house(header, COLUMNS).await;
        house
            .sql("INSERT INTO visits (id, code, day, at, cost) VALUES (4, 'd 1', '2025-12-31', '2025-12-31T08:00:00Z', 4);
                UPDATE visits SET cost = 30 WHERE id = 3; UPDATE visits SET cost = NULL WHERE id = 1")
            .await;
        let (counted, (operation, _)) = build(&house).await;
        assert_eq!(
            (counted, operation.as_str()),
            (counts([1, 2, 1, 0, 0]), "MERGE"),
            "{header}"
        );
        let rows = house.rows(ALL).await;
        assert_eq!(
            rows,
            [
                "1,b 1,2026-01-01,",
                "2,a 1,2026-01-01,2.0",
                "3,c 1,,30.0",
                "4,d 1,2025-12-31,4.0"
            ],
            "{header}"
        );
    }
}

#[tokio::test]
async fn only_files_with_rows_that_changed_are_written_anew() {
    let house = house("unique_key: id, partition_by: code", COLUMNS).await;
    assert_eq!(house.files("core", "visits"), 3);
    house
        .sql("INSERT INTO visits (id, code) VALUES (9, 'z 1'); UPDATE visits SET cost = 20 WHERE id = 2")
        .await;
    let (counted, newest) = build(&house).await;
    assert_eq!(
        (counted, newest),
        (counts([1, 1, 2, 0, 0]), wrote("MERGE", 1))
    );
}

#[tokio::test]
async fn files_in_folders_with_blanks_in_their_names_are_cleared_away() {
    let mut house = house("unique_key: id, partition_by: code", COLUMNS).await;
    house.sql("UPDATE visits SET cost = 20 WHERE id = 2").await;
    header_of(
        &mut house,
        "unique_key: id, partition_by: code, vacuum: 0s",
        COLUMNS,
    );
    house.build("core.visits", 2).await;
    assert_eq!(house.files("core", "visits"), 3);
}

#[tokio::test]
async fn columns_are_known_by_their_names() {
    let mut house = house("unique_key: id", COLUMNS).await;
    house
        .sql("INSERT INTO visits (id, code, cost) VALUES (4, 'd', 4)")
        .await;
    header_of(&mut house, "unique_key: id", "cost, at, day, code, id");
    let (counted, newest) = build(&house).await;
    assert_eq!(
        (counted, newest),
        (counts([1, 0, 3, 0, 0]), wrote("WRITE", 0))
    );
    let known: BTreeSet<String> = house.rows(ALL).await.into_iter().collect();
    assert!(known.contains("4,d,,4.0"), "{known:?}");
}

#[tokio::test]
async fn rows_are_laid_out_when_the_run_that_wrote_them_did_not_come_to_it() {
    let mut house = house("unique_key: id", COLUMNS).await;
    let asked = "unique_key: id, zorder_by: [day, code]";
    header_of(&mut house, asked, COLUMNS);
    // as a run leaves it that was cut off after its commit of rows
    let (counted, newest) = build(&house).await;
    assert_eq!(
        (counted, newest.0.as_str()),
        (counts([0, 0, 3, 0, 0]), "OPTIMIZE")
    );
    let version = house.build("core.visits", 3).await.version;
    assert_eq!(version, Some(1), "once is enough");
    header_of(&mut house, "unique_key: id, zorder_by: cost", COLUMNS);
    house.build("core.visits", 3).await;
    assert_eq!(
        house.build("core.visits", 3).await.version,
        Some(2),
        "in another order"
    );
}
