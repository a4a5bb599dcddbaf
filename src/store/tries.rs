//! Tries: each time a task instance was started.

use chrono::{DateTime, Utc};
use sqlx::FromRow;

use super::Store;
use crate::base::{Result, RunId, TaskId};
use crate::db::{AnyRow, Conn, Filter, Rows};

/// How a try stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TryState {
    /// At work.
    Running,
    /// Ended well.
    Success,
    /// Ended badly.
    Failed,
    /// Cut off by the death or the stop of its process.
    Interrupted,
    /// Waits, and goes on as the same try.
    Deferred,
    /// Found nothing to do.
    Skipped,
    /// Stopped by a person.
    Cancelled,
}

/// One try as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Try {
    /// Its run.
    pub run_id: RunId,
    /// Its task.
    pub task_id: TaskId,
    /// From 1.
    pub try_number: u32,
    /// How it stands.
    pub state: TryState,
    /// The process that ran it.
    pub owner: String,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Why it did not end well.
    pub error: Option<String>,
}

const LIST: &str = "SELECT * FROM tries {where} ORDER BY started_at, task_id, try_number";
const WRITE: &str = "INSERT INTO tries (run_id, task_id, try_number, state, owner, started_at, ended_at, error)
    SELECT run_id, task_id, try_number, state, owner, started_at, ended_at, error FROM ({rows}) AS v WHERE true
    ON CONFLICT (run_id, task_id, try_number) DO UPDATE SET state = excluded.state, owner = excluded.owner, ended_at = excluded.ended_at, error = excluded.error";

impl TryState {
    /// Every state, in declaration order.
    const ALL: [Self; 7] = [
        Self::Running,
        Self::Success,
        Self::Failed,
        Self::Interrupted,
        Self::Deferred,
        Self::Skipped,
        Self::Cancelled,
    ];

    /// The name as stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
            Self::Deferred => "deferred",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
        }
    }
}

impl std::str::FromStr for TryState {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|state| state.as_str() == text);
        found.ok_or("not the state of a try")
    }
}

impl std::fmt::Display for TryState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl<'r, R: AnyRow> FromRow<'r, R> for Try {
    fn from_row(row: &'r R) -> sqlx::Result<Self> {
        Ok(Self {
            run_id: RunId::new(row.text("run_id")?),
            task_id: TaskId::new(row.text("task_id")?),
            try_number: row.small("try_number")?,
            state: row.parsed("state")?,
            owner: row.text("owner")?,
            started_at: row.time("started_at")?,
            ended_at: row.time_or_null("ended_at")?,
            error: row.text_or_null("error")?,
        })
    }
}

impl Store {
    /// The tries of a run, or of one of its tasks, in the order they began.
    ///
    /// # Errors
    /// The database's.
    pub async fn tries(&self, run_id: &RunId, task_id: Option<&TaskId>) -> Result<Vec<Try>> {
        let mut wanted = Filter::default();
        wanted.text("run_id = {}", Some(run_id.as_str()));
        wanted.text("task_id = {}", task_id.map(TaskId::as_str));
        let mut read = self.database.read().await?;
        wanted.fetch(read.conn()?, LIST, None).await
    }
}

impl Try {
    pub(super) async fn write(conn: Conn<'_>, tries: &[&Self]) -> Result<()> {
        let rows = Rows::new()
            .text("run_id", tries.iter().map(|t| t.run_id.as_str()))
            .text("task_id", tries.iter().map(|t| t.task_id.as_str()))
            .int("try_number", tries.iter().map(|t| i64::from(t.try_number)))
            .text("state", tries.iter().map(|t| t.state.as_str()))
            .text("owner", tries.iter().map(|t| t.owner.as_str()))
            .time("started_at", tries.iter().map(|t| t.started_at))
            .time("ended_at", tries.iter().map(|t| t.ended_at))
            .nullable_text("error", tries.iter().map(|t| t.error.as_deref()));
        rows.execute(conn, WRITE).await.map(drop)
    }
}
