//! Operational tables as models see them, on both databases.

use std::sync::Arc;

use super::house::House;
use crate::support::databases;

const TABLES: &str = "CREATE TABLE IF NOT EXISTS items (id BIGINT PRIMARY KEY, name TEXT, good BOOLEAN, weight DOUBLE PRECISION, day DATE, at TIMESTAMPTZ);";

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

#[tokio::test]
async fn the_audit_and_what_was_set_aside_are_read_in_full() {
    for test in databases().await {
        let house = House::new(test, TABLES);
        // as a `process` task writes them: changes of a table and batch as one text
        let changes = |from: usize, to: usize| {
            let changes = (from..to).map(|n| match n % 10 {
                0 => format!(r#"["{n}",{{"name":"new"}},{{"name":"old"}},1]"#),
                _ => format!(r#"["{n}",{{"name":"new"}}]"#),
            });
            format!("[{}]", changes.collect::<Vec<String>>().join(","))
        };
        for (batch, from, to) in [(1, 0, 12_000), (2, 12_000, 12_003), (3, 12_003, 25_000)] {
            house
                .sql(&format!(
                    "INSERT INTO _batches (batch, run_id, task_id, try_number, source_table, rules, at, counts, tables, last_audit, digest)
                     VALUES ({batch}, 'r', 't', 1, 's', 'd', '2026-01-0{batch}T00:00:00+00:00', '', '', {to}, '');
                     INSERT INTO _changes (id, batch, table_name, changes) VALUES ({}, {batch}, 'items', '{}')",
                    from + 1,
                    changes(from, to)
                ))
                .await;
        }
        house
            .sql("INSERT INTO quarantine (id, source_table, file, file_hash, line, reasons, detail, raw, run_id, task_id, at, state)
                VALUES (1, 's', 'a.csv', 'h', 7, '[\"ragged\"]', 'd', NULL, 'r', 't', '2026-01-01T00:00:00+00:00', 'open')")
            .await;
        for (sql, expected) in [
            (
                "SELECT count(*), count(DISTINCT id), min(id), max(id) FROM op.audit_log",
                "25000,25000,1,25000",
            ),
            (
                "SELECT operation, count(*) FROM op.audit_log WHERE _batch = 2 GROUP BY operation ORDER BY 1",
                "insert,2",
            ),
            (
                "SELECT record_id, operation, changed_by, changed_at, old_values, new_values, _previous FROM op.audit_log WHERE id = 12001",
                "12000,update,r/t,2026-01-02T00:00:00.000000Z,\"{\"\"name\"\":\"\"old\"\"}\",\"{\"\"name\"\":\"\"new\"\"}\",1",
            ),
            (
                "SELECT source_table, file, line, row_id, reasons, at, state FROM op.quarantine",
                "s,a.csv,7,,\"[\"\"ragged\"\"]\",2026-01-01T00:00:00.000000Z,open",
            ),
        ] {
            let rows = house.rows(sql).await;
            assert_eq!(rows[0], expected, "{}: {sql}", house.test.name);
        }
        // the bytes of a record are not for queries
        let raw = house
            .warehouse()
            .query("SELECT raw FROM op.quarantine", None)
            .await;
        assert_eq!(
            raw.err().expect("hidden").to_string(),
            "line 1, column 8: no column `raw`"
        );
    }
}

#[tokio::test]
async fn a_model_reads_the_audit() {
    let mut house = House::new(crate::support::TestDatabase::sqlite(), TABLES);
    house.file(
        "gold/changes.sql",
        "-- allow_empty: true\nSELECT a.table_name, count(*) AS n FROM op.audit_log a LEFT JOIN op.quarantine q ON q.run_id = a.changed_by GROUP BY a.table_name",
    );
    assert_eq!(house.build("gold.changes", 1).await.rows, 0);
}
