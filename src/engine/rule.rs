//! Trigger rules: what a task may do, given how the tasks before it ended. Airflow's semantics, eager where Airflow is.

use crate::base::{TaskState, TriggerRule};

/// How many of the tasks directly before one are in each final state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Upstream {
    /// All of them, ended or not.
    pub total: u32,
    /// In `success`.
    pub success: u32,
    /// In `failed`.
    pub failed: u32,
    /// In `upstream_failed`.
    pub upstream_failed: u32,
    /// In `skipped`.
    pub skipped: u32,
    /// In `removed`.
    pub removed: u32,
}

/// What a task that waits may do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// All it waits for is there.
    Schedule,
    /// It need not run.
    Skip,
    /// It cannot run.
    UpstreamFailed,
}

impl Upstream {
    /// Counts a task before this one that entered `state` (`by` = 1) or left it (`by` = -1).
    pub fn count(&mut self, state: TaskState, by: i32) {
        let field = match state {
            TaskState::Success => &mut self.success,
            TaskState::Failed => &mut self.failed,
            TaskState::UpstreamFailed => &mut self.upstream_failed,
            TaskState::Skipped => &mut self.skipped,
            TaskState::Removed => &mut self.removed,
            _ => return,
        };
        *field = field.saturating_add_signed(by);
    }

    fn done(&self) -> u32 {
        self.success + self.failed + self.upstream_failed + self.skipped + self.removed
    }

    /// What `rule` lets the task do now; `None`: wait on.
    pub fn step(&self, rule: TriggerRule) -> Option<Step> {
        use Step::{Schedule, Skip, UpstreamFailed};
        if self.total == 0 || rule == TriggerRule::Always {
            return Some(Schedule);
        }
        let bad = self.failed + self.upstream_failed;
        let all_done = self.done() == self.total;
        // a removed task can neither satisfy nor break a rule
        let counted = self.total - self.removed;
        match rule {
            TriggerRule::Always => Some(Schedule),
            TriggerRule::AllSuccess if bad > 0 => Some(UpstreamFailed),
            TriggerRule::AllSuccess if self.skipped > 0 => Some(Skip),
            TriggerRule::AllFailed | TriggerRule::AllSkipped if self.success > 0 => Some(Skip),
            TriggerRule::AllFailed if self.skipped > 0 => Some(Skip),
            TriggerRule::AllSkipped if bad > 0 => Some(Skip),
            TriggerRule::OneSuccess if self.success > 0 => Some(Schedule),
            TriggerRule::OneSuccess if all_done && bad == 0 => Some(Skip),
            TriggerRule::OneSuccess if all_done => Some(UpstreamFailed),
            TriggerRule::OneFailed if bad > 0 => Some(Schedule),
            TriggerRule::OneDone if self.success + self.failed > 0 => Some(Schedule),
            TriggerRule::OneFailed | TriggerRule::OneDone if all_done => Some(Skip),
            TriggerRule::NoneFailed | TriggerRule::NoneFailedMinOneSuccess if bad > 0 => {
                Some(UpstreamFailed)
            }
            TriggerRule::NoneFailedMinOneSuccess if self.skipped == counted && all_done => {
                Some(Skip)
            }
            TriggerRule::NoneSkipped if self.skipped > 0 => Some(Skip),
            TriggerRule::AllSuccess
            | TriggerRule::AllFailed
            | TriggerRule::AllDone
            | TriggerRule::AllSkipped
            | TriggerRule::NoneFailed
            | TriggerRule::NoneFailedMinOneSuccess
            | TriggerRule::NoneSkipped => all_done.then_some(Schedule),
            TriggerRule::OneSuccess | TriggerRule::OneFailed | TriggerRule::OneDone => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(rule: TriggerRule, states: &[TaskState]) -> Option<Step> {
        let mut upstream = Upstream {
            total: states.len() as u32,
            ..Upstream::default()
        };
        for state in states {
            upstream.count(*state, 1);
        }
        upstream.step(rule)
    }

    #[test]
    fn each_rule_decides_as_airflow_does() {
        use Step::{Schedule, Skip, UpstreamFailed};
        use TaskState::{
            Failed as F, Running as R, Skipped as K, Success as S, UpstreamFailed as U,
        };
        use TriggerRule as T;
        let cases: &[(TriggerRule, &[TaskState], Option<Step>)] = &[
            (T::AllSuccess, &[S, S], Some(Schedule)),
            (T::AllSuccess, &[S, R], None),
            (T::AllSuccess, &[R, F], Some(UpstreamFailed)),
            (T::AllSuccess, &[R, K], Some(Skip)),
            (T::AllSuccess, &[K, U], Some(UpstreamFailed)),
            (T::AllFailed, &[F, U], Some(Schedule)),
            (T::AllFailed, &[F, R], None),
            (T::AllFailed, &[F, S], Some(Skip)),
            (T::AllFailed, &[F, K], Some(Skip)),
            (T::AllDone, &[F, S, K], Some(Schedule)),
            (T::AllDone, &[F, R], None),
            (T::AllSkipped, &[K, K], Some(Schedule)),
            (T::AllSkipped, &[K, R], None),
            (T::AllSkipped, &[R, S], Some(Skip)),
            (T::AllSkipped, &[R, F], Some(Skip)),
            (T::OneSuccess, &[R, S], Some(Schedule)),
            (T::OneSuccess, &[F, R], None),
            (T::OneSuccess, &[F, K], Some(UpstreamFailed)),
            (T::OneSuccess, &[K, K], Some(Skip)),
            (T::OneFailed, &[R, F], Some(Schedule)),
            (T::OneFailed, &[R, U], Some(Schedule)),
            (T::OneFailed, &[S, K], Some(Skip)),
            (T::OneDone, &[R, F], Some(Schedule)),
            (T::OneDone, &[K, R], None),
            (T::OneDone, &[K, U], Some(Skip)),
            (T::NoneFailed, &[S, K], Some(Schedule)),
            (T::NoneFailed, &[K, K], Some(Schedule)),
            (T::NoneFailed, &[R, U], Some(UpstreamFailed)),
            (T::NoneFailedMinOneSuccess, &[S, K], Some(Schedule)),
            (T::NoneFailedMinOneSuccess, &[K, K], Some(Skip)),
            (T::NoneFailedMinOneSuccess, &[K, F], Some(UpstreamFailed)),
            (T::NoneSkipped, &[S, F], Some(Schedule)),
            (T::NoneSkipped, &[R, K], Some(Skip)),
            (T::NoneSkipped, &[R, S], None),
            (T::Always, &[R, R], Some(Schedule)),
        ];
        for (rule, states, expected) in cases {
            assert_eq!(after(*rule, states), *expected, "{rule} after {states:?}");
        }
        for rule in TriggerRule::ALL {
            assert_eq!(
                after(*rule, &[]),
                Some(Schedule),
                "{rule} with nothing before it"
            );
        }
    }

    #[test]
    fn every_rule_decides_once_all_have_ended() {
        let finals = [
            TaskState::Success,
            TaskState::Failed,
            TaskState::UpstreamFailed,
            TaskState::Skipped,
            TaskState::Removed,
        ];
        for rule in TriggerRule::ALL {
            for a in finals {
                for b in finals {
                    for c in finals {
                        assert!(after(*rule, &[a, b, c]).is_some(), "{rule}: {a} {b} {c}");
                    }
                }
            }
        }
    }
}
