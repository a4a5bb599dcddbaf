//! Writing what a pass decided, and what to do when somebody else was faster.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::drive::News;
use super::engine::Engine;
use super::group::{Group, Launch};
use crate::base::{Error, Event, EventKind, Result, RunId, Subject};
use crate::store::{Change, Refusal};

impl Engine {
    /// Writes the group, then starts its tries. Runs that somebody else changed meanwhile are taken out of it, loaded again, and decided anew.
    pub(super) async fn commit(&mut self, mut group: Group) -> Result<()> {
        match self.write(&mut group).await {
            Ok(results) => self.follow_up(group, results).await,
            Err(error) => {
                self.take_back(&mut group, |_| true);
                Err(error)
            }
        }
    }

    /// Writes what stands of the group; gives what became of each change.
    async fn write(&mut self, group: &mut Group) -> Result<Vec<Result<Event, Refusal>>> {
        loop {
            let store = &self.handle.store;
            let changes = group.changes.clone();
            let written = store.apply_after(&self.handle.owner, group.at, self.seen, changes);
            if let Some(results) = written.await? {
                return Ok(results);
            }
            let elsewhere = self.elsewhere().await?;
            self.take_back(group, |run| elsewhere.contains(run));
            self.reload(elsewhere).await?;
        }
    }

    /// Writes changes that were decided from what this engine knows. `false`: they are to be decided anew, as what it knew is no longer
    /// so.
    ///
    /// # Errors
    /// When the store cannot be used, or another process has taken the lead.
    pub(super) async fn write_decided(&mut self, changes: Vec<Change>) -> Result<bool> {
        loop {
            let (store, at) = (&self.handle.store, self.handle.clock.now());
            let written = store.apply_after(&self.handle.owner, at, self.seen, changes.clone());
            let Some(results) = written.await? else {
                let elsewhere = self.elsewhere().await?;
                self.reload(elsewhere).await?;
                if self.dags_changed {
                    return Ok(false);
                }
                continue;
            };
            for result in results {
                match result {
                    Ok(event) => self.observe(event),
                    Err(Refusal::RunExists(_)) => {}
                    Err(refusal) => {
                        tracing::warn!(%refusal, "the store refused an event");
                        self.dags_changed = true;
                    }
                }
            }
            return Ok(!self.dags_changed);
        }
    }

    /// Does what follows from a group that was written.
    async fn follow_up(
        &mut self,
        group: Group,
        results: Vec<Result<Event, Refusal>>,
    ) -> Result<()> {
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
            let stop = self.hook_stop.child_token();
            self.hooks.spawn(self.worker.clone().call(call, stop));
        }
        refused.extend(group.reopened);
        self.reload(refused).await
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

    /// Takes runs out of a group that was not written: their slots are free again, and tries that ended are still to be taken in.
    fn take_back(&mut self, group: &mut Group, mut of: impl FnMut(&RunId) -> bool) {
        group
            .changes
            .retain(|change| !change.run().is_some_and(&mut of));
        group.ended.retain(|run| !of(run));
        group.reopened.retain(|run| !of(run));
        group.hooks.retain(|call| !of(call.run_id()));
        for launch in group.launches.extract_if(.., |launch| of(&launch.run)) {
            self.slots.give_back(&launch.lane, launch.slots);
        }
        let again = group.absorbed.extract_if(.., |done| of(&done.run));
        self.unsaved.extend(again);
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
        self.inform(News::Event(Box::new(event)));
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::bench::Bench;

    #[tokio::test]
    async fn an_engine_that_is_overtaken_keeps_no_slot() {
        let mut bench = Bench::new().await;
        bench.dag("small", "");
        bench.queue("small").await;
        bench.overtake().await;
        let refused = bench.engine.pass().await.expect_err("it leads no more");
        assert!(refused.is_transient(), "{refused}");
        assert!(bench.engine.slots.all_free());
        assert!(bench.engine.jobs.is_empty(), "nothing was started");
    }

    #[tokio::test]
    async fn a_try_that_ended_is_not_lost_with_the_group_that_says_so() {
        let mut bench = Bench::new().await;
        bench.dag("small", "");
        bench.queue("small").await;
        bench.engine.pass().await.expect("it starts");
        let done = bench.engine.jobs.join_next_with_id().await;
        bench.engine.receive(done.expect("a try"));
        bench.overtake().await;
        let refused = bench.engine.pass().await;
        refused.expect_err("it leads no more");
        assert_eq!(bench.engine.unsaved.len(), 1);
    }
}
