//! Backfills and what each does with each of its dates.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sqlx::FromRow;

use super::run::json_text;
use super::{NewBackfill, Store};
use crate::base::{BackfillId, DagId, Interval, Result, RunId};
use crate::db::{AnyRow, Conn, Filter, Rows, on_conn};

/// How a backfill stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BackfillState {
    /// Makes runs.
    Running,
    /// Makes no more runs until it is resumed.
    Paused,
    /// Over.
    Done,
}

/// A backfill as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Backfill {
    /// Its name.
    pub backfill_id: BackfillId,
    /// Its DAG.
    pub dag_id: DagId,
    /// From the start of its first interval to the end of its last.
    pub span: Interval,
    /// How it goes about it, opaque here.
    pub options: Map<String, Value>,
    /// How it stands.
    pub state: BackfillState,
    /// When it was recorded.
    pub created_at: DateTime<Utc>,
}

/// One date of a backfill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackfillDate {
    /// Its backfill.
    pub backfill_id: BackfillId,
    /// Start of its interval.
    pub interval_start: DateTime<Utc>,
    /// The run made or reopened for it, or the one already there.
    pub run_id: Option<RunId>,
    /// What was done or why nothing was; `None`: not decided yet.
    pub outcome: Option<String>,
}

const LIST: &str = "SELECT * FROM backfills {where} ORDER BY created_at DESC, backfill_id DESC";
const BY_ID: &str = "SELECT * FROM backfills WHERE backfill_id = $1";
const DATES: &str = "SELECT * FROM backfill_dates WHERE backfill_id = $1 ORDER BY interval_start";
const LOAD: &str =
    "SELECT b.* FROM ({rows}) AS v CROSS JOIN backfills AS b WHERE b.backfill_id = v.backfill_id";
const LOAD_OPEN: &str = "SELECT b.* FROM ({rows}) AS v CROSS JOIN backfills AS b WHERE b.dag_id = v.dag_id AND b.state <> 'done'";
const WRITE: &str = "INSERT INTO backfills (backfill_id, dag_id, starts_at, ends_at, options, state, created_at)
    SELECT backfill_id, dag_id, starts_at, ends_at, options, state, created_at FROM ({rows}) AS v WHERE true
    ON CONFLICT (backfill_id) DO UPDATE SET state = excluded.state";
const WRITE_DATES: &str = "INSERT INTO backfill_dates (backfill_id, interval_start, run_id, outcome)
    SELECT backfill_id, interval_start, run_id, outcome FROM ({rows}) AS v WHERE true
    ON CONFLICT (backfill_id, interval_start) DO UPDATE SET run_id = excluded.run_id, outcome = excluded.outcome";

impl BackfillState {
    /// The name as stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Done => "done",
        }
    }
}

impl std::str::FromStr for BackfillState {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = [Self::Running, Self::Paused, Self::Done]
            .into_iter()
            .find(|state| state.as_str() == text);
        found.ok_or("not the state of a backfill")
    }
}

impl std::fmt::Display for BackfillState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl<'r, R: AnyRow> FromRow<'r, R> for Backfill {
    fn from_row(row: &'r R) -> sqlx::Result<Self> {
        Ok(Self {
            backfill_id: BackfillId::new(row.text("backfill_id")?),
            dag_id: DagId::new(row.text("dag_id")?),
            span: Interval {
                start: row.time("starts_at")?,
                end: row.time("ends_at")?,
            },
            options: row.json("options")?,
            state: row.parsed("state")?,
            created_at: row.time("created_at")?,
        })
    }
}

impl<'r, R: AnyRow> FromRow<'r, R> for BackfillDate {
    fn from_row(row: &'r R) -> sqlx::Result<Self> {
        Ok(Self {
            backfill_id: BackfillId::new(row.text("backfill_id")?),
            interval_start: row.time("interval_start")?,
            run_id: row.text_or_null("run_id")?.map(RunId::new),
            outcome: row.text_or_null("outcome")?,
        })
    }
}

