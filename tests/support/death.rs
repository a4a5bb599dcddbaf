//! An engine that dies at a chosen event.

use std::collections::BTreeSet;

use galen::base::RunId;
use galen::engine::{Goal, Handle, News};
use tokio::sync::mpsc::unbounded_channel;
use tokio_util::sync::CancellationToken;

/// Drives `run` until `events` events were written since it began, then dies; `false` when the run had ended before.
pub async fn die_after(handle: &Handle, run: &RunId, events: usize) -> bool {
    let (sender, mut receiver) = unbounded_channel();
    let goal = Goal::Runs(BTreeSet::from([run.clone()]));
    let stop = CancellationToken::new();
    let death = async {
        let mut written = 0;
        while written < events {
            match receiver.recv().await {
                Some(News::Event(_)) => written += 1,
                Some(News::Led { .. }) => {}
                None => std::future::pending::<()>().await,
            }
        }
    };
    tokio::select! {
        biased;
        () = death => true,
        ended = handle.drive(&goal, sender, &stop) => {
            ended.expect("driven");
            false
        }
    }
}
