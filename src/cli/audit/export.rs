//! `galen audit export`.

use clap::Args;
use serde_json::json;

use crate::base::{Error, Result, Subject};
use crate::cli::{App, Exit, Printer};
use crate::store::RawEvent;

/// Print the chain of events, oldest first, a JSON object a line, for a verification without Galen
///
/// README.md holds a script of a few lines that verifies it with SHA-256 alone.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  galen audit export > events.jsonl
  galen audit export --after 1200           what came after the last export")]
pub struct Export {
    /// Only events after this number
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    after: i64,
}

/// Events read at a time.
const PAGE: u32 = 2_000;

pub async fn export(args: &Export, app: &App, printer: &mut Printer) -> Result<Exit> {
    let store = app.store().await?;
    let mut after = args.after;
    loop {
        let page = store.raw_events_after(after, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(Exit::Success);
        };
        after = last.seq;
        for event in &page {
            printer.line(&line(event)?)?;
        }
        if printer.is_closed() {
            return Ok(Exit::Success);
        }
    }
}

/// The members that are hashed, in their order, and the two hashes.
fn line(event: &RawEvent) -> Result<String> {
    let at = event.at.ok_or_else(|| {
        Error::new(format!("event {} has no readable time", event.seq))
            .hint("`galen audit verify` says what was changed")
    })?;
    let (dag, run, task) = match &event.subject {
        Subject::System => ("", "", ""),
        Subject::Dag(dag) => (dag.as_str(), "", ""),
        Subject::Run(dag, run) => (dag.as_str(), run.as_str(), ""),
        Subject::Task(dag, run, task) => (dag.as_str(), run.as_str(), task.as_str()),
    };
    Ok(json!({
        "seq": event.seq,
        "at": at.timestamp_micros(),
        "actor": event.actor,
        "dag_id": dag,
        "run_id": run,
        "task_id": task,
        "data": event.data,
        "previous": event.previous,
        "hash": event.hash,
    })
    .to_string())
}
