//! Operational tables as models see them, on both databases.

use std::sync::Arc;

use super::house::House;
use crate::support::databases;

const TABLES: &str = "CREATE TABLE items (id BIGINT PRIMARY KEY, name TEXT, good BOOLEAN, weight DOUBLE PRECISION, day DATE, at TIMESTAMPTZ);";

#[tokio::test]
async fn every_type_and_filter_is_the_same_on_both_databases() {
    for test in databases().await {
        let house = House::new(test, TABLES);
        house
            .sql("INSERT INTO items (id, name, good, weight, day, at) VALUES
                (-3, 'ñ''x', true, 0.1, '1969-12-31', '2026-01-01T10:00:00+00:00'), (1, '', false, -2.5, '2026-02-28', '1960-05-05T00:00:00.000001+00:00'),
                (2, NULL, NULL, NULL, NULL, NULL)")
            .await;
        let rows = house
            .rows("SELECT id, name, good, weight, day, at FROM op.items ORDER BY id")
            .await;
        assert_eq!(
            rows,
            [
                "-3,ñ'x,true,0.1,1969-12-31,2026-01-01T10:00:00.000000Z",
                "1,\"\",false,-2.5,2026-02-28,1960-05-05T00:00:00.000001Z",
                "2,,,,,",
            ],
            "{}",
            house.test.name
        );
        for (filter, expected) in [
            ("id > -3 AND id <= 1", "1"),
            ("name = 'ñ''x'", "1"),
            ("name >= 'a'", "1"),
            ("good", "1"),
            ("NOT good", "1"),
            ("weight < 0.1", "1"),
            ("weight >= 0.1", "1"),
            ("day < DATE '2000-01-01'", "1"),
            ("at > TIMESTAMP '2000-01-01T00:00:00Z'", "1"),
            ("name IS NULL", "1"),
            ("name IS NOT NULL", "2"),
            ("5 > id", "3"),
        ] {
            let found = house
                .rows(&format!("SELECT count(*) FROM op.items WHERE {filter}"))
                .await;
            assert_eq!(found, [expected], "{}: {filter}", house.test.name);
        }
    }
}

#[tokio::test]
async fn a_snapshot_stays_as_it_was_and_scans_go_on_side_by_side() {
    for test in databases().await {
        let house = House::new(test, TABLES);
        let rows: Vec<String> = (0..30_000)
            .map(|id| format!("({id}, 'n{}')", id % 7))
            .collect();
        for rows in rows.chunks(1000) {
            house
                .sql(&format!(
                    "INSERT INTO items (id, name) VALUES {}",
                    rows.join(", ")
                ))
                .await;
        }
        let snapshot = Arc::new(house.records.snapshot().await.expect("a snapshot"));
        house.sql("DELETE FROM items WHERE id >= 10").await;
        let count = async |sql: &str| {
            let mut out = Vec::new();
            let warehouse = house.warehouse().with_snapshot(Arc::clone(&snapshot));
            let rows = warehouse.query(sql, None).await.expect(sql);
            rows.write(galen::lake::Format::Csv, &mut out)
                .await
                .expect("written");
            String::from_utf8(out)
                .expect("text")
                .lines()
                .nth(1)
                .map(str::to_owned)
        };
        let all = "SELECT count(*) FROM op.items";
        assert_eq!(
            count(all).await.as_deref(),
            Some("30000"),
            "{}",
            house.test.name
        );
        let both = "SELECT count(*) FROM op.items a JOIN op.items b ON a.id = b.id JOIN (SELECT id FROM op.items UNION ALL SELECT id FROM op.items) c ON c.id = a.id";
        assert_eq!(
            count(both).await.as_deref(),
            Some("60000"),
            "{}",
            house.test.name
        );
        assert_eq!(house.rows(all).await, ["10"], "{}", house.test.name);
    }
}
