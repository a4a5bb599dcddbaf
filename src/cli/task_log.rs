//! `galen tasks logs`: the log of a try.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value};

use super::{App, Exit, Printer};
use crate::base::{Error, Result, RunId, TaskId, TaskState};
use crate::engine::log_path;
use crate::store::TaskInstance;

/// Print the log of a try, by default of the newest
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  galen tasks logs RUN load                 the newest try
  galen tasks logs RUN load --try 1         the first
  galen tasks logs RUN load --follow        and what comes, until the task has ended")]
pub struct Logs {
    /// The run, as `galen runs list` shows it
    run: String,
    /// The task
    task: String,
    /// Number of the try
    #[arg(long = "try", value_name = "N")]
    try_number: Option<u32>,
    /// Go on until the try has ended
    #[arg(long)]
    follow: bool,
    /// Print the lines as they are stored, a JSON object each
    #[arg(long)]
    json: bool,
}

/// How often `--follow` looks for more.
const LOOK: Duration = Duration::from_millis(200);

/// Prints the log.
pub async fn logs(args: &Logs, app: &App, printer: &mut Printer) -> Result<Exit> {
    let handle = app.handle().await?;
    let run = handle.run(&RunId::from(args.run.as_str())).await?;
    let task_id = TaskId::from(args.task.as_str());
    let tasks = handle.store().tasks(&run.run_id).await?;
    let task = tasks
        .iter()
        .find(|task| task.task_id == task_id)
        .ok_or_else(|| {
            Error::new(format!("run `{}` has no task `{task_id}`", run.run_id))
                .hint(format!("`galen tasks list {}` lists them", run.run_id))
        })?;
    if task.try_number == 0 {
        return Err(never_started(task, &tasks));
    }
    let number = args.try_number.unwrap_or(task.try_number);
    if number == 0 || number > task.try_number {
        return Err(Error::new(format!("task `{task_id}` has no try {number}"))
            .hint(format!("it has had {} so far", task.try_number)));
    }
    let path = log_path(
        &app.settings.home,
        &run.dag_id,
        &run.run_id,
        &task_id,
        number,
    );
    let mut tail = Tail {
        path,
        file: None,
        line: String::new(),
    };
    loop {
        // asked before reading, so that nothing written before the end is missed
        let over = !args.follow || is_over(&handle, &run.run_id, &task_id, number).await?;
        tail.print(args.json, printer)?;
        if over || printer.is_closed() {
            return Ok(Exit::Success);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Why there is no log of `task`, of whose run these are the `tasks`.
fn never_started(task: &TaskInstance, tasks: &[TaskInstance]) -> Error {
    let (id, run) = (&task.task_id, &task.run_id);
    let reason = task.error.as_deref();
    let why = match task.state {
        TaskState::UpstreamFailed => "what it depends on failed",
        TaskState::Skipped => reason.unwrap_or("its run was stopped before"),
        TaskState::Failed => reason.unwrap_or("it failed before its first try"),
        state => {
            let error = Error::new(format!("task `{id}` has not started yet, it is {state}"));
            return error.hint(format!("`galen runs show {run}` shows what goes on"));
        }
    };
    let error = Error::new(format!("task `{id}` never started: {why}"));
    let mut tried = tasks.iter().filter(|task| task.try_number > 0);
    let failed = tried.find(|task| task.state == TaskState::Failed);
    match (failed, &task.hint) {
        (Some(failed), _) if task.state == TaskState::UpstreamFailed => error.hint(format!(
            "`galen tasks logs {run} {}` shows what failed",
            failed.task_id
        )),
        (_, Some(hint)) => error.hint(hint.clone()),
        _ => error.hint(format!(
            "`galen runs show {run}` shows all tasks of the run"
        )),
    }
}

async fn is_over(
    handle: &crate::engine::Handle,
    run: &RunId,
    task: &TaskId,
    number: u32,
) -> Result<bool> {
    let tries = handle.store().tries(run, Some(task)).await?;
    let own = tries.iter().find(|attempt| attempt.try_number == number);
    Ok(own.is_none_or(|attempt| attempt.ended_at.is_some()))
}

/// A file that may grow, or not exist yet: a try that says nothing has none.
struct Tail {
    path: PathBuf,
    file: Option<BufReader<File>>,
    /// A line whose end is not written yet.
    line: String,
}

impl Tail {
    /// Prints the whole lines that came since the last time.
    fn print(&mut self, json: bool, printer: &mut Printer) -> Result<()> {
        let failed =
            |error| Error::new(format!("cannot read `{}`", self.path.display())).because(error);
        if self.file.is_none() {
            self.file = match File::open(&self.path) {
                Ok(file) => Some(BufReader::new(file)),
                Err(error) if error.kind() == ErrorKind::NotFound => None,
                Err(error) => return Err(failed(error)),
            };
        }
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        while file.read_line(&mut self.line).map_err(failed)? > 0 {
            if !self.line.ends_with('\n') {
                break;
            }
            match json {
                true => printer.data(&self.line)?,
                false => printer.line(&plain(&self.line))?,
            }
            self.line.clear();
        }
        printer.flush()
    }
}

/// `time level message key=value …`; a line that is no JSON object stays as it is.
fn plain(line: &str) -> String {
    let Ok(mut fields) = serde_json::from_str::<Map<String, Value>>(line) else {
        return line.trim_end().to_owned();
    };
    let mut take = |name: &str| match fields.shift_remove(name) {
        Some(Value::String(text)) => text,
        _ => String::new(),
    };
    let start = format!("{} {:<5} {}", take("at"), take("level"), take("message"));
    let rest = fields.iter().map(|(name, value)| match value {
        Value::String(text) => format!(" {name}={text}"),
        other => format!(" {name}={other}"),
    });
    start + &rest.collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn a_log_line_reads_as_a_sentence() {
        let line = r#"{"at":"2026-01-01T00:00:00Z","level":"info","message":"staged","rows":5,"file":"a.csv"}"#;
        insta::assert_snapshot!(plain(line), @"2026-01-01T00:00:00Z info  staged rows=5 file=a.csv");
        assert_eq!(plain("torn\n"), "torn");
    }
}
