//! When a failed try is followed by another.

use std::time::Duration;

use crate::base::{RunId, TaskId, sha256};
use crate::dag::Task;

/// The wait before the next try of `task`, or `None` when its retries are used up.
///
/// `failures` counts the failed tries since the last clear, this one included; interrupted tries do not count. With exponential backoff the
/// wait doubles from try to try and a jitter of up to a quarter is added, so that tasks that failed together do not come back
/// together. The jitter is a hash of run, task and count: the same run plans the same times.
pub fn delay(task: &Task, run: &RunId, failures: u32) -> Option<Duration> {
    if failures > task.retries {
        return None;
    }
    let mut delay = task.retry_delay;
    if task.retry_exponential_backoff {
        let doublings = failures.saturating_sub(1).min(20);
        delay = delay.saturating_mul(1 << doublings);
        delay += delay.mul_f64(jitter(run, &task.task_id, failures) / 4.0);
    }
    Some(
        task.max_retry_delay
            .map_or(delay, |longest| delay.min(longest)),
    )
}

/// A number in [0, 1) that depends on nothing but its arguments.
fn jitter(run: &RunId, task: &TaskId, failures: u32) -> f64 {
    let digest = sha256(format!("{run}\n{task}\n{failures}"));
    let high = u32::from_be_bytes([digest.0[0], digest.0[1], digest.0[2], digest.0[3]]);
    f64::from(high) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(retries: u32, backoff: bool) -> Task {
        serde_json::from_value(serde_json::json!({
            "task_id": "t", "operator": "noop", "description": "", "depends_on": [],
            "trigger_rule": "all_success", "when": null, "pool": "default_pool", "pool_slots": 1,
            "priority_weight": 1, "retries": retries, "retry_delay": {"secs": 10, "nanos": 0},
            "retry_exponential_backoff": backoff, "max_retry_delay": {"secs": 60, "nanos": 0},
            "execution_timeout": null, "with": {}, "on_failure": null, "on_success": null,
        }))
        .expect("a task")
    }

    #[test]
    fn waits_the_same_or_longer_and_longer_and_then_gives_up() {
        let run = RunId::from("r");
        let delays = |task: &Task| (1..=6).map(|n| delay(task, &run, n)).collect::<Vec<_>>();
        let steady = delays(&task(2, false));
        let ten = Some(Duration::from_secs(10));
        assert_eq!(steady, [ten, ten, None, None, None, None]);
        let growing = delays(&task(5, true));
        let seconds: Vec<f64> = growing
            .iter()
            .flatten()
            .map(Duration::as_secs_f64)
            .collect();
        for (waited, shortest) in seconds.iter().zip([10.0, 20.0, 40.0, 60.0, 60.0]) {
            assert!(
                (shortest..=60.0_f64.min(shortest * 1.25)).contains(waited),
                "{seconds:?}"
            );
        }
        assert_eq!(growing[5], None);
        assert_eq!(
            growing,
            delays(&task(5, true)),
            "the same run plans the same times"
        );
    }
}
