//! `galen demo`: every DAG there is on the data there is, until nothing is left.

use chrono::NaiveDate;
use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use super::dags::load_all;
use super::foreground::{COUNTS, counts, report, see_through};
use super::progress::seconds;
use super::{App, Exit, Printer, Table};
use crate::base::{Counts, DagId, Error, Result, RunId, RunState, TaskId, TaskState};
use crate::dag::Dag;
use crate::engine::{Asked, Handle, TriggerRequest};
use crate::schedule::Timetable;
use crate::store::TaskInstance;

/// Run every sample DAG on the sample data, until nothing is left
///
/// Ends with a table of what every task did. A second demo changes no row.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  galen demo --no-serve
  galen demo --no-serve --scale tiny        seconds instead of a minute
  galen --home /tmp/try demo --no-serve     in a copy of `dags` and `data_sample`")]
pub struct Demo {
    /// How much data is made up, where a DAG makes up data
    #[arg(long)]
    scale: Option<Scale>,
    /// Stop after the summary; this version always does, as it has no web page yet
    #[arg(long)]
    no_serve: bool,
    /// Print the table as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Scale {
    Tiny,
    Small,
    Large,
}

impl Scale {
    fn as_str(self) -> &'static str {
        match self {
            Self::Tiny => "tiny",
            Self::Small => "small",
            Self::Large => "large",
        }
    }
}

/// The day whose data interval every demo takes, so that each makes up the same data.
const DAY: Option<NaiveDate> = NaiveDate::from_ymd_opt(2026, 1, 1);

/// The parameter of a DAG by which it is told how much to make up.
const SCALE: &str = "scale";

/// The kind of task that takes part of what is there, so that there may be more.
const PROCESS: &str = "process";

/// Runs each DAG until its `process` tasks find nothing.
pub async fn demo(args: &Demo, app: &App, printer: &mut Printer) -> Result<Exit> {
    let handle = app.handle().await?;
    let mut summary = Summary::default();
    let loaded = load_all(app)?;
    if let Some(broken) = loaded.broken.first() {
        return Err(Error::new(format!("DAG `{}` is broken", broken.dag_id))
            .hint("`galen dags validate` lists every problem"));
    }
    for version in loaded.dags {
        if !exhaust(&version.dag, args, &handle, &mut summary, printer).await? {
            return Ok(Exit::Failed);
        }
    }
    printer.table(&summary.table(), args.json)?;
    what_next(&summary, printer);
    Ok(Exit::Success)
}

/// `false` when a run failed or a person stopped it.
async fn exhaust(
    dag: &Dag,
    args: &Demo,
    handle: &Handle,
    summary: &mut Summary,
    printer: &mut Printer,
) -> Result<bool> {
    let request = request(dag, args.scale)?;
    loop {
        let run_id = handle.trigger(&request).await?;
        printer.note(&format!("run `{run_id}`"));
        if !see_through(handle, std::slice::from_ref(&run_id), printer).await? {
            return Ok(false);
        }
        let run = handle.run(&run_id).await?;
        if run.state != RunState::Success {
            report(handle, &run, false, printer).await?;
            return Ok(false);
        }
        let tasks = handle.store().tasks(&run_id).await?;
        summary.add(dag, &run_id, &tasks);
        if taken(dag, &tasks) == 0 {
            return Ok(true);
        }
    }
}

fn request(dag: &Dag, scale: Option<Scale>) -> Result<TriggerRequest> {
    let timetable = Timetable::new(dag.schedule.as_ref())?;
    let interval = DAY.and_then(|day| timetable.at(day)).ok_or_else(|| {
        Error::new(format!(
            "dag `{}` has no data interval for the demo",
            dag.dag_id
        ))
    })?;
    let mut params = Map::new();
    if let Some(scale) = scale
        && dag.params.contains_key(SCALE)
    {
        params.insert(SCALE.to_owned(), Value::String(scale.as_str().to_owned()));
    }
    Ok(TriggerRequest {
        dag_id: dag.dag_id.clone(),
        asked: Asked::Exactly(interval),
        params,
        select: None,
    })
}

/// Records that the `process` tasks of a run read.
fn taken(dag: &Dag, tasks: &[TaskInstance]) -> u64 {
    let process = |task: &&TaskInstance| {
        let mut definitions = dag.tasks.iter().filter(|known| known.operator == PROCESS);
        definitions.any(|known| known.task_id == task.task_id)
    };
    tasks
        .iter()
        .filter(process)
        .filter_map(|task| Some(task.counts?.read))
        .sum()
}

/// What every task did over all runs of the demo.
#[derive(Default)]
struct Summary {
    tasks: Vec<Done>,
    last_run: Option<RunId>,
}

struct Done {
    dag: DagId,
    task: TaskId,
    runs: u64,
    seconds: f64,
    counts: Counts,
}

impl Summary {
    fn add(&mut self, dag: &Dag, run_id: &RunId, tasks: &[TaskInstance]) {
        self.last_run = Some(run_id.clone());
        for task in tasks.iter().filter(|task| task.state == TaskState::Success) {
            let done = self.of(&dag.dag_id, &task.task_id);
            done.runs += 1;
            done.counts += task.counts.unwrap_or_default();
            if let (Some(start), Some(end)) = (task.started_at, task.ended_at) {
                done.seconds += seconds(end - start);
            }
        }
    }

    fn of(&mut self, dag: &DagId, task: &TaskId) -> &mut Done {
        let known = |done: &Done| done.dag == *dag && done.task == *task;
        let place = self.tasks.iter().position(known).unwrap_or_else(|| {
            self.tasks.push(Done {
                dag: dag.clone(),
                task: task.clone(),
                runs: 0,
                seconds: 0.0,
                counts: Counts::default(),
            });
            self.tasks.len() - 1
        });
        &mut self.tasks[place]
    }

    fn table(&self) -> Table {
        let names = ["dag", "task", "runs", "seconds"];
        let mut table = Table::new(names.into_iter().chain(COUNTS));
        for done in &self.tasks {
            let start = [
                json!(done.dag),
                json!(done.task),
                json!(done.runs),
                json!((done.seconds * 100.0).round() / 100.0),
            ];
            table.row(start.into_iter().chain(counts(Some(done.counts))));
        }
        table
    }
}

fn what_next(summary: &Summary, printer: &mut Printer) {
    let (Some(run), Some(last)) = (&summary.last_run, summary.tasks.last()) else {
        printer.note("there is no DAG to run");
        printer.note("hint: `--home DIR` names the folder that holds `dags`");
        return;
    };
    let dag = &last.dag;
    printer.note("\nTry next:");
    for (command, why) in [
        (format!("galen tables {dag}"), "what there is now"),
        (
            format!("galen quarantine list {dag}"),
            "what was set aside, and why",
        ),
        (
            format!("galen runs show {run}"),
            "the last run, task by task",
        ),
        (
            "galen audit verify".to_owned(),
            "nothing was changed behind the house",
        ),
        ("galen scheduler".to_owned(), "run it all when it is due"),
    ] {
        printer.note(&format!("  {command:<60} {why}"));
    }
}
