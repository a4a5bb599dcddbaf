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

    /// Makes the runs of the next dates where there is room, and ends backfills that are through. One that was paused meanwhile, or changed
    /// otherwise, is planned again first.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub(super) async fn create_backfill_runs(&mut self) -> Result<()> {
        let mut backfills = std::mem::take(&mut self.backfills);
        let mut result = Ok(true);
        for backfill in &mut backfills {
            result = self.next_dates(backfill).await;
            if !matches!(result, Ok(true)) {
                break;
            }
        }
        backfills.retain(|backfill| backfill.stored.state == BackfillState::Running);
        self.backfills = backfills;
        result.map(drop)
    }

    /// `false`: the backfills are to be planned again.
    async fn next_dates(&mut self, backfill: &mut Backfilling) -> Result<bool> {
        let id = backfill.stored.backfill_id.clone();
        let subject = Subject::Dag(backfill.stored.dag_id.clone());
        if backfill.pending.is_empty() && self.open_of(&id) == 0 {
            let kind = EventKind::BackfillEnded {
                backfill_id: id.to_string(),
            };
            let ended = vec![Change::Event(subject, kind)];
            if !self.write_decided(ended).await? {
                return Ok(false);
            }
            backfill.stored.state = BackfillState::Done;
            return Ok(true);
        }
        while self.open_of(&id) < backfill.options.max_active_runs as usize {
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
            let decided = self.write_decided(changes).await?;
            self.reload([run_id]).await?;
            if !decided {
                return Ok(false);
            }
            backfill.pending.pop();
        }
        Ok(true)
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

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;
    use serde_json::Map;

    use crate::engine::bench::Bench;
    use crate::engine::{BackfillRequest, Reprocess};
    use crate::store::RunFilter;

    #[tokio::test]
    async fn a_pause_in_the_middle_of_a_turn_makes_no_run_and_ends_nothing() {
        let mut bench = Bench::new().await;
        bench.dag("days", "schedule: {cron: '@daily', start_date: 2026-01-01}");
        let day = |day| NaiveDate::from_ymd_opt(2026, 1, day).expect("a date");
        let request = BackfillRequest {
            dag_id: "days".into(),
            from: day(1),
            to: day(3),
            reprocess: Reprocess::None,
            max_active_runs: Some(1),
            backwards: false,
            params: Map::new(),
            dry_run: false,
        };
        let plan = bench.other.backfill(&request).await.expect("a backfill");
        let id = plan.backfill_id.expect("its name");
        bench.engine.recover().await.expect("read");
        bench.engine.plan_backfills().await.expect("planned");
        bench.engine.dags_changed = false;
        // the engine is about to make the first run
        bench.other.pause_backfill(&id).await.expect("a pause");
        let made = bench.engine.create_backfill_runs().await;
        made.expect("the engine goes on");
        assert!(bench.engine.dags_changed, "it looks again");
        let runs = bench.other.store().runs(&RunFilter::default()).await;
        assert_eq!(runs.expect("runs"), []);

        bench.other.backfill(&request).await.expect("resumed");
        bench.engine.recover().await.expect("read");
        bench.engine.tick().await.expect("planned again");
        let runs = bench.other.store().runs(&RunFilter::default()).await;
        let names: Vec<String> = runs
            .expect("runs")
            .iter()
            .map(|run| run.run_id.to_string())
            .collect();
        assert_eq!(names, ["days__backfill__20260101T000000Z"]);
    }
}
