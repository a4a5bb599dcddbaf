//! Task instances.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sqlx::FromRow;

use super::run::json_text;
use super::{Store, Try, TryState};
use crate::base::{Counts, EventKind, Result, RunId, TaskId, TaskState, TransitionError};
use crate::db::{AnyRow, Conn, Rows};

/// A task instance as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskInstance {
    /// Its run.
    pub run_id: RunId,
    /// Its task.
    pub task_id: TaskId,
    /// Its place in the DAG's order, from 0.
    pub position: u32,
    /// Its state.
    pub state: TaskState,
    /// Number of the last try, over its whole life; 0 before the first.
    pub try_number: u32,
    /// Failed tries since it was last cleared; what `retries` is held against. Interrupted tries do not count.
    pub failures: u32,
    /// When the next try is due, or a deferred one goes on.
    pub next_at: Option<DateTime<Utc>>,
    /// When the last try began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// The process of the last try.
    pub owner: Option<String>,
    /// What became of the records, once it succeeded.
    pub counts: Option<Counts>,
    /// Rows per table.
    pub tables: BTreeMap<String, Counts>,
    /// Small values for later templates.
    pub outputs: Map<String, Value>,
    /// Why the last try failed, or why it was skipped; none where a stopped run left it out.
    pub error: Option<String>,
    /// The way out.
    pub hint: Option<String>,
}

const OF_RUNS: &str =
    "SELECT t.* FROM ({rows}) AS v CROSS JOIN tasks AS t WHERE t.run_id = v.run_id";
const LOAD: &str = "SELECT t.* FROM ({rows}) AS v CROSS JOIN tasks AS t WHERE t.run_id = v.run_id AND t.task_id = v.task_id";
const WRITE: &str = "INSERT INTO tasks (run_id, task_id, position, state, try_number, failures, next_at, started_at, ended_at, owner, counts, tables, outputs, error, hint)
    SELECT run_id, task_id, position, state, try_number, failures, next_at, started_at, ended_at, owner, counts, tables, outputs, error, hint FROM ({rows}) AS v WHERE true
    ON CONFLICT (run_id, task_id) DO UPDATE SET state = excluded.state, try_number = excluded.try_number, failures = excluded.failures, next_at = excluded.next_at,
        started_at = excluded.started_at, ended_at = excluded.ended_at, owner = excluded.owner, counts = excluded.counts, tables = excluded.tables, outputs = excluded.outputs,
        error = excluded.error, hint = excluded.hint";

impl<'r, R: AnyRow> FromRow<'r, R> for TaskInstance {
    fn from_row(row: &'r R) -> sqlx::Result<Self> {
        Ok(Self {
            run_id: RunId::new(row.text("run_id")?),
            task_id: TaskId::new(row.text("task_id")?),
            position: row.small("position")?,
            state: row.parsed("state")?,
            try_number: row.small("try_number")?,
            failures: row.small("failures")?,
            next_at: row.time_or_null("next_at")?,
            started_at: row.time_or_null("started_at")?,
            ended_at: row.time_or_null("ended_at")?,
            owner: row.text_or_null("owner")?,
            counts: row.json_or_null("counts")?,
            tables: row.json_or_null("tables")?.unwrap_or_default(),
            outputs: row.json_or_null("outputs")?.unwrap_or_default(),
            error: row.text_or_null("error")?,
            hint: row.text_or_null("hint")?,
        })
    }
}

impl Store {
    /// The task instances of a run, in the DAG's order.
    ///
    /// # Errors
    /// The database's.
    pub async fn tasks(&self, run_id: &RunId) -> Result<Vec<TaskInstance>> {
        self.tasks_of(std::slice::from_ref(run_id)).await
    }

