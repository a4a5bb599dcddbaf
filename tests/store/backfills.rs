//! Backfills and their dates.

use galen::base::{BackfillId, EventKind, Interval, Subject};
use galen::store::{BackfillState, Change, NewBackfill, Refusal, RunFilter};
use serde_json::Map;

use super::scenario::*;
use crate::support::databases;

fn backfill(id: &str, from: i64, to: i64) -> Change {
    Change::CreateBackfill(NewBackfill {
        backfill_id: id.into(),
        dag_id: dag(),
        span: Interval::new(day(from).start, day(to).end).expect("a span"),
        options: Map::new(),
        dates: (from..=to).map(|number| day(number).start).collect(),
    })
}

fn event(kind: EventKind) -> Change {
    Change::Event(Subject::Dag(dag()), kind)
}

fn decided(date: i64, run_id: Option<&str>, outcome: &str) -> Change {
    event(EventKind::BackfillDate {
        backfill_id: "b1".to_owned(),
        interval_start: day(date).start,
        run_id: run_id.map(Into::into),
        outcome: outcome.to_owned(),
    })
}

#[tokio::test]
async fn each_date_has_its_own_outcome() {
    for test in databases().await {
        let store = store(&test).await;
        let mut run = new_run("r", 2, &["a"]);
        run.backfill_id = Some("b1".into());
        let changes = vec![
            backfill("b1", 1, 3),
            Change::CreateRun(run),
            decided(2, Some("r"), "created"),
            decided(3, None, "in the future"),
        ];
        apply(&store, 1, changes).await;
        let dates = store.backfill_dates(&"b1".into()).await.expect(test.name);
        let seen: Vec<_> = dates
            .iter()
            .map(|date| {
                (
                    date.run_id.as_ref().map(|id| id.as_str()),
                    date.outcome.as_deref(),
                )
            })
            .collect();
        let expected = [
            (None, None),
            (Some("r"), Some("created")),
            (None, Some("in the future")),
        ];
        assert_eq!(seen, expected, "{}", test.name);
        let filter = RunFilter {
            backfill: Some("b1".into()),
            ..RunFilter::default()
        };
        assert_eq!(store.runs(&filter).await.expect(test.name).len(), 1);
    }
}

#[tokio::test]
async fn an_overlapping_backfill_is_refused_until_the_other_is_done() {
    for test in databases().await {
        let store = store(&test).await;
        let id = || "b1".to_owned();
        let overlaps = Err(Refusal::BackfillOverlaps(BackfillId::from("b1")));
        apply(&store, 1, vec![backfill("b1", 1, 3), backfill("b2", 4, 5)]).await;
        let results = try_apply(&store, 2, vec![backfill("b3", 3, 3)]).await;
        assert_eq!(results[0], overlaps);
        apply(
            &store,
            3,
            vec![event(EventKind::BackfillPaused { backfill_id: id() })],
        )
        .await;
        let results = try_apply(
            &store,
            4,
            vec![
                backfill("b1", 9, 9),
                backfill("b3", 0, 1),
                decided(1, None, "created"),
            ],
        )
        .await;
        assert_eq!(results[0], Err(Refusal::BackfillExists("b1".into())));
        assert_eq!(results[1], overlaps);
        let paused = results[2].as_ref().expect_err("paused").to_string();
        assert_eq!(
            paused,
            "`backfill_date` cannot follow state `paused` of backfill"
        );
        apply(
            &store,
            5,
            vec![
                event(EventKind::BackfillResumed { backfill_id: id() }),
                event(EventKind::BackfillEnded { backfill_id: id() }),
                backfill("b3", 3, 3),
            ],
        )
        .await;
        let done = store
            .backfill(&"b1".into())
            .await
            .expect(test.name)
            .expect("it");
        assert_eq!(done.state, BackfillState::Done);
        let open = [BackfillState::Running, BackfillState::Paused];
        let open = store.backfills(Some(&dag()), &open).await.expect(test.name);
        let open: Vec<_> = open
            .iter()
            .map(|backfill| backfill.backfill_id.as_str())
            .collect();
        assert_eq!(open, ["b3", "b2"]);
    }
}
