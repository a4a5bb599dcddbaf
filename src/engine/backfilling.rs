//! The engine's part in backfills: the next dates' runs as there is room, and the end.

use super::backfill::Options;
use super::engine::{Engine, Goal};
use super::trigger::planned_run;
use crate::base::{BackfillId, EventKind, Result, RunKind, Subject};
use crate::schedule::Timetable;
use crate::store::{Backfill, BackfillDate, BackfillState, Change, NewRun};

/// A backfill that makes runs, as this process knows it.
pub struct Backfilling {
    stored: Backfill,
    options: Options,
    /// Dates nothing was decided for yet; the next one last.
    pending: Vec<BackfillDate>,
}

impl Engine {
    /// Takes over the backfills in scope that are to make runs.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(super) async fn plan_backfills(&mut self) -> Result<()> {
        self.backfills.clear();
        for stored in self
            .handle
            .store
            .backfills(None, &[BackfillState::Running])
            .await?
        {
            if !self.drives_all() && self.own != Some(Goal::Backfill(stored.backfill_id.clone())) {
                continue;
            }
            let options = Options::of(&stored)?;
            let mut pending = self
                .handle
                .store
                .backfill_dates(&stored.backfill_id)
                .await?;
            pending.retain(|date| date.outcome.is_none());
            if !options.backwards {
                pending.reverse();
            }
            self.backfills.push(Backfilling {
                stored,
                options,
                pending,
            });
        }
        Ok(())
    }

    /// Makes the runs of the next dates where there is room, and ends backfills that are through.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub(super) async fn create_backfill_runs(&mut self) -> Result<()> {
        let mut backfills = std::mem::take(&mut self.backfills);
        let mut result = Ok(());
        for backfill in &mut backfills {
            result = self.next_dates(backfill).await;
            if result.is_err() {
                break;
            }
        }
        backfills.retain(|backfill| backfill.stored.state == BackfillState::Running);
        self.backfills = backfills;
        result
    }

    async fn next_dates(&mut self, backfill: &mut Backfilling) -> Result<()> {
        let id = backfill.stored.backfill_id.clone();
        let subject = Subject::Dag(backfill.stored.dag_id.clone());
        let open = self.open_of(&id);
        if backfill.pending.is_empty() && open == 0 {
            let kind = EventKind::BackfillEnded {
                backfill_id: id.to_string(),
            };
            self.handle
                .apply(vec![Change::Event(subject, kind)])
                .await?;
            backfill.stored.state = BackfillState::Done;
            return Ok(());
        }
        let room = (backfill.options.max_active_runs as usize).saturating_sub(open);
        for _ in 0..room {
            let Some(date) = backfill.pending.last() else {
                break;
            };
            let Some(run) = self.run_of(backfill, date).await? else {
                backfill.pending.pop();
                continue;
            };
            let kind = EventKind::BackfillDate {
                backfill_id: id.to_string(),
                interval_start: date.interval_start,
                run_id: Some(run.run_id.clone()),
                outcome: "created".to_owned(),
            };
            let run_id = run.run_id.clone();
            // both or neither: a date is decided exactly when its run exists
            let changes = vec![Change::CreateRun(run), Change::Event(subject.clone(), kind)];
            self.handle.apply(changes).await?;
            backfill.pending.pop();
            self.reload([run_id]).await?;
        }
        Ok(())
    }

    async fn run_of(
        &mut self,
        backfill: &Backfilling,
        date: &BackfillDate,
    ) -> Result<Option<NewRun>> {
        let options = &backfill.options;
        let compiled = self.versions.get(&options.version).await?;
        let timetable = Timetable::new(compiled.dag.schedule.as_ref())?;
        let Some(interval) = timetable.containing(date.interval_start) else {
            return Ok(None);
        };
        let starts = [date.interval_start];
        let before = self
            .handle
            .store
            .runs_at(&compiled.dag.dag_id, &starts)
            .await?;
        let again = before
            .iter()
            .filter(|run| run.kind == RunKind::Backfill)
            .count();
        let mut run = planned_run(
            &compiled.dag,
            options.version,
            RunKind::Backfill,
            interval,
            options.params.clone(),
        );
        if again > 0 {
            run.run_id = format!("{}__{}", run.run_id, again + 1).as_str().into();
        }
        run.backfill_id = Some(backfill.stored.backfill_id.clone());
        Ok(Some(run))
    }

    /// Runs of a backfill that have not ended.
    fn open_of(&self, id: &BackfillId) -> usize {
        let queued = self
            .queued
            .values()
            .filter(|run| run.backfill_id.as_ref() == Some(id));
        let active = self
            .active
            .values()
            .filter(|run| run.backfill.as_ref() == Some(id));
        queued.count() + active.count()
    }

    /// How many runs of a backfill may be at work at the same time.
    pub(super) fn backfill_limit(&self, id: &BackfillId) -> Option<u32> {
        let backfill = self
            .backfills
            .iter()
            .find(|b| b.stored.backfill_id == *id)?;
        Some(backfill.options.max_active_runs)
    }
}
