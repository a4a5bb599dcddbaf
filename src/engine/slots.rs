//! Slots: global parallelism, pools, and the limit of each DAG; and the queue of tasks that wait for one.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::base::{DagId, RunId};

/// A task instance that wants a slot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Waiting {
    /// Larger first.
    pub priority: Reverse<i32>,
    /// Older interval first.
    pub since: DateTime<Utc>,
    /// The run.
    pub run: RunId,
    /// Index of the task in the run's graph.
    pub task: usize,
    /// Slots it takes from its pool.
    pub slots: u32,
}

/// What a task's slots are counted against.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lane {
    /// The pool.
    pub pool: Arc<str>,
    /// The DAG.
    pub dag: DagId,
}

/// Slots taken and free, and who waits, lane by lane, so that a full pool or DAG never makes others be looked at.
#[derive(Debug, Default)]
pub struct Slots {
    /// Task instances at work at the same time, over everything.
    parallelism: u32,
    pools: BTreeMap<Arc<str>, u32>,
    dag_limits: BTreeMap<DagId, u32>,
    active: u32,
    pool_use: BTreeMap<Arc<str>, u32>,
    dag_use: BTreeMap<DagId, u32>,
    waiting: BTreeMap<Lane, BTreeSet<Waiting>>,
}

impl Slots {
    /// No slot taken, nobody waiting.
    pub fn new(parallelism: u32, pools: BTreeMap<Arc<str>, u32>) -> Self {
        Self {
            parallelism,
            pools,
            ..Self::default()
        }
    }

    /// Sets or lifts the limit of a DAG's task instances over all its runs.
    pub fn limit_dag(&mut self, dag: &DagId, limit: Option<u32>) {
        match limit {
            Some(limit) => self.dag_limits.insert(dag.clone(), limit),
            None => self.dag_limits.remove(dag),
        };
    }

    /// Queues a task instance for a slot. One of a pool that was there when its run was made, and is no more, waits until it is there again.
    pub fn wait(&mut self, lane: Lane, waiting: Waiting) {
        if !self.pools.contains_key(&lane.pool) {
            tracing::warn!(
                dag = %lane.dag,
                run = %waiting.run,
                pool = %lane.pool,
                "a task waits for a pool that `galen.toml` does not have any more"
            );
        }
        self.waiting.entry(lane).or_default().insert(waiting);
    }

    /// Forgets everyone of `run` who waits.
    pub fn forget(&mut self, run: &RunId) {
        for queue in self.waiting.values_mut() {
            queue.retain(|waiting| waiting.run != *run);
        }
        self.waiting.retain(|_, queue| !queue.is_empty());
    }

    /// No slot taken, nobody waiting; the limits stay.
    pub fn free_all(&mut self) {
        self.active = 0;
        self.pool_use.clear();
        self.dag_use.clear();
        self.waiting.clear();
    }

    /// Gives a slot to the first in line that fits every limit; `None` when nobody fits.
    ///
    /// A task that wants more slots than are free waits without holding up smaller ones of other lanes; within its lane it
    /// stays first, so that it is not starved.
    pub fn take(&mut self) -> Option<(Lane, Waiting)> {
        if self.active >= self.parallelism {
            return None;
        }
        let lane = self
            .waiting
            .iter()
            .filter_map(|(lane, queue)| Some((lane, queue.first()?)))
            .filter(|(lane, first)| self.fits(lane, first.slots))
            .min_by(|(_, a), (_, b)| a.cmp(b))
            .map(|(lane, _)| lane.clone())?;
        let queue = self.waiting.get_mut(&lane)?;
        let first = queue.pop_first()?;
        if queue.is_empty() {
            self.waiting.remove(&lane);
        }
        self.active += 1;
        *self.pool_use.entry(lane.pool.clone()).or_default() += first.slots;
        *self.dag_use.entry(lane.dag.clone()).or_default() += 1;
        debug_assert!(self.holds());
        Some((lane, first))
    }

    /// Gives slots back.
    pub fn give_back(&mut self, lane: &Lane, slots: u32) {
        self.active = self.active.saturating_sub(1);
        if let Some(used) = self.pool_use.get_mut(&lane.pool) {
            *used = used.saturating_sub(slots);
        }
        if let Some(used) = self.dag_use.get_mut(&lane.dag) {
            *used = used.saturating_sub(1);
        }
    }