impl Store {
    /// Backfills, of one DAG and in one of `states` when these are given, the newest first.
    ///
    /// # Errors
    /// The database's.
    pub async fn backfills(
        &self,
        dag_id: Option<&DagId>,
        states: &[BackfillState],
    ) -> Result<Vec<Backfill>> {
        let mut wanted = Filter::default();
        wanted.text("dag_id = {}", dag_id.map(DagId::as_str));
        wanted.one_of("state", states.iter().map(|state| state.as_str()));
        let mut read = self.database.read().await?;
        wanted.fetch(read.conn()?, LIST, None).await
    }

    /// The backfill called `backfill_id`.
    ///
    /// # Errors
    /// The database's.
    pub async fn backfill(&self, backfill_id: &BackfillId) -> Result<Option<Backfill>> {
        let mut read = self.database.read().await?;
        Ok(on_conn!(read.conn()?, c =>
            sqlx::query_as(BY_ID).bind(backfill_id.as_str()).fetch_optional(&mut *c).await)?)
    }

    /// The dates of a backfill, in order.
    ///
    /// # Errors
    /// The database's.
    pub async fn backfill_dates(&self, backfill_id: &BackfillId) -> Result<Vec<BackfillDate>> {
        let mut read = self.database.read().await?;
        Ok(on_conn!(read.conn()?, c =>
            sqlx::query_as(DATES).bind(backfill_id.as_str()).fetch_all(&mut *c).await)?)
    }
}

impl Backfill {
    pub(super) fn new(new: &NewBackfill, at: DateTime<Utc>) -> Self {
        Self {
            backfill_id: new.backfill_id.clone(),
            dag_id: new.dag_id.clone(),
            span: new.span,
            options: new.options.clone(),
            state: BackfillState::Running,
            created_at: at,
        }
    }

    /// Whether another one of the same DAG would get in its way.
    pub(super) fn blocks(&self, dag_id: &DagId, span: Interval) -> bool {
        self.state != BackfillState::Done
            && self.dag_id == *dag_id
            && self.span.start < span.end
            && span.start < self.span.end
    }

    /// Those of `ids`, and those of `dags` that are not done.
    pub(super) async fn load(
        mut conn: Conn<'_>,
        ids: &[&BackfillId],
        dags: &[&DagId],
    ) -> Result<Vec<Self>> {
        let by_id = Rows::new().text("backfill_id", ids.iter().map(|id| id.as_str()));
        let mut found: Vec<Self> = by_id.fetch(conn.again(), LOAD).await?;
        let by_dag = Rows::new().text("dag_id", dags.iter().map(|id| id.as_str()));
        found.extend(by_dag.fetch::<Self>(conn, LOAD_OPEN).await?);
        Ok(found)
    }

    pub(super) async fn write(conn: Conn<'_>, backfills: &[&Self]) -> Result<()> {
        let rows = Rows::new()
            .text(
                "backfill_id",
                backfills.iter().map(|b| b.backfill_id.as_str()),
            )
            .text("dag_id", backfills.iter().map(|b| b.dag_id.as_str()))
            .time("starts_at", backfills.iter().map(|b| b.span.start))
            .time("ends_at", backfills.iter().map(|b| b.span.end))
            .text("options", backfills.iter().map(|b| json_text(&b.options)))
            .text("state", backfills.iter().map(|b| b.state.as_str()))
            .time("created_at", backfills.iter().map(|b| b.created_at));
        rows.execute(conn, WRITE).await.map(drop)
    }
}

impl BackfillDate {
    pub(super) async fn write(conn: Conn<'_>, dates: &[&Self]) -> Result<()> {
        let rows = Rows::new()
            .text(
                "backfill_id",
                dates.iter().map(|date| date.backfill_id.as_str()),
            )
            .time(
                "interval_start",
                dates.iter().map(|date| date.interval_start),
            )
            .nullable_text(
                "run_id",
                dates
                    .iter()
                    .map(|date| date.run_id.as_ref().map(RunId::as_str)),
            )
            .nullable_text("outcome", dates.iter().map(|date| date.outcome.as_deref()));
        rows.execute(conn, WRITE_DATES).await.map(drop)
    }
}
