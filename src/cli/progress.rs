//! What happens to runs while one waits: a bar on a terminal, plain lines elsewhere.

use std::collections::BTreeMap;
use std::io::IsTerminal;

use chrono::{DateTime, TimeDelta, Utc};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::mpsc::UnboundedReceiver;

use super::Printer;
use crate::base::{Event, EventKind, RunId, Subject, TaskId};
use crate::engine::News;

/// Shows events as they come.
pub struct Progress {
    bar: ProgressBar,
    /// The one run that is followed; tasks of all others are shown with the name of their run.
    only: Option<RunId>,
    /// Tries at work, with the time each began.
    running: BTreeMap<(RunId, TaskId), DateTime<Utc>>,
}

impl Progress {
    /// Progress over `tasks` task instances, of the run `only` or of several.
    pub fn new(tasks: usize, only: Option<RunId>) -> Self {
        let target = match std::io::stderr().is_terminal() {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(Some(tasks as u64), target);
        if let Ok(style) = ProgressStyle::with_template("[{bar:30}] {pos}/{len} {elapsed} {msg}") {
            bar.set_style(style.progress_chars("=> "));
        }
        Self {
            bar,
            only,
            running: BTreeMap::new(),
        }
    }

    /// Shows what comes until the sender is gone.
    pub async fn follow(mut self, mut news: UnboundedReceiver<News>, printer: &mut Printer) {
        while let Some(news) = news.recv().await {
            match news {
                News::Event(event) => self.show(&event, printer),
                News::Led { by, until } => {
                    let line = led(&by, until);
                    self.bar.suspend(|| printer.note(&line));
                }
            }
        }
        self.bar.finish_and_clear();
    }

    fn show(&mut self, event: &Event, printer: &mut Printer) {
        let Subject::Task(_, run, task) = &event.subject else {
            return;
        };
        let own = self.only.as_ref().is_none_or(|only| only == run);
        let key = (run.clone(), task.clone());
        if let EventKind::TaskStarted { .. } = event.kind {
            self.running.insert(key, event.at);
        } else if let Some(what) = told(&event.kind) {
            let took = self
                .running
                .remove(&key)
                .map(|start| seconds(event.at - start));
            let took = took
                .map(|took| format!(" after {took} s"))
                .unwrap_or_default();
            let time = event.at.format("%H:%M:%S");
            let name = match &self.only {
                Some(only) if only == run => task.to_string(),
                _ => format!("{run} {task}"),
            };
            self.bar
                .suspend(|| printer.note(&format!("{time} {name}: {what}{took}")));
        }
        if own && is_end(&event.kind) {
            self.bar.inc(1);
        }
        self.bar.set_message(self.names());
    }

    /// The tasks at work, as far as a line holds them.
    fn names(&self) -> String {
        let names: Vec<&str> = self
            .running
            .keys()
            .take(3)
            .map(|(_, task)| task.as_str())
            .collect();
        let more = self.running.len() - names.len();
        match more {
            0 => names.join(", "),
            more => format!("{} and {more} more", names.join(", ")),
        }
    }
}

/// Who leads, for one who waits to.
pub fn led(by: &str, until: DateTime<Utc>) -> String {
    let until = until.format("%H:%M:%S");
    format!("`{by}` holds the lead until {until}, longer while it lives; waiting")
}

/// What a person who waits is told of; `None` for what only the engine cares about.
fn told(kind: &EventKind) -> Option<String> {
    Some(match kind {
        EventKind::TaskSucceeded { counts, .. } if counts.read > 0 => format!("success, {counts}"),
        EventKind::TaskSucceeded { .. } => "success".to_owned(),
        EventKind::TaskFailed { error, .. } => format!("failed, {error}"),
        EventKind::TaskRetryPlanned { error, at } => {
            format!("try failed, {error}; next try at {}", at.format("%H:%M:%S"))
        }
        EventKind::TaskDeferred { until } => format!("waits until {}", until.format("%H:%M:%S")),
        EventKind::TaskSkipped { reason } => format!("skipped, {reason}"),
        EventKind::TaskInterrupted { reason } => format!("interrupted, {reason}"),
        EventKind::TaskUpstreamFailed => "upstream_failed".to_owned(),
        EventKind::TaskCancelled => "cancelled".to_owned(),
        _ => return None,
    })
}

fn is_end(kind: &EventKind) -> bool {
    matches!(
        kind,
        EventKind::TaskSucceeded { .. }
            | EventKind::TaskFailed { .. }
            | EventKind::TaskSkipped { .. }
            | EventKind::TaskUpstreamFailed
            | EventKind::TaskCancelled
    )
}

/// Seconds with two decimals.
pub fn seconds(span: TimeDelta) -> f64 {
    (span.as_seconds_f64() * 100.0).round() / 100.0
}
