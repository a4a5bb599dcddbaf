//! Run and task states, and the one pure function each that says what may follow what.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::event::EventKind;

/// An enum stored and shown as its `snake_case` name.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// Every value, in declaration order.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name as stored and shown.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    other => Err(format!("`{other}` is not one of {}", [$($text),+].join(", "))),
                }
            }
        }
    };
}

named! {
    /// State of a run.
    RunState {
        /// Waits for a place under `max_active_runs`.
        Queued = "queued",
        /// Has tasks to do.
        Running = "running",
        /// Every leaf ended well.
        Success = "success",
        /// A leaf failed, or a task failed that nothing handled.
        Failed = "failed",
        /// Stopped by a person.
        Cancelled = "cancelled",
    }
}

named! {
    /// State of a task instance.
    TaskState {
        /// Waits for what it depends on.
        None = "none",
        /// May start; waits for a slot.
        Scheduled = "scheduled",
        /// Has its slot; is about to start.
        Queued = "queued",
        /// A try is at work.
        Running = "running",
        /// Ended well.
        Success = "success",
        /// Ended badly and will not be tried again.
        Failed = "failed",
        /// Ended badly and will be tried again at a known time.
        UpForRetry = "up_for_retry",
        /// Cannot run because of what it depends on.
        UpstreamFailed = "upstream_failed",
        /// Need not run.
        Skipped = "skipped",
        /// Looks again at a known time and holds no slot meanwhile.
        Deferred = "deferred",
        /// No longer part of its DAG.
        Removed = "removed",
    }
}

named! {
    /// Why a run exists.
    RunKind {
        /// Its schedule was due.
        Scheduled = "scheduled",
        /// A person asked for it.
        Manual = "manual",
        /// Part of a backfill.
        Backfill = "backfill",
    }
}

named! {
    /// When a task may run, given the states of the tasks it depends on directly. Airflow's rules.
    TriggerRule {
        /// All succeeded.
        AllSuccess = "all_success",
        /// All failed or were held back by a failure.
        AllFailed = "all_failed",
        /// All have ended, in whatever way.
        AllDone = "all_done",
        /// All were skipped.
        AllSkipped = "all_skipped",
        /// At least one succeeded; does not wait for the others.
        OneSuccess = "one_success",
        /// At least one failed; does not wait for the others.
        OneFailed = "one_failed",
        /// At least one succeeded or failed; does not wait for the others.
        OneDone = "one_done",
        /// None failed: all succeeded or were skipped.
        NoneFailed = "none_failed",
        /// None failed and at least one succeeded.
        NoneFailedMinOneSuccess = "none_failed_min_one_success",
        /// None was skipped; all have ended.
        NoneSkipped = "none_skipped",
        /// At once, whatever the others do.
        Always = "always",
    }
}

impl RunState {
    /// Whether the run has ended.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Success | Self::Failed | Self::Cancelled)
    }
}

impl TaskState {
    /// Whether the task instance has ended.
    pub const fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Success | Self::Failed | Self::UpstreamFailed | Self::Skipped | Self::Removed
        )
    }

    /// Whether it holds a slot.
    pub const fn is_active(self) -> bool {
        matches!(self, Self::Queued | Self::Running)
    }
}

/// An event that cannot follow the state it met. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{event}` cannot follow state `{state}` of {subject}")]
pub struct TransitionError {
    /// What the event was about, as `run` or `task`.
    pub subject: &'static str,
    /// The state it met.
    pub state: &'static str,
    /// The event's name.
    pub event: &'static str,
}

impl RunState {
    /// The state after `event`; everything not listed is refused.
    pub fn apply(self, event: &EventKind) -> Result<Self, TransitionError> {
        use EventKind as E;
        Ok(match (self, event) {
            (Self::Queued, E::RunStarted) => Self::Running,
            (Self::Running, E::RunSucceeded) => Self::Success,
            (Self::Running, E::RunFailed { .. }) => Self::Failed,
            (Self::Queued | Self::Running, E::RunCancelled) => Self::Cancelled,
            (Self::Success | Self::Failed | Self::Cancelled, E::RunReopened { .. }) => Self::Queued,
            _ => {
                return Err(TransitionError {
                    subject: "run",
                    state: self.as_str(),
                    event: event.name(),
                });
            }
        })
    }
}

impl TaskState {
    /// The state after `event`; everything not listed is refused.
    pub fn apply(self, event: &EventKind) -> Result<Self, TransitionError> {
        use EventKind as E;
        Ok(match (self, event) {
            (Self::None | Self::UpForRetry | Self::Deferred, E::TaskScheduled) => Self::Scheduled,
            (Self::Scheduled, E::TaskQueued) => Self::Queued,
            (Self::Queued, E::TaskStarted { .. }) => Self::Running,
            (Self::Running, E::TaskSucceeded { .. }) => Self::Success,
            (Self::Running, E::TaskFailed { .. }) => Self::Failed,
            // a task whose definition cannot even be rendered fails before it starts
            (Self::None | Self::Scheduled | Self::Queued, E::TaskFailed { .. }) => Self::Failed,
            (Self::Running, E::TaskRetryPlanned { .. }) => Self::UpForRetry,
            (Self::Running, E::TaskDeferred { .. }) => Self::Deferred,
            (Self::None | Self::Running, E::TaskSkipped { .. }) => Self::Skipped,
            (Self::None, E::TaskUpstreamFailed) => Self::UpstreamFailed,
            (Self::Queued | Self::Running, E::TaskInterrupted { .. }) => Self::Scheduled,
            (Self::Running | Self::UpForRetry | Self::Deferred, E::TaskCancelled) => Self::Failed,
            (Self::None | Self::Scheduled | Self::Queued, E::TaskCancelled) => Self::Skipped,
            (state, E::TaskCleared) if state.is_terminal() => Self::None,
            (Self::UpForRetry | Self::Deferred, E::TaskCleared) => Self::None,
            (Self::None, E::TaskRemoved) => Self::Removed,
            _ => {
                return Err(TransitionError {
                    subject: "task",
                    state: self.as_str(),
                    event: event.name(),
                });
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for state in TaskState::ALL {
            assert_eq!(state.as_str().parse::<TaskState>().as_ref(), Ok(state));
            assert_eq!(serde_json::to_value(state).expect("json"), state.as_str());
        }
        assert!("sucess".parse::<RunState>().is_err());
    }

    #[test]
    fn a_finished_run_only_reopens() {
        assert_eq!(
            RunState::Failed.apply(&EventKind::RunReopened { tasks: 1 }),
            Ok(RunState::Queued)
        );
        let refused = RunState::Success
            .apply(&EventKind::RunCancelled)
            .expect_err("refused");
        assert_eq!(
            refused.to_string(),
            "`run_cancelled` cannot follow state `success` of run"
        );
    }

    #[test]
    fn an_interrupted_try_goes_back_to_its_place_in_the_queue() {
        let event = EventKind::TaskInterrupted {
            reason: "killed".to_owned(),
        };
        assert_eq!(TaskState::Running.apply(&event), Ok(TaskState::Scheduled));
        assert!(TaskState::Success.apply(&event).is_err());
    }
}
