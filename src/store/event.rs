//! The chain of events: reading and appending.

use chrono::{DateTime, Utc};
use sqlx::FromRow;

use super::Store;
use crate::base::{
    DagId, Digest, Error, Event, EventKind, Result, RunId, Subject, TaskId, chain_hash,
};
use crate::db::{AnyRow, Conn, Filter, Rows, on_conn};

/// An event as it stands in the table, with the very text that was hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawEvent {
    /// Place in the chain; a tampered one may be any number.
    pub seq: i64,
    /// When; `None` when what stands there is no time any more.
    pub at: Option<DateTime<Utc>>,
    /// Who.
    pub actor: String,
    /// About what.
    pub subject: Subject,
    /// The event's name, as in `data`.
    pub name: String,
    /// The event's JSON.
    pub data: String,
    /// Hash of the event before.
    pub previous: String,
    /// Its hash.
    pub hash: String,
}

/// Which events to list; the default is all.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// About this DAG, its runs and their tasks.
    pub dag: Option<DagId>,
    /// About this run and its tasks.
    pub run: Option<RunId>,
    /// About tasks of this name.
    pub task: Option<TaskId>,
    /// With one of these names; empty: any.
    pub names: Vec<String>,
    /// At or after.
    pub from: Option<DateTime<Utc>>,
    /// Before.
    pub to: Option<DateTime<Utc>>,
    /// At most so many.
    pub limit: Option<u32>,
}

/// The end of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub seq: u64,
    pub hash: Digest,
}

const READ_HEAD: &str = "SELECT seq, hash FROM event_head";
/// SQLite's writer is alone anyway.
const LOCK_HEAD_SQLITE: &str = READ_HEAD;
const LOCK_HEAD_POSTGRES: &str = "SELECT seq, hash FROM event_head FOR UPDATE";
const MOVE_HEAD: &str = "UPDATE event_head SET seq = $1, hash = $2";
const AFTER: &str = "SELECT * FROM events WHERE seq > $1 ORDER BY seq LIMIT $2";
const LIST: &str = "SELECT * FROM events {where} ORDER BY seq DESC";
const APPEND: &str =
    "INSERT INTO events (seq, at, actor, dag_id, run_id, task_id, name, data, previous, hash)
    SELECT seq, at, actor, dag_id, run_id, task_id, name, data, previous, hash FROM ({rows}) AS v";

impl<'r, R: AnyRow> FromRow<'r, R> for RawEvent {
    fn from_row(row: &'r R) -> sqlx::Result<Self> {
        let dag = row.text_or_null("dag_id")?.map(DagId::new);
        let run = row.text_or_null("run_id")?.map(RunId::new);
        let task = row.text_or_null("task_id")?.map(TaskId::new);
        let subject = match (dag, run, task) {
            (Some(dag), Some(run), Some(task)) => Subject::Task(dag, run, task),
            (Some(dag), Some(run), None) => Subject::Run(dag, run),
            (Some(dag), ..) => Subject::Dag(dag),
            (None, ..) => Subject::System,
        };
        Ok(Self {
            seq: row.int("seq")?,
            at: row.time("at").ok(),
            actor: row.text("actor")?,
            subject,
            name: row.text("name")?,
            data: row.text("data")?,
            previous: row.text("previous")?,
            hash: row.text("hash")?,
        })
    }
}

impl<'r, R: AnyRow> FromRow<'r, R> for Head {
    fn from_row(row: &'r R) -> sqlx::Result<Self> {
        Ok(Self {
            seq: row.count("seq")?,
            hash: row.digest("hash")?,
        })
    }
}

impl RawEvent {
    /// The text its hash was made of if it stands at `seq`; `None` without a time.
    pub fn canonical(&self, seq: u64) -> Option<String> {
        Some(Event::canonical(
            seq,
            self.at?,
            &self.actor,
            &self.subject,
            &self.data,
        ))
    }

    /// Whether its hash was made of it, standing at `seq`.
    pub(super) fn holds_at(&self, seq: u64) -> bool {
        let hash = Digest::parse(&self.previous)
            .zip(self.canonical(seq))
            .map(|(previous, canonical)| chain_hash(&previous, &canonical));
        hash.is_some_and(|hash| hash.to_string() == self.hash)
    }

    /// The event it stands for.
    ///
    /// # Errors
    /// When it was tampered with or written by a newer version.
    pub fn parse(self) -> Result<Event> {
        let seq = self.seq;
        self.into_event().ok_or_else(|| {
            Error::new(format!("event {seq} cannot be read"))
                .hint("`galen audit verify` says whether it was changed")
        })
    }

    fn into_event(self) -> Option<Event> {
        let kind: EventKind = serde_json::from_str(&self.data).ok()?;
        let event = Event {
            seq: self.seq.try_into().ok()?,
            at: self.at?,
            actor: self.actor,
            subject: self.subject,
            previous: Digest::parse(&self.previous)?,
            hash: Digest::parse(&self.hash)?,
            kind,
        };
        (event.kind.name() == self.name).then_some(event)
    }
}

impl Store {
    /// Number of the last event; 0 when there is none. Cheap, for those who follow.
    ///
    /// # Errors
    /// The database's.
    pub async fn position(&self) -> Result<u64> {
        Ok(self.read_head().await?.seq)
    }

