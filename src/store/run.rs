//! Runs.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sqlx::FromRow;

use super::{NewRun, Store};
use crate::base::{
    BackfillId, DagId, Digest, EventKind, Interval, Result, RunId, RunKind, RunState,
    TransitionError,
};
use crate::db::{AnyRow, Conn, Filter, Rows, on_conn};

/// A run as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Its name.
    pub run_id: RunId,
    /// Its DAG.
    pub dag_id: DagId,
    /// The version it keeps.
    pub version: Digest,
    /// Why it exists.
    pub kind: RunKind,
    /// Its state.
    pub state: RunState,
    /// Its data interval.
    pub interval: Interval,
    /// Its parameters.
    pub params: Map<String, Value>,
    /// The backfill it belongs to.
    pub backfill_id: Option<BackfillId>,
    /// How often it was queued, from 1; what `dag_retries` is held against.
    pub attempt: u32,
    /// When it was recorded.
    pub created_at: DateTime<Utc>,
    /// When it last left the queue.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Why it failed.
    pub reason: Option<String>,
}

/// Which runs to list; the default is all.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// Of this DAG.
    pub dag: Option<DagId>,
    /// In one of these states; empty: any.
    pub states: Vec<RunState>,
    /// Of one of these kinds; empty: any.
    pub kinds: Vec<RunKind>,
    /// Whose interval starts at or after.
    pub from: Option<DateTime<Utc>>,
    /// Whose interval starts before.
    pub to: Option<DateTime<Utc>>,
    /// Of this backfill.
    pub backfill: Option<BackfillId>,
    /// At most so many.
    pub limit: Option<u32>,
}

const ACTIVE: &str = "SELECT * FROM runs WHERE state IN ('queued', 'running') ORDER BY interval_start, created_at, run_id";
const BY_ID: &str = "SELECT * FROM runs WHERE run_id = $1";
const LAST_SCHEDULED: &str = "SELECT * FROM runs WHERE dag_id = $1 AND kind = 'scheduled' ORDER BY interval_start DESC LIMIT 1";
const LIST: &str =
    "SELECT * FROM runs {where} ORDER BY created_at DESC, interval_start DESC, run_id DESC";
const AT: &str = "SELECT r.* FROM ({rows}) AS v CROSS JOIN runs AS r WHERE r.dag_id = v.dag_id AND r.interval_start = v.interval_start";
const LOAD: &str = "SELECT r.* FROM ({rows}) AS v CROSS JOIN runs AS r WHERE r.run_id = v.run_id";
const WRITE: &str = "INSERT INTO runs (run_id, dag_id, version, kind, state, interval_start, interval_end, params, backfill_id, attempt, created_at, started_at, ended_at, reason)
    SELECT run_id, dag_id, version, kind, state, interval_start, interval_end, params, backfill_id, attempt, created_at, started_at, ended_at, reason FROM ({rows}) AS v WHERE true
    ON CONFLICT (run_id) DO UPDATE SET state = excluded.state, attempt = excluded.attempt, started_at = excluded.started_at, ended_at = excluded.ended_at, reason = excluded.reason";

impl<'r, R: AnyRow> FromRow<'r, R> for Run {
    fn from_row(row: &'r R) -> sqlx::Result<Self> {
        Ok(Self {
            run_id: RunId::new(row.text("run_id")?),
            dag_id: DagId::new(row.text("dag_id")?),
            version: row.digest("version")?,
            kind: row.parsed("kind")?,
            state: row.parsed("state")?,
            interval: Interval {
                start: row.time("interval_start")?,
                end: row.time("interval_end")?,
            },
            params: row.json("params")?,
            backfill_id: row.text_or_null("backfill_id")?.map(BackfillId::new),
            attempt: row.small("attempt")?,
            created_at: row.time("created_at")?,
            started_at: row.time_or_null("started_at")?,
            ended_at: row.time_or_null("ended_at")?,
            reason: row.text_or_null("reason")?,
        })
    }
}

impl Store {
    /// Runs that are queued or running, the oldest interval first.
    ///
    /// # Errors
    /// The database's; as for every read.
    pub async fn active_runs(&self) -> Result<Vec<Run>> {
        let mut read = self.database.read().await?;
        Ok(on_conn!(read.conn()?, c => sqlx::query_as(ACTIVE).fetch_all(&mut *c).await)?)
    }

    /// The run called `run_id`.
    ///
    /// # Errors
    /// The database's.
    pub async fn run(&self, run_id: &RunId) -> Result<Option<Run>> {
        let mut read = self.database.read().await?;
        Ok(on_conn!(read.conn()?, c =>
            sqlx::query_as(BY_ID).bind(run_id.as_str()).fetch_optional(&mut *c).await)?)
    }

    /// Those of the runs called `run_ids` that there are, in no promised order.
    ///
    /// # Errors
    /// The database's.
    pub async fn runs_called(&self, run_ids: &[RunId]) -> Result<Vec<Run>> {
        let run_ids: Vec<&RunId> = run_ids.iter().collect();
        let mut read = self.database.read().await?;
        Run::load(read.conn()?, &run_ids).await
    }

