//! The plan of one run: its graph and the states of its tasks, and what follows from them. Pure.
//!
//! A live run and a run found after a crash are the same thing here: [`RunPlan::new`] from stored states, then
//! [`RunPlan::next`] until nothing follows. Work is proportional to the tasks that changed, not to the DAG.

use std::sync::Arc;

use super::rule::{Step, Upstream};
use crate::base::{EventKind, TaskState, TransitionError, TriggerRule};
use crate::dag::Graph;

/// How a run ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunOutcome {
    /// Well.
    Success,
    /// Badly, because of these tasks (indices in the graph).
    Failed(Vec<usize>),
}

/// The states of one run's tasks, by their index in the graph.
pub struct RunPlan {
    graph: Arc<Graph>,
    rules: Arc<[TriggerRule]>,
    /// `None`: not part of this run (a partial run), so nothing waits for it.
    states: Vec<Option<TaskState>>,
    upstream: Vec<Upstream>,
    /// Tasks whose situation changed since it was last looked at.
    to_look_at: Vec<usize>,
    /// Tasks that have not ended.
    open: usize,
}

impl RunPlan {
    /// The plan of a run whose tasks, by their index in `graph`, have `rules` and are in `states` (`None`: not part of this
    /// run). Every waiting task will be looked at once.
    pub fn new(
        graph: Arc<Graph>,
        rules: Arc<[TriggerRule]>,
        states: Vec<Option<TaskState>>,
    ) -> Self {
        let mut upstream = vec![Upstream::default(); states.len()];
        for (task, counts) in upstream.iter_mut().enumerate() {
            for before in graph.upstream(task) {
                if let Some(state) = states[before] {
                    counts.total += 1;
                    counts.count(state, 1);
                }
            }
        }
        let open = states
            .iter()
            .flatten()
            .filter(|state| !state.is_terminal())
            .count();
        let to_look_at = (0..states.len()).rev().collect();
        Self {
            graph,
            rules,
            states,
            upstream,
            to_look_at,
            open,
        }
    }

    /// The state of `task`; `None` when it is not part of this run.
    pub fn state(&self, task: usize) -> Option<TaskState> {
        self.states[task]
    }

    /// States of all tasks in graph order.
    pub fn states(&self) -> &[Option<TaskState>] {
        &self.states
    }

    /// Moves `task` by `event` and remembers whom that concerns.
    ///
    /// # Errors
    /// When the event cannot follow the task's state; nothing has changed then.
    pub fn apply(&mut self, task: usize, event: &EventKind) -> Result<(), TransitionError> {
        let Some(before) = self.states[task] else {
            return Err(TransitionError {
                subject: "task outside the run",
                state: TaskState::Removed.as_str(),
                event: event.name(),
            });
        };
        let after = before.apply(event)?;
        self.states[task] = Some(after);
        if after == TaskState::None {
            self.to_look_at.push(task);
        }
        if before.is_terminal() != after.is_terminal() {
            if after.is_terminal() {
                self.open -= 1;
            } else {
                self.open += 1;
            }
            for next in self.graph.clone().downstream(task) {
                self.upstream[next].count(before, -1);
                self.upstream[next].count(after, 1);
                self.to_look_at.push(next);
            }
        }
        debug_assert!(self.holds(), "the plan's invariants");
        Ok(())
    }

    /// The next task that may do something, and what; `None` when all must wait. The caller answers each step with
    /// [`RunPlan::apply`] before it asks again.
    pub fn next(&mut self) -> Option<(usize, Step)> {
        while let Some(task) = self.to_look_at.pop() {
            if self.states[task] != Some(TaskState::None) {
                continue;
            }
            if let Some(step) = self.upstream[task].step(self.rules[task]) {
                return Some((task, step));
            }
        }
        None
    }

