//! `galen dags show`.

use clap::Args;

use super::load_one;
use crate::base::Result;
use crate::cli::{App, Exit, Printer};
use crate::dag::{Graph, Version, show as picture};
use crate::schedule::Timetable;

/// Show a DAG: what it is, when it runs, and its tasks in layers
#[derive(Debug, Args)]
pub struct Show {
    /// The DAG
    dag: String,
    /// Print the graph for Graphviz, as in `galen dags show DAG --dot | dot -Tsvg > dag.svg`
    #[arg(long, conflicts_with = "json")]
    dot: bool,
    /// Print the checked definition, every default filled in, as JSON
    #[arg(long)]
    json: bool,
}

pub fn show(args: &Show, app: &App, printer: &mut Printer) -> Result<Exit> {
    let version = load_one(app, &args.dag)?;
    if args.dot {
        printer.data(&picture::dot(&version.dag))?;
    } else if args.json {
        printer.line(&version.json()?)?;
    } else {
        printer.data(&head(&version, app)?)?;
        let graph = Graph::new(&version.dag.tasks)?;
        printer.data(&picture::layers(&version.dag, &graph))?;
    }
    Ok(Exit::Success)
}

fn head(version: &Version, app: &App) -> Result<String> {
    let dag = &version.dag;
    let next = Timetable::new(dag.schedule.as_ref())?.next_due(app.clock.now());
    let schedule = dag
        .schedule
        .as_ref()
        .map_or("none".to_owned(), ToString::to_string);
    let params: Vec<String> = dag
        .params
        .iter()
        .map(|(name, param)| format!("{name}={}", param.default))
        .collect();
    let lines = [
        ("dag", dag.dag_id.to_string()),
        ("description", dag.description.clone()),
        ("owner", dag.owner.clone()),
        ("tags", dag.tags.join(", ")),
        ("schedule", schedule),
        (
            "next run",
            next.map_or(String::new(), |next| {
                next.format("%Y-%m-%dT%H:%M:%SZ").to_string()
            }),
        ),
        ("params", params.join(", ")),
        ("version", version.hash.to_string()),
    ];
    let told = lines.iter().filter(|(_, value)| !value.is_empty());
    let text: String = told
        .map(|(name, value)| format!("{name:<12} {value}\n"))
        .collect();
    Ok(format!("{text}\n"))
}
