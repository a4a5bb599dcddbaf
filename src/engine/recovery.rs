//! Recovery: runs as the store has them, at the start, after a loss, and whenever another process changed one.
//!
//! It is not a second engine: a run is loaded, what was cut off is marked so, and the same plan goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::active::ActiveRun;
use super::compiled::Compiled;
use super::engine::{Engine, Goal, Scope};
use crate::base::{Result, RunId, RunState, TaskState};
use crate::store::{Run, TaskInstance};

impl Engine {
    /// Loads every run in scope as the store has it; tries of this process that are still right go on, all others are cut off.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn recover(&mut self) -> Result<()> {
        self.dags_changed = true;
        self.queue_changed = true;
        self.room_changed = true;
        self.seen = self.handle.store.position().await?;
        let mut runs: BTreeSet<RunId> = self.active.keys().cloned().collect();
        runs.extend(std::mem::take(&mut self.queued).into_keys());
        let open = self.handle.store.active_runs().await?;
        runs.extend(open.into_iter().map(|row| row.run_id));
        self.reload(runs).await
    }

    /// Forgets the runs and takes them up again as the store has them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(super) async fn reload(&mut self, runs: impl IntoIterator<Item = RunId>) -> Result<()> {
        let runs: Vec<RunId> = runs.into_iter().collect();
        let mut rows = BTreeMap::new();
        let mut running = Vec::new();
        for row in self.handle.store.runs_called(&runs).await? {
            if row.state == RunState::Running {
                running.push(row.run_id.clone());
            }
            rows.insert(row.run_id.clone(), row);
        }
        let mut tasks = self.tasks_by_run(&running).await?;
        let mut compiled = BTreeMap::new();
        for row in running.iter().filter_map(|run| rows.get(run)) {
            let version = self.versions.get(&row.version).await?;
            compiled.insert(row.run_id.clone(), version);
        }
        // nothing below can fail: memory changes only once the store was read
        for run in runs {
            let work = compiled.remove(&run).zip(tasks.remove(&run));
            self.replace(rows.remove(&run), &run, work);
        }
        Ok(())
    }

    /// Puts a run in the place of what memory had of it. `work` comes with a run that has started.
    fn replace(
        &mut self,
        row: Option<Run>,
        run_id: &RunId,
        work: Option<(Arc<Compiled>, Vec<TaskInstance>)>,
    ) {
        self.room_changed |= self.queued.remove(run_id).is_some();
        self.slots.forget(run_id);
        self.timers.retain(|(_, run, _)| run != run_id);
        let mine = self
            .active
            .remove(run_id)
            .map(ActiveRun::take_tries)
            .unwrap_or_default();
        match (row, work) {
            (Some(row), Some((compiled, tasks))) if self.in_scope(&row) => {
                let mut run = ActiveRun::new(compiled, &row, tasks, mine);
                for completion in self.unsaved.iter().filter(|done| done.run == *run_id) {
                    run.expect(completion.task, completion.try_number);
                }
                run.cancel_strays();
                self.take_up(run);
            }
            (row, _) => {
                for (_, cancel) in mine.into_values() {
                    cancel.cancel();
                }
                if let Some(row) = row
                    && !row.state.is_terminal()
                    && self.in_scope(&row)
                {
                    self.queued.insert(run_id.clone(), row);
                    self.queue_changed = true;
                }
            }
        }
    }

    /// The task instances of some runs, those of each in the DAG's order.
    pub(super) async fn tasks_by_run(
        &self,
        runs: &[RunId],
    ) -> Result<BTreeMap<RunId, Vec<TaskInstance>>> {
        let mut tasks: BTreeMap<RunId, Vec<TaskInstance>> = BTreeMap::new();
        for task in self.handle.store.tasks_of(runs).await? {
            tasks.entry(task.run_id.clone()).or_default().push(task);
        }
        Ok(tasks)
    }

    /// A run that has started is in the scope of whoever leads: it counts against the limits, and nobody else drives it.
    fn in_scope(&self, run: &Run) -> bool {
        match (self.scope, &self.own) {
            _ if run.state == RunState::Running => true,
            (Scope::Goal, Some(Goal::Runs(runs))) => runs.contains(&run.run_id),
            (Scope::Goal, Some(Goal::Backfill(id))) => run.backfill_id.as_ref() == Some(id),
            _ => true,
        }
    }

    /// Puts a run among the active ones: its timers, its tasks that wait for a slot, and a first look at all its tasks.
    pub(super) fn take_up(&mut self, run: ActiveRun) {
        let id = run.facts.run_id.clone();
        let dag = &run.compiled.dag;
        self.slots.limit_dag(&dag.dag_id, dag.max_active_tasks);
        self.timers
            .extend(run.due_times().map(|(at, task)| (at, id.clone(), task)));
        for task in 0..run.plan.states().len() {
            if run.plan.state(task) == Some(TaskState::Scheduled) {
                let (lane, waiting) = run.waiting(task);
                self.slots.wait(lane, waiting);
            }
        }
        self.touched.insert(id.clone());
        self.active.insert(id, run);
    }

    /// Forgets every run, with no try under way any more; what the store has is all that counts.
    pub(super) fn forget(&mut self) {
        self.active.clear();
        self.held.clear();
        self.slots.free_all();
        self.queued.clear();
        self.touched.clear();
        self.timers.clear();
        self.unsaved.clear();
    }
}
