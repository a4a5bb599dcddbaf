//! Leading: one process at a time drives runs, by a lease in the store that it keeps renewing.
//!
//! The lease decides who tries to lead; what keeps a former leader from doing harm is the event chain: every group is written only if nothing
//! was written since the leader last looked, and a new leader's first act is an event.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::JoinSet;
use tokio::time::{Instant, Interval, MissedTickBehavior, sleep};
use tokio_util::sync::CancellationToken;

use super::engine::{Engine, Goal, Scope};
use super::folder::Folder;
use crate::base::{EventKind, Result, Subject};
use crate::db::Bell;
use crate::store::Change;

/// Name of the lease of the process that drives runs.
pub const LEADER: &str = "leader";

/// Name of the lease of whoever waits for the lead; the leader then drives what those who wait have queued.
pub const WAITING: &str = "waiting";

/// How often an engine that no bell wakes asks the store whether another process wrote something.
const LOOK: Duration = Duration::from_millis(500);

/// Pause before a store that failed is tried again.
const STORE_PAUSE: Duration = Duration::from_millis(500);

/// Longer than anything waits: the looks at the store come in between.
const FAR: Duration = Duration::from_secs(3600);

/// Why an engine stopped leading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parted {
    /// It was told to stop, or its runs have ended; everything is handed over.
    Done,
    /// It lost the lease.
    Overtaken,
}

impl Engine {
    /// Tries to take the lead once.
    ///
    /// # Errors
    /// When the store cannot be reached.
    pub async fn try_lead(&mut self) -> Result<bool> {
        let ttl = self.handle.settings.engine.lease_ttl;
        let now = self.handle.clock.now();
        if !self
            .handle
            .store
            .acquire_lease(LEADER, &self.handle.owner, ttl, now)
            .await?
        {
            return Ok(false);
        }
        let owner = self.handle.owner.clone();
        self.tell(now, EventKind::LeaseTaken { owner }).await?;
        Ok(true)
    }

    /// Drives runs until told to stop, until all runs of a foreground scope have ended, or until the lead is lost.
    /// A store that cannot be reached is waited for.
    ///
    /// # Errors
    /// When the store is wrong rather than away.
    pub async fn lead(&mut self, stop: &CancellationToken) -> Result<Parted> {
        let mut held_until = self.lease_end();
        loop {
            match self.serve(stop, &mut held_until).await {
                Ok(parted) => return Ok(parted),
                Err(error) if error.is_transient() => {
                    tracing::warn!(%error, "the store cannot be used; waiting for it");
                    if self.handle.clock.now() >= held_until {
                        self.cancel_all();
                    }
                    sleep(STORE_PAUSE).await;
                    match self.renew(&mut held_until).await {
                        Ok(true) => {}
                        Ok(false) => {
                            self.abandon().await;
                            return Ok(Parted::Overtaken);
                        }
                        Err(_) if stop.is_cancelled() => {
                            self.abandon().await;
                            return Err(error);
                        }
                        Err(_) => {}
                    }
                }
                Err(error) => {
                    self.abandon().await;
                    return Err(error);
                }
            }
        }
    }

    async fn serve(
        &mut self,
        stop: &CancellationToken,
        held_until: &mut DateTime<Utc>,
    ) -> Result<Parted> {
        self.recover().await?;
        let mut renewal = unhurried(self.handle.settings.engine.lease_ttl / 3);
        // where a bell rings, this is for file systems that do not tell of changes
        let mut look = unhurried(match self.bell {
            Some(_) => self.handle.settings.engine.lease_ttl / 3,
            None => LOOK,
        });
        loop {
            self.tick().await?;
            self.pass().await?;
            if self.is_finished() {
                self.step_down().await?;
                self.see_hooks_out(stop).await;
                return Ok(Parted::Done);
            }
            let wait = sleep(self.until_next());
            tokio::select! {
                Some(done) = self.jobs.join_next_with_id(), if !self.jobs.is_empty() => {
                    self.receive(done);
                    while let Some(done) = self.jobs.try_join_next_with_id() {
                        self.receive(done);
                    }
                }
                Some(_) = self.hooks.join_next(), if !self.hooks.is_empty() => {}
                () = wait => {}
                () = edits(&mut self.folder) => {}
                () = rung(&mut self.bell) => self.look().await?,
                _ = look.tick() => self.look().await?,
                _ = renewal.tick() => {
                    if !self.renew(held_until).await? {
                        self.abandon().await;
                        return Ok(Parted::Overtaken);
                    }
                    self.widen().await?;
                    self.sweep_logs();
                }
                () = stop.cancelled(), if !self.stopping => self.wind_down(),
                () = grace(self.grace_ends), if self.grace_ends.is_some() => {
                    self.grace_ends = None;
                    self.cancel_all();
                }
            }
        }
    }