    /// Whether nothing is at work.
    #[cfg(test)]
    pub fn all_free(&self) -> bool {
        let used = self.pool_use.values().chain(self.dag_use.values());
        self.active == 0 && used.into_iter().all(|used| *used == 0)
    }

    fn fits(&self, lane: &Lane, slots: u32) -> bool {
        let used = self.pool_use.get(&lane.pool).copied().unwrap_or(0);
        let size = self.pools.get(&lane.pool).copied().unwrap_or(0);
        let dag_used = self.dag_use.get(&lane.dag).copied().unwrap_or(0);
        let dag_limit = self.dag_limits.get(&lane.dag).copied().unwrap_or(u32::MAX);
        // a task larger than its pool runs alone in it rather than never
        let room = used + slots <= size || (used == 0 && size > 0);
        room && dag_used < dag_limit
    }

    fn holds(&self) -> bool {
        self.active <= self.parallelism
            && self
                .dag_use
                .iter()
                .all(|(dag, used)| self.dag_limits.get(dag).is_none_or(|limit| used <= limit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(pool: &str, dag: &str) -> Lane {
        Lane {
            pool: pool.into(),
            dag: dag.into(),
        }
    }

    fn waiting(priority: i32, task: usize, slots: u32) -> Waiting {
        Waiting {
            priority: Reverse(priority),
            since: DateTime::UNIX_EPOCH,
            run: "r".into(),
            task,
            slots,
        }
    }

    fn slots(parallelism: u32, pools: &[(&str, u32)]) -> Slots {
        Slots::new(
            parallelism,
            pools
                .iter()
                .map(|(name, size)| ((*name).into(), *size))
                .collect(),
        )
    }

    #[test]
    fn higher_priority_goes_first_and_no_limit_is_passed() {
        let mut slots = slots(2, &[("p", 10)]);
        for (task, priority) in [(0, 1), (1, 9), (2, 5)] {
            slots.wait(lane("p", "d"), waiting(priority, task, 1));
        }
        assert_eq!(slots.take().map(|(_, w)| w.task), Some(1));
        assert_eq!(slots.take().map(|(_, w)| w.task), Some(2));
        assert_eq!(slots.take(), None);
        slots.give_back(&lane("p", "d"), 1);
        assert_eq!(slots.take().map(|(_, w)| w.task), Some(0));
    }

    #[test]
    fn a_full_pool_holds_up_nobody_else() {
        let mut slots = slots(10, &[("small", 1), ("large", 10)]);
        slots.wait(lane("small", "d"), waiting(9, 0, 1));
        slots.wait(lane("small", "d"), waiting(8, 1, 1));
        slots.wait(lane("large", "d"), waiting(1, 2, 1));
        assert_eq!(slots.take().map(|(_, w)| w.task), Some(0));
        assert_eq!(slots.take().map(|(_, w)| w.task), Some(2));
        assert_eq!(slots.take(), None);
    }

    #[test]
    fn a_dag_keeps_its_own_limit() {
        let mut slots = slots(10, &[("p", 10)]);
        slots.limit_dag(&"d".into(), Some(1));
        slots.wait(lane("p", "d"), waiting(1, 0, 1));
        slots.wait(lane("p", "d"), waiting(1, 1, 1));
        slots.wait(lane("p", "e"), waiting(0, 2, 1));
        assert_eq!(slots.take().map(|(_, w)| w.task), Some(0));
        assert_eq!(slots.take().map(|(_, w)| w.task), Some(2));
        assert_eq!(slots.take(), None);
    }

    #[test]
    fn a_task_larger_than_its_pool_runs_alone() {
        let mut slots = slots(10, &[("p", 2)]);
        slots.wait(lane("p", "d"), waiting(1, 0, 5));
        slots.wait(lane("p", "d"), waiting(0, 1, 1));
        assert_eq!(slots.take().map(|(_, w)| w.task), Some(0));
        assert_eq!(slots.take(), None);
        slots.give_back(&lane("p", "d"), 5);
        assert_eq!(slots.take().map(|(_, w)| w.task), Some(1));
    }
}