    /// The runs `filter` lets through, the newest first: by when they were recorded, those of one moment by their interval.
    ///
    /// # Errors
    /// The database's.
    pub async fn runs(&self, filter: &RunFilter) -> Result<Vec<Run>> {
        let states: BTreeSet<&str> = filter.states.iter().map(|state| state.as_str()).collect();
        if states.is_empty() {
            return self.runs_in(None, filter).await;
        }
        // state by state, as an index gives the newest of one state without a look at the others
        let mut runs = Vec::new();
        for state in states {
            runs.extend(self.runs_in(Some(state), filter).await?);
        }
        runs.sort_by(|a, b| b.age().cmp(&a.age()));
        // one that moved from state to state meanwhile was found in both
        runs.dedup_by(|a, b| a.run_id == b.run_id);
        runs.truncate(filter.limit.map_or(usize::MAX, |limit| limit as usize));
        Ok(runs)
    }

    async fn runs_in(&self, state: Option<&str>, filter: &RunFilter) -> Result<Vec<Run>> {
        let mut wanted = Filter::default();
        wanted.text("dag_id = {}", filter.dag.as_ref().map(DagId::as_str));
        wanted.text("state = {}", state);
        wanted.one_of("kind", filter.kinds.iter().map(|kind| kind.as_str()));
        wanted.time("interval_start >= {}", filter.from);
        wanted.time("interval_start < {}", filter.to);
        wanted.text(
            "backfill_id = {}",
            filter.backfill.as_ref().map(BackfillId::as_str),
        );
        let mut read = self.database.read().await?;
        wanted.fetch(read.conn()?, LIST, filter.limit).await
    }

    /// The scheduled run of a DAG with the latest interval.
    ///
    /// # Errors
    /// The database's.
    pub async fn last_scheduled(&self, dag_id: &DagId) -> Result<Option<Run>> {
        let mut read = self.database.read().await?;
        Ok(on_conn!(read.conn()?, c =>
            sqlx::query_as(LAST_SCHEDULED).bind(dag_id.as_str()).fetch_optional(&mut *c).await)?)
    }

    /// The runs of a DAG, of any kind, whose interval starts at one of `starts`; in order of interval and creation.
    ///
    /// # Errors
    /// The database's.
    pub async fn runs_at(&self, dag_id: &DagId, starts: &[DateTime<Utc>]) -> Result<Vec<Run>> {
        let rows = Rows::new()
            .text("dag_id", starts.iter().map(|_| dag_id.as_str()))
            .time("interval_start", starts.iter().copied());
        let mut read = self.database.read().await?;
        let mut runs: Vec<Run> = rows.fetch(read.conn()?, AT).await?;
        runs.sort_by_key(|run| (run.interval, run.created_at));
        Ok(runs)
    }
}

impl Run {
    pub(super) fn new(new: NewRun, at: DateTime<Utc>) -> Self {
        Self {
            run_id: new.run_id,
            dag_id: new.dag_id,
            version: new.version,
            kind: new.kind,
            state: RunState::Queued,
            interval: new.interval,
            params: new.params,
            backfill_id: new.backfill_id,
            attempt: 1,
            created_at: at,
            started_at: None,
            ended_at: None,
            reason: None,
        }
    }

    /// What runs are listed by, as in [`LIST`].
    fn age(&self) -> (DateTime<Utc>, DateTime<Utc>, &RunId) {
        (self.created_at, self.interval.start, &self.run_id)
    }

    pub(super) fn apply(
        &mut self,
        at: DateTime<Utc>,
        event: &EventKind,
    ) -> Result<(), TransitionError> {
        self.state = self.state.apply(event)?;
        match event {
            EventKind::RunStarted => self.started_at = Some(at),
            EventKind::RunFailed { reason } => self.reason = Some(super::task::clean(reason)),
            EventKind::RunReopened { .. } => {
                self.attempt += 1;
                self.started_at = None;
                self.reason = None;
            }
            _ => {}
        }
        self.ended_at = self.state.is_terminal().then_some(at);
        Ok(())
    }

    pub(super) async fn load(conn: Conn<'_>, ids: &[&RunId]) -> Result<Vec<Self>> {
        let rows = Rows::new().text("run_id", ids.iter().map(|id| id.as_str()));
        rows.fetch(conn, LOAD).await
    }

    pub(super) async fn write(conn: Conn<'_>, runs: &[&Self]) -> Result<()> {
        let rows = Rows::new()
            .text("run_id", runs.iter().map(|run| run.run_id.as_str()))
            .text("dag_id", runs.iter().map(|run| run.dag_id.as_str()))
            .text("version", runs.iter().map(|run| run.version.to_string()))
            .text("kind", runs.iter().map(|run| run.kind.as_str()))
            .text("state", runs.iter().map(|run| run.state.as_str()))
            .time("interval_start", runs.iter().map(|run| run.interval.start))
            .time("interval_end", runs.iter().map(|run| run.interval.end))
            .text("params", runs.iter().map(|run| json_text(&run.params)))
            .nullable_text(
                "backfill_id",
                runs.iter()
                    .map(|run| run.backfill_id.as_ref().map(BackfillId::as_str)),
            )
            .int("attempt", runs.iter().map(|run| i64::from(run.attempt)))
            .time("created_at", runs.iter().map(|run| run.created_at))
            .time("started_at", runs.iter().map(|run| run.started_at))
            .time("ended_at", runs.iter().map(|run| run.ended_at))
            .nullable_text("reason", runs.iter().map(|run| run.reason.as_deref()));
        rows.execute(conn, WRITE).await.map(drop)
    }
}

/// A JSON map as the text that is stored.
pub(super) fn json_text(map: &Map<String, Value>) -> String {
    serde_json::to_string(map).unwrap_or_else(|_| "{}".to_owned())
}
