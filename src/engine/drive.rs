//! Seeing runs through: by leading where nobody does, by looking on where somebody does.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::engine::{Engine, Goal};
use super::folder::Folder;
use super::handle::Handle;
use super::lead::{LEADER, Parted, WAITING};
use crate::base::{Error, Event, Result, Subject};
use crate::store::BackfillState;

/// How often one who looks on asks for news.
const NEWS: Duration = Duration::from_millis(100);

/// What one who waits for runs, or for the lead, is told.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// Something happened.
    Event(Box<Event>),
    /// Another process leads, or died while it did; told once of each.
    Led {
        /// The process, as `host:pid`.
        by: String,
        /// When its lease is over, unless it renews it.
        until: DateTime<Utc>,
    },
}

impl Handle {
    /// Leads until told to stop, or stands by while another process leads; `observer` is sent what happens.
    ///
    /// # Errors
    /// When the store is wrong rather than away.
    pub async fn schedule(
        &self,
        observer: UnboundedSender<News>,
        stop: &CancellationToken,
    ) -> Result<()> {
        let mut engine = self.engine(None, observer);
        engine.folder = Some(Folder::watch(self.clone())?);
        engine.bell = Some(self.store.bell()?);
        while !stop.is_cancelled() {
            if self.try_lead(&mut engine).await? {
                tracing::info!(owner = %self.owner, "leading");
                if engine.lead(stop).await? == Parted::Overtaken {
                    tracing::warn!("another process has taken the lead; standing by");
                }
            } else {
                self.wait(stop).await;
            }
        }
        Ok(())
    }

    /// Sees `goal` through to its end and sends what happens to its runs to `observer`. Told to stop, it hands back what it drives itself;
    /// what another process drives goes on. A store that is away is waited for.
    ///
    /// # Errors
    /// When the store is wrong rather than away.
    pub async fn drive(
        &self,
        goal: &Goal,
        observer: UnboundedSender<News>,
        stop: &CancellationToken,
    ) -> Result<()> {
        let mut engine = self.engine(Some(goal.clone()), observer);
        let mut seen = self.store.position().await?;
        while !stop.is_cancelled() {
            let went_on = self.go_on(&mut engine, goal, &mut seen, stop);
            match went_on.await {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) if error.is_transient() => {
                    tracing::warn!(%error, "the store cannot be used; waiting for it");
                    self.wait(stop).await;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// One turn of leading or of looking on; whether there is nothing more to see.
    async fn go_on(
        &self,
        engine: &mut Engine,
        goal: &Goal,
        seen: &mut u64,
        stop: &CancellationToken,
    ) -> Result<bool> {
        if self.is_reached(goal).await? {
            return Ok(true);
        }
        if !self.try_lead(engine).await? {
            self.look_on(engine, goal, seen, stop).await?;
            return Ok(false);
        }
        let parted = engine.lead(stop).await?;
        *seen = engine.seen;
        Ok(parted == Parted::Done)
    }

    async fn wait(&self, stop: &CancellationToken) {
        tokio::select! {
            () = sleep(self.patience()) => {}
            () = stop.cancelled() => {}
        }
    }

    /// Tries to take the lead; announces that somebody waits where that fails. A store that is away counts as a failure.
    async fn try_lead(&self, engine: &mut Engine) -> Result<bool> {
        let ttl = self.settings.engine.lease_ttl;
        let tried = async {
            if engine.try_lead().await? {
                engine.led_by = None;
                return Ok(true);
            }
            self.announce(engine).await?;
            self.store
                .acquire_lease(WAITING, "anyone", ttl, self.clock.now())
                .await?;
            Ok(false)
        };
        match tried.await {
            Err(error) if Error::is_transient(&error) => {
                tracing::warn!(%error, "the store cannot be used; waiting for it");
                Ok(false)
            }
            tried => tried,
        }
    }

    /// Tells the observer who leads, once of each.
    async fn announce(&self, engine: &mut Engine) -> Result<()> {
        let Some(lease) = self.store.lease(LEADER).await? else {
            return Ok(());
        };
        if engine.led_by.as_ref() != Some(&lease.owner) {
            let by = lease.owner.rsplit_once(':');
            engine.inform(News::Led {
                by: by.map_or(&*lease.owner, |(by, _)| by).to_owned(),
                until: lease.expires_at,
            });
            engine.led_by = Some(lease.owner);
        }
        Ok(())
    }

    /// Passes on news for a while.
    async fn look_on(
        &self,
        engine: &Engine,
        goal: &Goal,
        seen: &mut u64,
        stop: &CancellationToken,
    ) -> Result<()> {
        let mut waited = Duration::ZERO;
        let pause = NEWS.min(self.patience());
        while waited < self.patience() && !stop.is_cancelled() {
            let news = self.store.events_after(*seen, 1_000).await?;
            let ended = news
                .iter()
                .any(|event| !matches!(event.subject, Subject::Task(..)));
            for event in news {
                *seen = event.seq;
                engine.inform(News::Event(Box::new(event)));
            }
            if ended && self.is_reached(goal).await? {
                return Ok(());
            }
            sleep(pause).await;
            waited += pause;
        }
        Ok(())
    }

    /// How long one who waits leaves between two tries to take the lead: a dead leader is replaced soon after its lease.
    fn patience(&self) -> Duration {
        self.settings.engine.lease_ttl / 5
    }

    async fn is_reached(&self, goal: &Goal) -> Result<bool> {
        let runs = match goal {
            Goal::Runs(runs) => runs,
            Goal::Backfill(id) => {
                let backfill = self.store.backfill(id).await?;
                return Ok(backfill.is_none_or(|found| found.state != BackfillState::Running));
            }
        };
        for run in runs {
            if self
                .store
                .run(run)
                .await?
                .is_some_and(|row| !row.state.is_terminal())
            {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
