//! Models copied to where others read them.

use galen::base::Secret;
use galen::lake::Format;
use sqlx::{Connection, PgConnection, Row, SqliteConnection};

use super::house::House;
use crate::support::{TestDatabase, counts, databases};

const TABLES: &str = "CREATE TABLE IF NOT EXISTS visits (id BIGINT PRIMARY KEY, note TEXT, cost DOUBLE PRECISION, day DATE, good BOOLEAN, at TIMESTAMPTZ);";
const INSERT: &str = "INSERT INTO visits (id, note, cost, day, good, at) VALUES
    (2, 'tab\there \\N', 10.5, '2026-01-02', true, '2026-01-01T10:00:00+00:00'), (1, '', NULL, NULL, NULL, NULL), (3, NULL, 0.1, '2026-01-03', false, NULL)";

async fn house(test: TestDatabase) -> House {
    let mut house = House::new(test, TABLES);
    house.sql(INSERT).await;
    house.file(
        "gold/visits.sql",
        "-- {unique_key: id, zorder_by: day}\nSELECT id, note, CAST(cost AS DECIMAL(12, 2)) AS cost, cost AS raw, day, good, at FROM op.visits",
    );
    house.file(
        "models.yaml",
        "models:\n- name: visits\n  description: One row a visit, it's all\n  columns: [{name: cost, description: In euros}]\n",
    );
    house.build("gold.visits", 1).await;
    house
}

const CSV: &str = "id,note,cost,raw,day,good,at\n1,\"\",,,,,\n2,tab\there \\N,10.50,10.5,2026-01-02,true,2026-01-01T10:00:00.000000Z\n3,,0.10,0.1,2026-01-03,false,\n";

#[tokio::test]
async fn files_hold_what_the_model_holds() {
    let house = house(TestDatabase::sqlite()).await;
    let names = ["gold.visits".to_owned()];
    let folder = house.test.home().join("out");
    let warehouse = house.warehouse();
    let published = warehouse
        .publish_to_files(&names, Format::Csv, &folder)
        .await
        .expect("written");
    assert_eq!(
        published,
        [("gold.visits".to_owned(), counts([3, 0, 0, 0, 0]))]
    );
    assert_eq!(
        std::fs::read_to_string(folder.join("gold.visits.csv")).expect("a file"),
        CSV
    );
    warehouse
        .publish_to_files(&names, Format::Parquet, &folder)
        .await
        .expect("written");
    let parquet = std::fs::read(folder.join("gold.visits.parquet")).expect("a file");
    assert!(parquet.starts_with(b"PAR1") && parquet.ends_with(b"PAR1"));

    let path = folder.join("all.db");
    for _ in 0..2 {
        warehouse
            .publish_to_sqlite(&names, &path)
            .await
            .expect("written");
    }
    let mut conn = SqliteConnection::connect(&format!("sqlite://{}", path.display()))
        .await
        .expect("a file");
    let row = sqlx::query(
        "SELECT count(*), max(cost), typeof(raw), typeof(id), sum(good) FROM visits WHERE id = 2",
    )
    .fetch_one(&mut conn)
    .await
    .expect("a row");
    assert_eq!(
        (row.get::<i64, _>(0), row.get::<String, _>(1).as_str()),
        (1, "10.50")
    );
    assert_eq!(
        (
            row.get::<String, _>(2).as_str(),
            row.get::<String, _>(3).as_str(),
            row.get::<i64, _>(4)
        ),
        ("real", "integer", 1)
    );
}

#[tokio::test]
async fn postgres_gets_tables_with_keys_comments_and_no_half_of_them() {
    for test in databases().await {
        let Some(url) = test.url().map(str::to_owned) else {
            continue;
        };
        let mut house = house(test).await;
        let names = ["gold.visits".to_owned()];
        let secret = Secret::new(url.as_str());
        for _ in 0..2 {
            let published = house
                .warehouse()
                .publish_to_postgres(&names, &secret)
                .await
                .expect("published");
            assert_eq!(
                published,
                [("gold.visits".to_owned(), counts([3, 0, 0, 0, 0]))]
            );
        }
        let mut conn = PgConnection::connect(&url).await.expect("the server");
        let text = async |conn: &mut PgConnection, sql: &'static str| -> String {
            sqlx::query_scalar(sql).fetch_one(conn).await.expect(sql)
        };
        let rows = text(&mut conn, "SELECT string_agg(concat_ws('|', id, note, cost, raw, day, good, at AT TIME ZONE 'UTC'), ';' ORDER BY id) FROM clinic_dw.visits").await;
        assert_eq!(
            rows,
            "1|;2|tab\there \\N|10.50|10.5|2026-01-02|t|2026-01-01 10:00:00;3|0.10|0.1|2026-01-03|f"
        );
        let about = text(
            &mut conn,
            "SELECT concat_ws(', ', obj_description('clinic_dw.visits'::regclass), col_description('clinic_dw.visits'::regclass, 3),
                (SELECT string_agg(indexname, ' ' ORDER BY indexname) FROM pg_indexes WHERE schemaname = 'clinic_dw'),
                (SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'clinic_dw.visits'::regclass AND attname = 'cost'))",
        )
        .await;
        assert_eq!(
            about,
            "One row a visit, it's all, In euros, visits_day_idx visits_pkey, numeric(12,2)"
        );
        // a publish that fails leaves the old tables
        house.file(
            "gold/listed.sql",
            "SELECT make_array(id) AS ids FROM op.visits",
        );
        house.build("gold.listed", 1).await;
        let both = ["gold.visits".to_owned(), "gold.listed".to_owned()];
        let error = house
            .warehouse()
            .publish_to_postgres(&both, &secret)
            .await
            .expect_err("a list");
        assert!(error.to_string().contains("`ids`"), "{error}");
        let tables = text(
            &mut conn,
            "SELECT string_agg(tablename, ' ') FROM pg_tables WHERE schemaname = 'clinic_dw'",
        )
        .await;
        assert_eq!(tables, "visits");
    }
}
