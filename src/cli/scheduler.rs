//! `galen scheduler`: runs what is due, until it is told to stop.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use clap::Args;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::progress::{led, seconds};
use super::signals::stop_on_signal;
use super::{App, Exit, Printer};
use crate::base::{EventKind, Result, RunId, Subject};
use crate::engine::News;

/// Run what is due, until told to stop
///
/// Prints a line for each run that starts or ends. One scheduler leads; others on the same database stand by and take over when it dies. SIGTERM or Ctrl-C: no new work,
/// running tasks get some seconds (`[engine] grace`), then they are handed back. A second signal stops at once.
#[derive(Debug, Args)]
pub struct Scheduler {}

/// Leads, or stands by.
pub async fn scheduler(_: &Scheduler, app: &App, printer: &mut Printer) -> Result<Exit> {
    let handle = app.handle().await?;
    let stop = stop_on_signal()?;
    printer.note(&format!(
        "scheduling `{}`",
        app.settings.dags_dir().display()
    ));
    let (sender, news) = unbounded_channel();
    let (scheduled, ()) = tokio::join!(handle.schedule(sender, &stop), follow(news, printer));
    scheduled?;
    printer.note("stopped");
    Ok(Exit::Success)
}

/// Prints a line when a run starts, when it ends, and when another process leads.
async fn follow(mut news: UnboundedReceiver<News>, printer: &mut Printer) {
    let mut started: BTreeMap<RunId, DateTime<Utc>> = BTreeMap::new();
    while let Some(news) = news.recv().await {
        let event = match news {
            News::Event(event) => event,
            News::Led { by, until } => {
                printer.note(&led(&by, until));
                continue;
            }
        };
        let Subject::Run(_, run) = &event.subject else {
            continue;
        };
        let (what, reason) = match &event.kind {
            EventKind::RunStarted => {
                started.insert(run.clone(), event.at);
                ("started", None)
            }
            EventKind::RunSucceeded => ("success", None),
            EventKind::RunFailed { reason } => ("failed", Some(reason)),
            EventKind::RunCancelled => ("cancelled", None),
            _ => continue,
        };
        let mut line = format!("{} run `{run}`: {what}", event.at.format("%H:%M:%S"));
        if event.kind != EventKind::RunStarted
            && let Some(start) = started.remove(run)
        {
            line += &format!(" after {} s", seconds(event.at - start));
        }
        if let Some(reason) = reason {
            line += &format!(", {reason}");
        }
        printer.note(&line);
    }
}