    /// The task instances of several runs, by run and in the DAG's order.
    ///
    /// # Errors
    /// The database's.
    pub async fn tasks_of(&self, run_ids: &[RunId]) -> Result<Vec<TaskInstance>> {
        let rows = Rows::new().text("run_id", run_ids.iter().map(RunId::as_str));
        let mut read = self.database.read().await?;
        let mut tasks: Vec<TaskInstance> = rows.fetch(read.conn()?, OF_RUNS).await?;
        tasks.sort_by(|a, b| (&a.run_id, a.position).cmp(&(&b.run_id, b.position)));
        Ok(tasks)
    }
}

impl TaskInstance {
    /// Whether it did not start because its run was stopped, by a person or by its time limit. Every other skip has a reason.
    pub fn was_left_out(&self) -> bool {
        self.state == TaskState::Skipped && self.error.is_none()
    }

    pub(super) fn new(run_id: RunId, task_id: TaskId, position: u32) -> Self {
        Self {
            run_id,
            task_id,
            position,
            state: TaskState::None,
            try_number: 0,
            failures: 0,
            next_at: None,
            started_at: None,
            ended_at: None,
            owner: None,
            counts: None,
            tables: BTreeMap::new(),
            outputs: Map::new(),
            error: None,
            hint: None,
        }
    }

