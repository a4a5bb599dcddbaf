//! The one door for change.

use chrono::{DateTime, Utc};

use super::event::Head;
use super::group::Group;
use super::{Change, Refusal, Store};
use crate::base::{Event, Result};
use crate::db::Conn;

/// Tells those who listen, see [`Store::bell`], that somebody wrote events who does not lead.
const NOTIFY_POSTGRES: &str = "SELECT pg_notify('galen', '')";

impl Store {
    /// Makes `changes`, in order and in one transaction: each is checked against the state it meets, including what those
    /// before it made of it, and recorded as an event bound to the one before. One that is refused changes nothing; the
    /// others go on. The result has an item for each change.
    ///
    /// The chain's head is locked first, so two callers never work on the same state: of two that claim the same task
    /// instance one gets a [`Refusal`].
    ///
    /// # Errors
    /// The database's; nothing was changed then, unless the connection was lost during the commit (a transient error): read the states before going on.
    pub async fn apply(
        &self,
        actor: &str,
        at: DateTime<Utc>,
        changes: Vec<Change>,
    ) -> Result<Vec<Result<Event, Refusal>>> {
        Ok(self
            .make(actor, at, None, changes)
            .await?
            .unwrap_or_default())
    }

    /// As [`Store::apply`], but only if `seen` is still the last event: whoever decided from what they knew then decides from what
    /// is. `None`: somebody else wrote since, and nothing was changed.
    ///
    /// # Errors
    /// As for [`Store::apply`].
    pub async fn apply_after(
        &self,
        actor: &str,
        at: DateTime<Utc>,
        seen: u64,
        changes: Vec<Change>,
    ) -> Result<Option<Vec<Result<Event, Refusal>>>> {
        self.make(actor, at, Some(seen), changes).await
    }

    async fn make(
        &self,
        actor: &str,
        at: DateTime<Utc>,
        seen: Option<u64>,
        changes: Vec<Change>,
    ) -> Result<Option<Vec<Result<Event, Refusal>>>> {
        if changes.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let mut tx = self.database.begin().await?;
        let mut head = Head::lock(tx.conn()?).await?;
        if seen.is_some_and(|seen| seen != head.seq) {
            // nothing was written; ending in order keeps the connection
            tx.commit().await?;
            return Ok(None);
        }
        let mut group = Group::load(tx.conn()?, &changes).await?;

        let mut events = Vec::with_capacity(changes.len());
        let mut refusals = Vec::with_capacity(changes.len());
        for change in changes {
            match group.make(at, change) {
                Ok((subject, kind)) => {
                    events.push(head.chain(at, actor, subject, kind)?);
                    refusals.push(None);
                }
                Err(refusal) => refusals.push(Some(refusal)),
            }
        }

        if !events.is_empty() {
            group.write(tx.conn()?, at).await?;
            head.append(tx.conn()?, &events).await?;
            // who names what it has seen leads, and waits for others only
            if seen.is_none()
                && let Conn::Postgres(conn) = tx.conn()?
            {
                sqlx::query(NOTIFY_POSTGRES).execute(conn).await?;
            }
        }
        tx.commit().await?;

        let mut events = events.into_iter().map(|(event, _)| Ok(event));
        let outcome = |refusal: Option<Refusal>| match refusal {
            Some(refusal) => Some(Err(refusal)),
            None => events.next(),
        };
        Ok(Some(refusals.into_iter().filter_map(outcome).collect()))
    }
}
