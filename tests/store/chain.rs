//! Whatever is done to the chain of events is found and named.

use galen::base::{AuditAnchor, Counts, EventKind, sha256};
use galen::db::Database;
use galen::store::{Change, Store};

use super::scenario::*;
use crate::support::{TestDatabase, databases};

/// Nine events: two before the loop, then seven.
async fn nine_events(test: &TestDatabase) -> Store {
    let store = store(test).await;
    apply(
        &store,
        1,
        vec![Change::CreateRun(new_run("r", 1, &["a", "b"]))],
    )
    .await;
    apply(&store, 2, claim("r", "a", 1)).await;
    let anchored = EventKind::TaskSucceeded {
        counts: Counts::default(),
        tables: Default::default(),
        outputs: Default::default(),
        audit: Some(AuditAnchor {
            batch: 3,
            digest: sha256("rows"),
        }),
    };
    apply(&store, 3, vec![task_event("r", "a", anchored)]).await;
    apply(&store, 4, claim("r", "b", 1)).await;
    store
}

async fn tamper(test: &TestDatabase, sql: &str) {
    let database = Database::metadata(&test.settings()).expect(test.name);
    let mut tx = database.begin().await.expect(test.name);
    tx.conn().expect("open").run_script(sql).await.expect(sql);
    tx.commit().await.expect(test.name);
}

#[tokio::test]
async fn an_untouched_chain_holds_and_gives_its_anchors() {
    for test in databases().await {
        let store = nine_events(&test).await;
        let found = store.verify_events().await.expect(test.name);
        assert_eq!(found.first_break, None);
        assert_eq!(
            (found.events, found.hash),
            store.head().await.expect(test.name)
        );
        let anchors: Vec<_> = found
            .anchors
            .iter()
            .map(|a| (a.seq, a.anchor.batch))
            .collect();
        assert_eq!(anchors, [(6, 3)]);
    }
}

#[tokio::test]
async fn every_kind_of_tampering_is_named() {
    let changed = "was changed: it is not what its hash was made of";
    let copy = "INSERT INTO events SELECT {seq}, at, actor, dag_id, run_id, task_id, name, data, previous, hash FROM events WHERE seq = 4;";
    let at_end = copy.replace("{seq}", "10");
    let at_front = copy.replace("{seq}", "0");
    let in_between = format!(
        "UPDATE events SET seq = -seq WHERE seq >= 5; UPDATE events SET seq = 1 - seq WHERE seq < 0; {}",
        copy.replace("{seq}", "5")
    );
    let cases: &[(&str, String)] = &[
        (
            "UPDATE events SET actor = 'cli:mallory' WHERE seq = 4",
            format!("event 4 {changed}"),
        ),
        (
            "UPDATE events SET data = replace(data, '\"try\":1', '\"try\":2') WHERE seq = 5",
            format!("event 5 {changed}"),
        ),
        (
            "UPDATE events SET at = '2026-01-01T00:00:01+00:00' WHERE seq = 4",
            format!("event 4 {changed}"),
        ),
        (
            "UPDATE events SET hash = 'x' WHERE seq = 7",
            format!("event 7 {changed}"),
        ),
        (
            "UPDATE events SET task_id = NULL WHERE seq = 7",
            format!("event 7 {changed}"),
        ),
        (
            "UPDATE events SET name = 'task_failed' WHERE seq = 7",
            format!("event 7 {changed}"),
        ),
        (
            "DELETE FROM events WHERE seq = 1",
            "event 1 is missing".to_owned(),
        ),
        (
            "DELETE FROM events WHERE seq = 4",
            "event 4 is missing".to_owned(),
        ),
        (
            "DELETE FROM events WHERE seq = 4; UPDATE events SET seq = -seq WHERE seq > 4; UPDATE events SET seq = -seq - 1 WHERE seq < 0",
            "event 4 is missing".to_owned(),
        ),
        (
            "DELETE FROM events WHERE seq >= 8",
            "event 8 and all after it are missing".to_owned(),
        ),
        (
            "DELETE FROM events",
            "event 1 and all after it are missing".to_owned(),
        ),
        (
            "UPDATE events SET seq = 100 WHERE seq = 4; UPDATE events SET seq = 4 WHERE seq = 5; UPDATE events SET seq = 5 WHERE seq = 100",
            "event 4 was swapped with event 5".to_owned(),
        ),
        (
            "UPDATE events SET seq = 100 WHERE seq = 3; UPDATE events SET seq = 3 WHERE seq = 8; UPDATE events SET seq = 8 WHERE seq = 100",
            "event 3 was swapped with event 8".to_owned(),
        ),
        (&at_front, "event 0 was inserted".to_owned()),
        (&at_end, "event 10 was inserted".to_owned()),
        (&in_between, "event 5 was inserted".to_owned()),
        (
            "UPDATE event_head SET hash = '0000000000000000000000000000000000000000000000000000000000000000'",
            "event 9 or the one before it was replaced: their hashes do not meet".to_owned(),
        ),
        (
            "UPDATE event_head SET seq = 8",
            "event 9 was inserted".to_owned(),
        ),
    ];
    for (sql, expected) in cases {
        for test in databases().await {
            let store = nine_events(&test).await;
            tamper(&test, sql).await;
            let found = store.verify_events().await.expect(test.name).first_break;
            let found = found.map(|found| found.to_string());
            assert_eq!(found.as_ref(), Some(expected), "{} {sql}", test.name);
        }
    }
}