    /// Follows `event`; gives back the try it opened, closed or let rest.
    pub(super) fn apply(
        &mut self,
        at: DateTime<Utc>,
        event: &EventKind,
    ) -> Result<Option<Try>, TransitionError> {
        let was = self.state;
        self.state = was.apply(event)?;
        if let EventKind::TaskStarted { r#try, owner } = event {
            self.start(at, *r#try, owner);
        }
        let touched = self.touched_try(was, at, event);
        self.note(event);
        self.ended_at = self.state.is_terminal().then_some(at);
        Ok(touched)
    }

    fn start(&mut self, at: DateTime<Utc>, number: u32, owner: &str) {
        // what goes on after a deferral is the same try
        if self.try_number != number || self.started_at.is_none() {
            self.started_at = Some(at);
        }
        self.try_number = number;
        self.owner = Some(owner.to_owned());
        self.next_at = None;
        self.error = None;
        self.hint = None;
    }

    fn note(&mut self, event: &EventKind) {
        use EventKind as E;
        match event {
            E::TaskScheduled => self.next_at = None,
            E::TaskSucceeded {
                counts,
                tables,
                outputs,
                ..
            } => {
                self.counts = Some(*counts);
                self.tables = tables.clone();
                self.outputs = outputs.clone();
            }
            E::TaskFailed { error, hint } => {
                self.failures += 1;
                self.error = Some(clean(error));
                self.hint = hint.as_deref().map(clean);
            }
            E::TaskRetryPlanned { error, at } => {
                self.failures += 1;
                self.error = Some(clean(error));
                self.next_at = Some(*at);
            }
            E::TaskDeferred { until } => self.next_at = Some(*until),
            E::TaskSkipped { reason } => self.error = Some(clean(reason)),
            E::TaskCancelled => {
                self.next_at = None;
                if self.state == TaskState::Skipped {
                    // what is known of an earlier try is no reason to skip
                    self.error = None;
                    self.hint = None;
                }
            }
            E::TaskCleared => {
                *self = Self {
                    try_number: self.try_number,
                    state: self.state,
                    ..Self::new(self.run_id.clone(), self.task_id.clone(), self.position)
                };
            }
            _ => {}
        }
    }

    fn touched_try(&self, was: TaskState, at: DateTime<Utc>, event: &EventKind) -> Option<Try> {
        use EventKind as E;
        let open = matches!(was, TaskState::Running | TaskState::Deferred);
        let (state, error) = match event {
            E::TaskStarted { .. } => (TryState::Running, None),
            _ if !open => return None,
            E::TaskSucceeded { .. } => (TryState::Success, None),
            E::TaskFailed { error, .. } | E::TaskRetryPlanned { error, .. } => {
                (TryState::Failed, Some(error))
            }
            E::TaskInterrupted { reason } => (TryState::Interrupted, Some(reason)),
            E::TaskDeferred { .. } => (TryState::Deferred, None),
            E::TaskSkipped { reason } => (TryState::Skipped, Some(reason)),
            E::TaskCancelled | E::TaskCleared => (TryState::Cancelled, None),
            _ => return None,
        };
        let resting = matches!(state, TryState::Running | TryState::Deferred);
        Some(Try {
            run_id: self.run_id.clone(),
            task_id: self.task_id.clone(),
            try_number: self.try_number,
            state,
            owner: self.owner.clone().unwrap_or_default(),
            started_at: self.started_at.unwrap_or(at),
            ended_at: (!resting).then_some(at),
            error: error.map(|text| clean(text)),
        })
    }

    pub(super) async fn load(conn: Conn<'_>, ids: &[(&RunId, &TaskId)]) -> Result<Vec<Self>> {
        let rows = Rows::new()
            .text("run_id", ids.iter().map(|(run, _)| run.as_str()))
            .text("task_id", ids.iter().map(|(_, task)| task.as_str()));
        rows.fetch(conn, LOAD).await
    }

    pub(super) async fn write(conn: Conn<'_>, tasks: &[&Self]) -> Result<()> {
        let rows = Rows::new()
            .text("run_id", tasks.iter().map(|task| task.run_id.as_str()))
            .text("task_id", tasks.iter().map(|task| task.task_id.as_str()))
            .int(
                "position",
                tasks.iter().map(|task| i64::from(task.position)),
            )
            .text("state", tasks.iter().map(|task| task.state.as_str()))
            .int(
                "try_number",
                tasks.iter().map(|task| i64::from(task.try_number)),
            )
            .int(
                "failures",
                tasks.iter().map(|task| i64::from(task.failures)),
            )
            .time("next_at", tasks.iter().map(|task| task.next_at))
            .time("started_at", tasks.iter().map(|task| task.started_at))
            .time("ended_at", tasks.iter().map(|task| task.ended_at))
            .nullable_text("owner", tasks.iter().map(|task| task.owner.as_deref()))
            .nullable_text("counts", tasks.iter().map(|task| task.counts_text()))
            .nullable_text("tables", tasks.iter().map(|task| task.tables_text()))
            .nullable_text("outputs", tasks.iter().map(|task| task.outputs_text()))
            .nullable_text("error", tasks.iter().map(|task| task.error.as_deref()))
            .nullable_text("hint", tasks.iter().map(|task| task.hint.as_deref()));
        rows.execute(conn, WRITE).await.map(drop)
    }

    fn counts_text(&self) -> Option<String> {
        self.counts
            .and_then(|counts| serde_json::to_string(&counts).ok())
    }

    fn tables_text(&self) -> Option<String> {
        let tables = Some(&self.tables).filter(|tables| !tables.is_empty())?;
        serde_json::to_string(tables).ok()
    }

    fn outputs_text(&self) -> Option<String> {
        (!self.outputs.is_empty()).then(|| json_text(&self.outputs))
    }
}

/// A text both databases can keep: PostgreSQL has no place for a NUL.
pub(super) fn clean(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stopped_run_left_out_is_told_from_what_need_not_run() {
        let apply = |events: &[EventKind]| {
            let mut task = TaskInstance::new("r".into(), "t".into(), 0);
            for event in events {
                let applied = task.apply(DateTime::UNIX_EPOCH, event);
                applied.expect("a possible event");
            }
            task
        };
        let reason = "`when` is false".to_owned();
        assert!(!apply(&[EventKind::TaskSkipped { reason }]).was_left_out());
        assert!(apply(&[EventKind::TaskCancelled]).was_left_out());
        let started = EventKind::TaskStarted {
            r#try: 1,
            owner: "a".to_owned(),
        };
        let failed = EventKind::TaskRetryPlanned {
            error: "no".to_owned(),
            at: DateTime::UNIX_EPOCH,
        };
        let scheduled = EventKind::TaskScheduled;
        let waits_again = [
            scheduled.clone(),
            EventKind::TaskQueued,
            started,
            failed,
            scheduled,
            EventKind::TaskCancelled,
        ];
        assert!(apply(&waits_again).was_left_out());
    }
}
