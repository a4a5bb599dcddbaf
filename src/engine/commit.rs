//! Writing what a pass decided, and what to do when somebody else was faster.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::engine::Engine;
use super::group::{Group, Launch};
use super::worker::Completion;
use crate::base::{Error, Event, EventKind, Result, RunId, Subject};

impl Engine {
    /// Writes the group, then starts its tries. Runs that somebody else changed meanwhile are taken out of it, loaded again, and decided anew.
    pub(super) async fn commit(&mut self, mut group: Group) -> Result<()> {
        loop {
            let applied = self
                .handle
                .store
                .apply_after(
                    &self.handle.owner,
                    group.at,
                    self.seen,
                    group.changes.clone(),
                )
                .await;
            let results = match applied {
                Ok(Some(results)) => results,
                Ok(None) => {
                    let elsewhere = self.elsewhere().await?;
                    self.give_up(&mut group, &elsewhere).await?;
                    continue;
                }
                Err(error) => {
                    self.unsaved.append(&mut group.absorbed);
                    for launch in group.launches {
                        self.slots.give_back(&launch.lane, launch.slots);
                    }
                    return Err(error);
                }
            };
            let mut refused = BTreeSet::new();
            for (change, result) in group.changes.iter().zip(results) {
                match result {
                    Ok(event) => self.observe(event),
                    Err(refusal) => {
                        tracing::warn!(%refusal, "the store refused an event");
                        refused.extend(change.run().cloned());
                    }
                }
            }
            for run in group.ended.iter().filter(|run| !refused.contains(*run)) {
                self.active.remove(run);
                self.queue_changed = true;
                self.room_changed = true;
            }
            if !group.ended.is_empty() {
                self.versions.sweep();
            }
            let at = group.at;
            for launch in group.launches {
                self.launch(launch, at, &refused);
            }
            for call in group
                .hooks
                .into_iter()
                .filter(|call| !refused.contains(call.run_id()))
            {
                self.hooks.spawn(self.worker.clone().call(call));
            }
            refused.extend(group.reopened);
            return self.reload(refused).await;
        }
    }

    fn launch(&mut self, launch: Launch, at: DateTime<Utc>, refused: &BTreeSet<RunId>) {
        let run = self
            .active
            .get_mut(&launch.run)
            .filter(|_| !refused.contains(&launch.run));
        let Some(run) = run else {
            self.slots.give_back(&launch.lane, launch.slots);
            return;
        };
        let job = run.job(launch.task, at);
        let handle = self.jobs.spawn(self.worker.clone().run(job));
        self.held.insert(handle.id(), (launch.lane, launch.slots));
    }

    /// Takes runs out of a group that was not written, and loads them again.
    async fn give_up(&mut self, group: &mut Group, runs: &BTreeSet<RunId>) -> Result<()> {
        group
            .changes
            .retain(|change| !change.run().is_some_and(|run| runs.contains(run)));
        group.ended.retain(|run| !runs.contains(run));
        group.reopened.retain(|run| !runs.contains(run));
        group.hooks.retain(|call| !runs.contains(call.run_id()));
        let (dropped, kept) = std::mem::take(&mut group.launches)
            .into_iter()
            .partition(|l| runs.contains(&l.run));
        group.launches = kept;
        let dropped: Vec<Launch> = dropped;
        for launch in dropped {
            self.slots.give_back(&launch.lane, launch.slots);
        }
        let (again, kept) = std::mem::take(&mut group.absorbed)
            .into_iter()
            .partition(|d| runs.contains(&d.run));
        group.absorbed = kept;
        let again: Vec<Completion> = again;
        self.unsaved.extend(again);
        self.reload(runs.iter().cloned()).await
    }

    /// Takes note of what others wrote; gives the runs concerned.
    ///
    /// # Errors
    /// When another process has taken the lead.
    pub(super) async fn elsewhere(&mut self) -> Result<BTreeSet<RunId>> {
        let mut runs = BTreeSet::new();
        loop {
            let events = self.handle.store.events_after(self.seen, 1_000).await?;
            if events.is_empty() {
                return Ok(runs);
            }
            for event in events {
                match (&event.subject, &event.kind) {
                    (_, EventKind::LeaseTaken { owner }) if *owner != self.handle.owner => {
                        return Err(Error::new("another process has taken the lead").transient());
                    }
                    (Subject::Run(_, run) | Subject::Task(_, run, _), _) => {
                        runs.insert(run.clone());
                    }
                    _ => self.dags_changed = true,
                }
                self.observe(event);
            }
        }
    }

    fn observe(&mut self, event: Event) {
        self.seen = event.seq;
        if let Some(observer) = &self.observer {
            // nobody listens any more: then nobody misses it
            let _ = observer.send(event);
        }
    }
}
