//! The row audit finds what was done to it.

use galen::base::AuditAnchor;
use galen::on_conn;
use sqlx::AssertSqlSafe;

use super::home::Home;
use crate::support::{databases, shared_data};

async fn execute(home: &Home, sql: &str) {
    let mut tx = home.records.begin().await.expect("a transaction");
    let sql = sql.to_owned();
    on_conn!(tx.conn().expect("open"), c => sqlx::query(AssertSqlSafe(sql)).execute(&mut *c).await.map(drop))
        .expect("executed");
    tx.commit().await.expect("committed");
}

async fn verdict(home: &Home, anchors: &[AuditAnchor]) -> String {
    match home.records.verify_audit(anchors).await {
        Ok(_) => "holds".to_owned(),
        Err(error) => error
            .to_string()
            .replace("the row audit does not hold: ", ""),
    }
}

#[tokio::test]
async fn every_kind_of_change_is_found_and_the_first_is_named() {
    let Some(sample) = shared_data("padchest/padchest_shaped.csv") else {
        return;
    };
    for test in databases().await {
        let home = Home::new(test);
        home.write("p.csv", std::fs::read(&sample).expect("the sample"));
        home.stage("padchest", "p.csv").await;
        let outcome = home.load("padchest", 4, 0).await;
        let anchor = outcome.audit.expect("an anchor");
        let anchors = [anchor.clone()];
        assert_eq!(verdict(&home, &anchors).await, "holds");

        execute(
            &home,
            "UPDATE audit_log SET new_values = new_values || ' ' WHERE id = 30",
        )
        .await;
        assert!(
            verdict(&home, &anchors)
                .await
                .contains("of batch 1, was changed")
        );
        execute(
            &home,
            "UPDATE audit_log SET new_values = rtrim(new_values) WHERE id = 30",
        )
        .await;
        assert_eq!(verdict(&home, &anchors).await, "holds");

        execute(&home, "UPDATE audit_log SET id = -1 WHERE id = 5").await;
        assert_eq!(verdict(&home, &anchors).await, "row 5 is missing");
        execute(&home, "UPDATE audit_log SET id = 5 WHERE id = -1").await;

        execute(&home, "INSERT INTO audit_log SELECT 100000, table_name, operation, record_id, changed_by, changed_at, old_values, new_values, _batch, _previous FROM audit_log WHERE id = 1").await;
        assert_eq!(
            verdict(&home, &anchors).await,
            "row 100000 was added behind the last batch"
        );
        execute(&home, "DELETE FROM audit_log WHERE id = 100000").await;

        let other = AuditAnchor {
            digest: galen::base::sha256("x"),
            ..anchor.clone()
        };
        assert!(
            verdict(&home, &[other])
                .await
                .contains("is not the one the event chain knows")
        );
        execute(&home, "DELETE FROM _batches WHERE batch = 4").await;
        execute(&home, "DELETE FROM audit_log WHERE _batch = 4").await;
        assert_eq!(
            verdict(&home, &[]).await,
            "holds",
            "a cut end shows only against an anchor"
        );
        assert_eq!(
            verdict(&home, &anchors).await,
            "batch 4, which the event chain knows, is missing"
        );
    }
}