    /// Takes in what other processes wrote since the last look.
    async fn look(&mut self) -> Result<()> {
        if self.handle.store.position().await? != self.seen {
            let runs = self.elsewhere().await?;
            self.reload(runs).await?;
        }
        Ok(())
    }

    /// No new work from here on; what runs gets its grace, then is told to stop.
    fn wind_down(&mut self) {
        self.stopping = true;
        self.grace_ends = Some(Instant::now() + self.handle.settings.engine.grace);
    }

    /// Whether nothing is under way and nothing more is to be done: told to stop, or every run it was started for has ended. What else it
    /// drives then gets its grace as well, so that a command ends with its own runs and others may lead.
    fn is_finished(&mut self) -> bool {
        let open = |run| self.active.contains_key(run) || self.queued.contains_key(run);
        let reached = match &self.own {
            None => false,
            Some(Goal::Runs(runs)) => !runs.iter().any(open),
            Some(Goal::Backfill(id)) => self.backfill_limit(id).is_none(),
        };
        if reached && !self.stopping {
            self.wind_down();
        }
        self.stopping && self.jobs.is_empty()
    }

    /// Waits for the hooks under way, without the lead: they change no state, so that nobody else need wait for them. Told to stop, they get
    /// the grace that tries get.
    async fn see_hooks_out(&mut self, stop: &CancellationToken) {
        let patience = self.handle.settings.engine.grace;
        let told = stop.is_cancelled().then_some(self.grace_ends);
        let over = async {
            match told {
                Some(grace_ends) => grace(grace_ends).await,
                None => {
                    stop.cancelled().await;
                    sleep(patience).await;
                }
            }
        };
        tokio::select! {
            () = ended(&mut self.hooks) => return,
            () = over => {}
        }
        self.hook_stop.cancel();
        ended(&mut self.hooks).await;
    }

    /// A command in the foreground also drives the runs of those who wait for the lead, so that they need not wait for it to end.
    async fn widen(&mut self) -> Result<()> {
        if self.scope == Scope::All {
            return Ok(());
        }
        let waiting = self.handle.store.lease(WAITING).await?;
        if waiting.is_some_and(|lease| lease.expires_at > self.handle.clock.now()) {
            self.scope = Scope::All;
            self.recover().await?;
        }
        Ok(())
    }

    async fn renew(&mut self, held_until: &mut DateTime<Utc>) -> Result<bool> {
        let ttl = self.handle.settings.engine.lease_ttl;
        let now = self.handle.clock.now();
        let renewed = self
            .handle
            .store
            .renew_lease(LEADER, &self.handle.owner, ttl, now)
            .await?;
        if renewed {
            *held_until = self.lease_end();
        }
        Ok(renewed)
    }

    fn lease_end(&self) -> DateTime<Utc> {
        let ttl =
            TimeDelta::from_std(self.handle.settings.engine.lease_ttl).unwrap_or(TimeDelta::MAX);
        self.handle.clock.now() + ttl
    }

    /// Gives the lead back in good order.
    async fn step_down(&mut self) -> Result<()> {
        let owner = self.handle.owner.clone();
        let now = self.handle.clock.now();
        self.tell(now, EventKind::LeaseReleased { owner }).await?;
        self.handle
            .store
            .release_lease(LEADER, &self.handle.owner)
            .await?;
        Ok(())
    }

    /// Records what became of the lead.
    async fn tell(&self, at: DateTime<Utc>, kind: EventKind) -> Result<()> {
        let change = Change::Event(Subject::System, kind);
        self.handle
            .store
            .apply(&self.handle.owner, at, vec![change])
            .await?;
        Ok(())
    }

    /// Stops every try at once and forgets all runs: they are another process's now.
    async fn abandon(&mut self) {
        self.cancel_all();
        self.jobs.shutdown().await;
        self.forget();
    }

    /// How long nothing is due by the clock.
    fn until_next(&self) -> Duration {
        let next = [self.next_timer(), self.next_due()]
            .into_iter()
            .flatten()
            .min();
        match next {
            Some(at) => (at - self.handle.clock.now())
                .to_std()
                .unwrap_or(Duration::ZERO),
            None => FAR,
        }
    }
}

fn unhurried(period: Duration) -> Interval {
    let mut interval = tokio::time::interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

async fn edits(folder: &mut Option<Folder>) {
    match folder {
        Some(folder) => folder.changed().await,
        None => std::future::pending().await,
    }
}

async fn rung(bell: &mut Option<Bell>) {
    match bell {
        Some(bell) => bell.rung().await,
        None => std::future::pending().await,
    }
}

async fn ended(hooks: &mut JoinSet<()>) {
    while hooks.join_next().await.is_some() {}
}

async fn grace(ends: Option<Instant>) {
    if let Some(ends) = ends {
        tokio::time::sleep_until(ends).await;
    }
}
