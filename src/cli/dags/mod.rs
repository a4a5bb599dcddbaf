//! `galen dags …`: the DAGs under `dags/`.

mod list;
mod next_runs;
mod pause;
mod show;
mod trigger;
mod validate;

use std::path::PathBuf;

use clap::Subcommand;

use super::{App, Exit, Printer};
use crate::base::{Error, Result, nearest};
use crate::dag::{Catalog, Checked, Loaded, Unasked, Version, load};
use crate::operators::Operators;

/// List, check, show, pause and trigger DAGs
#[derive(Debug, Subcommand)]
pub enum Dags {
    List(list::List),
    Show(show::Show),
    Validate(validate::Validate),
    NextRuns(next_runs::NextRuns),
    Pause(pause::Pause),
    Unpause(pause::Unpause),
    Trigger(trigger::Trigger),
}

/// Does what is asked.
pub async fn dags(args: &Dags, app: &App, printer: &mut Printer) -> Result<Exit> {
    match args {
        Dags::List(args) => list::list(args, app, printer).await,
        Dags::Show(args) => show::show(args, app, printer),
        Dags::Validate(args) => validate::validate(args, app, printer),
        Dags::NextRuns(args) => next_runs::next_runs(args, app, printer),
        Dags::Pause(args) => pause::pause(args, app, printer).await,
        Dags::Unpause(args) => pause::unpause(args, app, printer).await,
        Dags::Trigger(args) => trigger::trigger(args, app, printer).await,
    }
}

/// Every DAG of the installation, sound or broken.
pub fn load_all(app: &App) -> Result<Loaded> {
    let checked = Checked::new(app.settings.checked_dir());
    load(
        &app.settings.dags_dir(),
        &Operators::all().installed(&app.settings),
        checked.as_ref(),
    )
}

/// The sound DAG called `dag_id`.
///
/// # Errors
/// When there is none, with the nearest name; when it is broken, with what is wrong.
pub fn load_one(app: &App, dag_id: &str) -> Result<Version> {
    let checked = Checked::new(app.settings.checked_dir());
    let catalog = Operators::all();
    let catalog = catalog.installed(&app.settings);
    load_with(app, dag_id, &catalog, checked.as_ref())
}

/// The DAG called `dag_id`, whether or not its operators can do what it tells them: for looking at what is there.
///
/// # Errors
/// When there is none, with the nearest name; when its `dag.yaml` is broken, with what is wrong.
pub fn load_known(app: &App, dag_id: &str) -> Result<Version> {
    load_with(app, dag_id, &Unasked(&Operators::all()), None)
}

fn load_with(
    app: &App,
    dag_id: &str,
    catalog: &dyn Catalog,
    checked: Option<&Checked>,
) -> Result<Version> {
    let folder = known_folder(app, dag_id)?;
    crate::dag::load_folder(&folder, catalog, checked).map_err(|broken| {
        let problems: Vec<String> = broken.problems.iter().map(ToString::to_string).collect();
        // each problem has its own hint
        Error::new(format!(
            "DAG `{}` is broken\n{}",
            broken.dag_id,
            problems.join("\n")
        ))
    })
}

/// The folder of the DAG called `dag_id`, sound or broken.
///
/// # Errors
/// When there is none, with the nearest name.
pub fn known_folder(app: &App, dag_id: &str) -> Result<PathBuf> {
    let folder = app.settings.dags_dir().join(dag_id);
    if dag_id.is_empty() || dag_id.contains(['/', '\\']) || !folder.is_dir() {
        return Err(no_such_dag(app, dag_id));
    }
    Ok(folder)
}

fn no_such_dag(app: &App, dag_id: &str) -> Error {
    let error = Error::new(format!("no DAG `{dag_id}`"));
    let loaded = load_all(app).unwrap_or_default();
    let sound = loaded
        .dags
        .iter()
        .map(|version| version.dag.dag_id.as_str());
    let known = sound.chain(loaded.broken.iter().map(|broken| broken.dag_id.as_str()));
    match nearest(dag_id, known) {
        Some(name) => error.hint(format!("did you mean `{name}`?")),
        None => error.hint("`galen dags list` shows them all"),
    }
}
