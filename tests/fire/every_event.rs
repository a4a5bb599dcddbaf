//! An engine that stops after each event in turn, in the middle of real work.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use futures::{StreamExt, stream};
use galen::base::{Clock, RunId, RunState, SystemClock};
use galen::engine::{Asked, Handle, TriggerRequest};
use galen::operators::Operators;
use galen::store::Store;
use serde_json::Map;

use super::home::{Exports, Home, assert_same};
use crate::support::{TestDatabase, die_after};

static OPERATORS: Operators = Operators::all();

/// How many deaths are tried at the same time.
const AT_ONCE: usize = 3;

/// A clock for which the leases of the dead have run out.
struct Later;

impl Clock for Later {
    fn now(&self) -> DateTime<Utc> {
        SystemClock.now() + TimeDelta::minutes(1)
    }
}

/// An installation with so little data that a run takes a moment, in several batches all the same.
fn small() -> Home {
    let home = Home::new(TestDatabase::sqlite());
    home.deliver(30);
    home.edit("generate.yaml", "tiny: 0.01", "tiny: 0.002");
    home.edit("dag.yaml", "batch_size: 500", "batch_size: 20");
    home
}

fn handle(home: &Home, clock: Arc<dyn Clock>) -> Handle {
    let settings = home.test.settings();
    let store = Store::open(&settings).expect("a store");
    Handle::new(store, Arc::new(settings), clock, &OPERATORS)
}

async fn trigger(handle: &Handle) -> RunId {
    let now = SystemClock.now();
    handle.store().migrate(now).await.expect("migrated");
    let request = TriggerRequest {
        dag_id: "efiche".into(),
        asked: Asked::Latest,
        params: Map::new(),
        select: None,
    };
    handle.trigger(&request).await.expect("a run")
}

/// The tables after a death, a recovery and the end of the run; whether the death came before the run's own end.
async fn after_a_death(events: usize) -> (bool, Exports) {
    let home = small();
    let first = handle(&home, Arc::new(SystemClock));
    let run = trigger(&first).await;
    let died = die_after(&first, &run, events).await;
    let second = handle(&home, Arc::new(Later));
    die_after(&second, &run, usize::MAX).await;
    let state = second.run(&run).await.expect("the run").state;
    let tasks = second.store().tasks(&run).await.expect("tasks");
    let errors: Vec<_> = tasks
        .iter()
        .map(|task| (&task.task_id, &task.state, &task.error))
        .collect();
    assert_eq!(state, RunState::Success, "after event {events}: {errors:?}");
    let verified = second.store().verify_events().await.expect("a report");
    assert_eq!(verified.first_break, None, "after event {events}");
    (died, home.exports().await)
}

#[tokio::test(flavor = "multi_thread")]
async fn death_at_any_event_leaves_the_tables_as_they_would_be() {
    let (_, expected) = after_a_death(usize::MAX).await;
    let mut deaths = 0;
    let mut ends = stream::iter(1..)
        .map(|events| async move { (events, after_a_death(events).await) })
        .buffered(AT_ONCE);
    while let Some((events, (died, exports))) = ends.next().await {
        assert_same(&exports, &expected, &format!("after event {events}"));
        if !died {
            break;
        }
        deaths += 1;
    }
    println!("died after each of {deaths} events");
    assert!(deaths > 50, "only {deaths} events");
}