    /// Number and hash of the last event: keep them elsewhere, and a later rewriting of the whole chain shows.
    ///
    /// # Errors
    /// The database's.
    pub async fn head(&self) -> Result<(u64, Digest)> {
        let head = self.read_head().await?;
        Ok((head.seq, head.hash))
    }

    pub(super) async fn read_head(&self) -> Result<Head> {
        let mut read = self.database.read().await?;
        Ok(on_conn!(read.conn()?, c => sqlx::query_as(READ_HEAD).fetch_one(&mut *c).await)?)
    }

    /// At most `limit` events after number `seq`, in order.
    ///
    /// # Errors
    /// The database's, or an event that cannot be read.
    pub async fn events_after(&self, seq: u64, limit: u32) -> Result<Vec<Event>> {
        let raw = self.raw_events_after(seq.cast_signed(), limit).await?;
        raw.into_iter().map(RawEvent::parse).collect()
    }

    /// The same, as they stand in the table; for export and verification.
    ///
    /// # Errors
    /// The database's.
    pub async fn raw_events_after(&self, seq: i64, limit: u32) -> Result<Vec<RawEvent>> {
        let mut read = self.database.read().await?;
        Ok(on_conn!(read.conn()?, c => sqlx::query_as(AFTER)
            .bind(seq)
            .bind(i64::from(limit))
            .fetch_all(&mut *c).await)?)
    }

    /// The events `filter` lets through, the newest first.
    ///
    /// # Errors
    /// The database's, or an event that cannot be read.
    pub async fn events(&self, filter: &EventFilter) -> Result<Vec<Event>> {
        let mut wanted = Filter::default();
        wanted.text("dag_id = {}", filter.dag.as_ref().map(DagId::as_str));
        wanted.text("run_id = {}", filter.run.as_ref().map(RunId::as_str));
        wanted.text("task_id = {}", filter.task.as_ref().map(TaskId::as_str));
        wanted.one_of("name", filter.names.iter().map(String::as_str));
        wanted.time("at >= {}", filter.from);
        wanted.time("at < {}", filter.to);
        let mut read = self.database.read().await?;
        let raw: Vec<RawEvent> = wanted.fetch(read.conn()?, LIST, filter.limit).await?;
        raw.into_iter().map(RawEvent::parse).collect()
    }
}

impl Head {
    /// Reads the head and keeps everybody else from the door until the transaction ends.
    pub(super) async fn lock(conn: Conn<'_>) -> Result<Self> {
        let sql = if conn.is_postgres() {
            LOCK_HEAD_POSTGRES
        } else {
            LOCK_HEAD_SQLITE
        };
        Ok(on_conn!(conn, c => sqlx::query_as(sql).fetch_one(&mut *c).await)?)
    }

    /// Binds `kind` to the end of the chain; returns the event and the text that was hashed for it.
    pub(super) fn chain(
        &mut self,
        at: DateTime<Utc>,
        actor: &str,
        subject: Subject,
        kind: EventKind,
    ) -> Result<(Event, String)> {
        let data = serde_json::to_string(&kind)
            .map_err(|error| Error::new(format!("event `{kind}` has no JSON")).because(error))?;
        let seq = self.seq + 1;
        let previous = self.hash;
        let canonical = Event::canonical(seq, at, actor, &subject, &data);
        let hash = chain_hash(&previous, &canonical);
        *self = Self { seq, hash };
        let actor = actor.to_owned();
        let event = Event {
            seq,
            at,
            actor,
            subject,
            kind,
            previous,
            hash,
        };
        Ok((event, data))
    }

    /// Writes the events, and itself as the new head.
    pub(super) async fn append(self, mut conn: Conn<'_>, events: &[(Event, String)]) -> Result<()> {
        let ids: Vec<_> = events
            .iter()
            .map(|(event, _)| ids(&event.subject))
            .collect();
        let rows = Rows::new()
            .int(
                "seq",
                events.iter().map(|(event, _)| event.seq.cast_signed()),
            )
            .time("at", events.iter().map(|(event, _)| event.at))
            .text(
                "actor",
                events.iter().map(|(event, _)| event.actor.as_str()),
            )
            .nullable_text("dag_id", ids.iter().map(|ids| ids.0))
            .nullable_text("run_id", ids.iter().map(|ids| ids.1))
            .nullable_text("task_id", ids.iter().map(|ids| ids.2))
            .text("name", events.iter().map(|(event, _)| event.kind.name()))
            .text("data", events.iter().map(|(_, data)| data.as_str()))
            .text(
                "previous",
                events.iter().map(|(event, _)| event.previous.to_string()),
            )
            .text(
                "hash",
                events.iter().map(|(event, _)| event.hash.to_string()),
            );
        rows.execute(conn.again(), APPEND).await?;
        on_conn!(conn, c => sqlx::query(MOVE_HEAD)
            .bind(self.seq.cast_signed())
            .bind(self.hash.to_string())
            .execute(&mut *c).await.map(drop))?;
        Ok(())
    }
}

fn ids(subject: &Subject) -> (Option<&str>, Option<&str>, Option<&str>) {
    match subject {
        Subject::System => (None, None, None),
        Subject::Dag(dag) => (Some(dag.as_str()), None, None),
        Subject::Run(dag, run) => (Some(dag.as_str()), Some(run.as_str()), None),
        Subject::Task(dag, run, task) => {
            (Some(dag.as_str()), Some(run.as_str()), Some(task.as_str()))
        }
    }
}
