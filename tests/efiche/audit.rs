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

        let spoilt = "batch 1 or a change among 1 to ";
        let tampering = [
            (
                "changes = changes || ' ' WHERE id = 1",
                "changes = rtrim(changes) WHERE id = 1",
            ),
            (
                "table_name = 'x' || table_name WHERE id = 1",
                "table_name = substr(table_name, 2) WHERE id = 1",
            ),
            ("id = -1 WHERE id = 1", "id = 1 WHERE id = -1"),
        ];
        for (change, back) in tampering {
            execute(&home, &format!("UPDATE _changes SET {change}")).await;
            let said = verdict(&home, &anchors).await;
            assert!(said.starts_with(spoilt), "{change}: {said}");
            execute(&home, &format!("UPDATE _changes SET {back}")).await;
            assert_eq!(verdict(&home, &anchors).await, "holds", "{back}");
        }
        execute(&home, "UPDATE _changes SET batch = 2 WHERE id = 1").await;
        assert_eq!(
            verdict(&home, &anchors).await,
            "changes from 1 on say that they belong to batch 2, and are of batch 1"
        );
        execute(&home, "UPDATE _changes SET batch = 1 WHERE id = 1").await;
        execute(
            &home,
            "UPDATE _batches SET run_id = 'x' || run_id WHERE batch = 1",
        )
        .await;
        assert!(verdict(&home, &anchors).await.starts_with(spoilt));
        execute(
            &home,
            "UPDATE _batches SET run_id = substr(run_id, 2) WHERE batch = 1",
        )
        .await;

        execute(&home, "INSERT INTO _changes (id, batch, table_name, changes) SELECT 100000, batch, table_name, changes FROM _changes WHERE id = 1").await;
        assert_eq!(
            verdict(&home, &anchors).await,
            "changes from 100000 on are of no batch"
        );
        execute(&home, "DELETE FROM _changes WHERE id = 100000").await;
        assert_eq!(verdict(&home, &anchors).await, "holds");

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
        execute(&home, "DELETE FROM _changes WHERE batch = 4").await;
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

#[tokio::test]
async fn a_change_is_the_same_row_of_the_log_on_both_databases() {
    let Some(sample) = shared_data("padchest/padchest_shaped.csv") else {
        return;
    };
    let (mut logs, mut whole) = (Vec::new(), Vec::new());
    for test in databases().await {
        let mut home = Home::new(test);
        home.write("p.csv", std::fs::read(&sample).expect("the sample"));
        home.stage("padchest", "p.csv").await;
        home.load("padchest", 4, 0).await;
        // one report in other words: an update
        let text = std::fs::read_to_string(&sample).expect("the sample");
        home.write("q.csv", text.replace(",PA,", ",AP,").into_bytes());
        home.run = 2;
        home.stage("padchest", "q.csv").await;
        home.load("padchest", 4, 0).await;
        logs.push(home.export("audit_log").await);
        let mut all = Vec::new();
        for table in ["patients", "diagnoses", "padchest_staging", "audit_log"] {
            let exported = home.records.export(table, true, &mut all).await;
            exported.expect("exported");
        }
        whole.push(String::from_utf8(all).expect("text"));
    }
    assert!(whole[0].contains(",_row_id,_batch_id,_version\n"));
    assert!(whole.iter().all(|tables| *tables == whole[0]));
    let lines: Vec<&str> = logs[0].lines().collect();
    assert_eq!(
        lines[0],
        "id,table_name,operation,record_id,changed_by,changed_at,old_values,new_values"
    );
    assert!(lines[1].starts_with("1,facilities,insert,"), "{}", lines[1]);
    let updates: Vec<&&str> = lines
        .iter()
        .filter(|line| line.contains(",update,"))
        .collect();
    assert!(!updates.is_empty());
    assert!(
        updates
            .iter()
            .all(|line| line.contains(r#""{""projection"":""PA""}","{""projection"":""AP""}""#)),
        "{updates:?}"
    );
    assert!(logs.iter().all(|log| *log == logs[0]));
}