    /// How the run ended; `None` while a task is open.
    ///
    /// It failed when a leaf failed or was held back, or a task failed and no task directly after it succeeded all the same
    /// (that is: nothing handled the failure).
    pub fn outcome(&self) -> Option<RunOutcome> {
        if self.open > 0 {
            return None;
        }
        let graph = &self.graph;
        let blamed: Vec<usize> = (0..self.states.len())
            .filter(|task| {
                let mut after = graph.downstream(*task).filter_map(|next| self.states[next]);
                match self.states[*task] {
                    Some(TaskState::Failed) => !after.any(|state| state == TaskState::Success),
                    Some(TaskState::UpstreamFailed) => after.next().is_none(),
                    _ => false,
                }
            })
            .collect();
        Some(if blamed.is_empty() {
            RunOutcome::Success
        } else {
            RunOutcome::Failed(blamed)
        })
    }

    /// The invariants that every sequence of events keeps; also held by the property tests. Linear, so only checked
    /// on plans small enough that a debug build stays usable.
    pub fn holds(&self) -> bool {
        if self.states.len() > 256 {
            return true;
        }
        let graph = &self.graph;
        let open = self
            .states
            .iter()
            .flatten()
            .filter(|state| !state.is_terminal())
            .count();
        open == self.open
            && (0..self.states.len()).all(|task| {
                let mut counts = Upstream::default();
                for before in graph
                    .upstream(task)
                    .filter_map(|before| self.states[before])
                {
                    counts.total += 1;
                    counts.count(before, 1);
                }
                // a task at work was let in by its rule; a task before it may have been cleared since, which makes
                // the rule undecided, but nothing makes it say no
                let at_work = self.states[task].is_some_and(TaskState::is_active);
                let refused = matches!(
                    counts.step(self.rules[task]),
                    Some(Step::Skip | Step::UpstreamFailed)
                );
                counts == self.upstream[task] && !(at_work && refused)
            })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::{Counts, TaskId};

    /// A random DAG: for each task its rule and the tasks before it, all of smaller index.
    fn dags() -> impl Strategy<Value = Vec<(TriggerRule, Vec<usize>)>> {
        let task = (
            0..TriggerRule::ALL.len(),
            prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        );
        prop::collection::vec(task, 1..200).prop_map(|tasks| {
            tasks
                .into_iter()
                .enumerate()
                .map(|(index, (rule, picks))| {
                    let before = match index {
                        0 => Vec::new(),
                        _ => picks.iter().map(|pick| pick.index(index)).collect(),
                    };
                    (TriggerRule::ALL[rule], before)
                })
                .collect()
        })
    }

    fn plan(dag: &[(TriggerRule, Vec<usize>)]) -> RunPlan {
        let name = |index: usize| TaskId::new(format!("t{index}"));
        let tasks: Vec<(TaskId, Vec<TaskId>)> = dag
            .iter()
            .enumerate()
            .map(|(index, (_, before))| (name(index), before.iter().map(|i| name(*i)).collect()))
            .collect();
        let graph = Graph::from_edges(tasks.iter().map(|(name, before)| (name, &**before)));
        let rules = dag.iter().map(|(rule, _)| *rule).collect();
        let states = vec![Some(TaskState::None); dag.len()];
        RunPlan::new(Arc::new(graph.expect("a graph")), rules, states)
    }

    fn succeeded() -> EventKind {
        EventKind::TaskSucceeded {
            counts: Counts::default(),
            tables: Default::default(),
            outputs: Default::default(),
            audit: None,
        }
    }

    fn start(plan: &mut RunPlan, task: usize) {
        let started = EventKind::TaskStarted {
            r#try: 1,
            owner: String::new(),
        };
        for event in [EventKind::TaskScheduled, EventKind::TaskQueued, started] {
            plan.apply(task, &event).expect("a start");
        }
    }

    /// Takes every step that follows; gives the tasks that may start.
    fn settle(plan: &mut RunPlan) -> Vec<usize> {
        let mut ready = Vec::new();
        while let Some((task, step)) = plan.next() {
            match step {
                Step::Schedule => {
                    start(plan, task);
                    ready.push(task);
                }
                Step::Skip => {
                    let event = EventKind::TaskSkipped {
                        reason: String::new(),
                    };
                    plan.apply(task, &event).expect("a skip");
                }
                Step::UpstreamFailed => {
                    plan.apply(task, &EventKind::TaskUpstreamFailed)
                        .expect("held back");
                }
            }
        }
        ready
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Whatever the graph, the rules, the outcomes and their order: every run ends, every step is legal, no task starts twice,
        /// and a plan made anew from the states at any moment decides the same (recovery is not a second engine).
        #[test]
        fn every_run_ends_and_recovery_decides_the_same(
            dag in dags(),
            picks in prop::collection::vec((any::<prop::sample::Index>(), 0..4u8), 200),
        ) {
            let mut plan = plan(&dag);
            let mut running = settle(&mut plan);
            let mut started = running.clone();
            for (pick, outcome) in picks {
                if running.is_empty() {
                    break;
                }
                let task = running.swap_remove(pick.index(running.len()));
                let event = match outcome {
                    0 => EventKind::TaskFailed { error: String::new(), hint: None },
                    1 => EventKind::TaskSkipped { reason: String::new() },
                    _ => succeeded(),
                };
                plan.apply(task, &event).expect("an end");
                let states = plan.states().to_vec();
                let mut anew = RunPlan::new(plan.graph.clone(), plan.rules.clone(), states);
                let ready = settle(&mut plan);
                prop_assert!(plan.holds());
                let mut same = settle(&mut anew);
                let mut sorted = ready.clone();
                same.sort_unstable();
                sorted.sort_unstable();
                prop_assert_eq!(sorted, same);
                prop_assert_eq!(plan.states(), anew.states());
                prop_assert!(ready.iter().all(|task| !started.contains(task)));
                started.extend(&ready);
                running.extend(ready);
            }
            while let Some(task) = running.pop() {
                plan.apply(task, &succeeded()).expect("an end");
                running.extend(settle(&mut plan));
            }
            prop_assert_eq!(plan.open, 0);
            prop_assert!(plan.outcome().is_some());
            prop_assert!(plan.states().iter().flatten().all(|state| state.is_terminal()));
        }
    }

    #[test]
    fn a_handled_failure_does_not_fail_the_run() {
        let failed = EventKind::TaskFailed {
            error: String::new(),
            hint: None,
        };
        let mut handled = plan(&[
            (TriggerRule::AllSuccess, vec![]),
            (TriggerRule::OneFailed, vec![0]),
        ]);
        assert_eq!(settle(&mut handled), [0]);
        handled.apply(0, &failed).expect("a failure");
        assert_eq!(settle(&mut handled), [1]);
        handled.apply(1, &succeeded()).expect("a success");
        assert_eq!(handled.outcome(), Some(RunOutcome::Success));

        let mut unhandled = plan(&[
            (TriggerRule::AllSuccess, vec![]),
            (TriggerRule::NoneSkipped, vec![0]),
            (TriggerRule::AllSuccess, vec![1]),
        ]);
        settle(&mut unhandled);
        unhandled
            .apply(
                0,
                &EventKind::TaskSkipped {
                    reason: String::new(),
                },
            )
            .expect("a skip");
        settle(&mut unhandled);
        assert_eq!(unhandled.outcome(), Some(RunOutcome::Success));

        let mut held_back = plan(&[
            (TriggerRule::AllSuccess, vec![]),
            (TriggerRule::AllSuccess, vec![0]),
        ]);
        settle(&mut held_back);
        held_back.apply(0, &failed).expect("a failure");
        settle(&mut held_back);
        assert_eq!(held_back.outcome(), Some(RunOutcome::Failed(vec![0, 1])));
    }

    #[test]
    fn a_partial_run_waits_for_nothing_outside_it() {
        let whole = plan(&[
            (TriggerRule::AllSuccess, vec![]),
            (TriggerRule::AllSuccess, vec![0]),
        ]);
        let states = vec![None, Some(TaskState::None)];
        let mut partial = RunPlan::new(whole.graph.clone(), whole.rules.clone(), states);
        assert_eq!(settle(&mut partial), [1]);
        assert!(partial.apply(0, &EventKind::TaskScheduled).is_err());
    }
}
