//! `galen doctor`: is this installation fit to run, and how to mend what is not.

use std::path::Path;

use clap::Args;
use serde_json::json;

use super::{App, Exit, Printer, Table};
use crate::base::{Error, Result};
use crate::dag::load;
use crate::lake::Folder;
use crate::operators::Operators;
use crate::store::Store;

/// Check the installation and say how to fix what is wrong
///
/// Checks the home folder, permissions, free disk space, the place of the lake, the clock, the database and its migrations, and every
/// DAG file.
/// Ends with exit code 1 when a check fails.
#[derive(Debug, Args)]
pub struct Doctor {
    /// Print one JSON array of objects
    #[arg(long)]
    json: bool,
}

/// Runs every check, however the others end.
pub async fn doctor(args: &Doctor, app: &App, printer: &mut Printer) -> Result<Exit> {
    let checks = vec![
        folders(app),
        writable(&app.settings.state_dir()),
        disk_space(&app.settings.home),
        lake(app).await,
        clock(app),
        database(app).await,
        dag_files(app),
    ];
    let mut table = Table::new(["check", "status", "found", "fix"]);
    for check in &checks {
        let fix = check.fix.as_deref();
        table.row([
            json!(check.name),
            json!(check.status.as_str()),
            json!(check.found),
            json!(fix),
        ]);
    }
    printer.table(&table, args.json)?;
    let failed = checks.iter().any(|check| check.status == Status::Failed);
    Ok(if failed { Exit::Failed } else { Exit::Success })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Status {
    Ok,
    Warning,
    Failed,
}

impl Status {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }
}

/// One thing that was looked at.
struct Check {
    name: &'static str,
    status: Status,
    found: String,
    fix: Option<String>,
}

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self {
            name,
            status: Status::Ok,
            found: found.into(),
            fix: None,
        }
    }

    fn failed(name: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            name,
            status: Status::Failed,
            found: found.into(),
            fix: Some(fix.into()),
        }
    }

    /// What `error` says, with its own way out where it has one.
    fn of(name: &'static str, error: &Error, fix: &str) -> Self {
        Self::failed(name, error.to_string(), error.hint_text().unwrap_or(fix))
    }

    fn warning(self) -> Self {
        Self {
            status: Status::Warning,
            ..self
        }
    }
}

fn folders(app: &App) -> Check {
    let dags = app.settings.dags_dir();
    match dags.is_dir() {
        true => Check::ok(
            "home",
            format!("`{}` holds `dags`", app.settings.home.display()),
        ),
        false => Check::failed(
            "home",
            format!("no folder `{}`", dags.display()),
            "run in the folder that holds `dags`, or name it with `--home DIR`",
        ),
    }
}

/// Writes and removes a file, as everything that runs will.
fn writable(state: &Path) -> Check {
    let probe = state.join(format!(".doctor-{}", std::process::id()));
    let tried = std::fs::create_dir_all(state)
        .and_then(|()| std::fs::write(&probe, b"galen"))
        .and_then(|()| std::fs::remove_file(&probe));
    match tried {
        Ok(()) => Check::ok("permissions", format!("`{}` is writable", state.display())),
        Err(error) => Check::failed(
            "permissions",
            format!("cannot write in `{}`: {error}", state.display()),
            "give this user the folder, or free space on its disk",
        ),
    }
}

/// Below this, loads are about to stop.
const LITTLE_SPACE: u64 = 1 << 30;
/// Below this, they have stopped.
const NO_SPACE: u64 = 64 << 20;

fn disk_space(home: &Path) -> Check {
    let fix = "free space, or move the home folder to a larger disk";
    let free = match rustix::fs::statvfs(home) {
        Ok(disk) => disk.f_bavail * disk.f_frsize,
        Err(error) => {
            return Check::failed("disk space", format!("cannot be read: {error}"), fix).warning();
        }
    };
    let found = format!("{:.1} GiB free", free as f64 / f64::from(1 << 30));
    match free {
        NO_SPACE.. if free >= LITTLE_SPACE => Check::ok("disk space", found),
        NO_SPACE.. => Check::failed("disk space", found, fix).warning(),
        _ => Check::failed("disk space", found, fix),
    }
}

/// Tables can be found and written where they should be, in a folder or in an object store.
async fn lake(app: &App) -> Check {
    let name = "lake";
    let location = &app.settings.lake.location;
    let now = app.clock.now().timestamp_micros();
    let probe = format!(".doctor-{}-{now:x}", std::process::id());
    let tried = Folder::new(&app.settings, location).probe(&probe).await;
    match tried {
        Ok(()) => Check::ok(name, format!("`{location}` is writable")),
        Err(error) => Check::of(
            name,
            &error,
            "correct `location` in section `[lake]` of `galen.toml`",
        ),
    }
}

/// The database answers, and is as this version needs it. One that nothing has written to yet is sound.
async fn database(app: &App) -> Check {
    let name = "database";
    let fix = "start the database server, or correct `database_url`";
    let store = match Store::open(&app.settings) {
        Ok(store) => store,
        Err(error) => return Check::of(name, &error, fix),
    };
    match store.migration_status().await {
        Err(error) => Check::of(name, &error, fix),
        Ok(all) => {
            let missing = all.iter().filter(|one| one.applied_at.is_none()).count();
            match missing {
                0 => Check::ok(name, store.place()),
                _ => Check::failed(
                    name,
                    format!(
                        "{}: {missing} of {} migrations to apply",
                        store.place(),
                        all.len()
                    ),
                    "`galen db migrate`, or any verb that writes",
                )
                .warning(),
            }
        }
    }
}

/// Every DAG file is sound.
fn dag_files(app: &App) -> Check {
    let name = "dag files";
    let operators = Operators::all();
    let catalog = operators.installed(&app.settings);
    let loaded = match load(&app.settings.dags_dir(), &catalog, None) {
        Ok(loaded) => loaded,
        Err(error) => return Check::failed(name, error.to_string(), "let this user read them"),
    };
    let broken: Vec<&str> = loaded
        .broken
        .iter()
        .map(|dag| dag.dag_id.as_str())
        .collect();
    if !broken.is_empty() {
        let found = format!("broken: {}", broken.join(", "));
        return Check::failed(name, found, "`galen dags validate` lists every problem");
    }
    Check::ok(name, format!("{} sound", loaded.dags.len()))
}

/// The clock cannot be before this binary was written.
fn clock(app: &App) -> Check {
    let now = app.clock.now();
    let found = now.format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let earliest = chrono::DateTime::from_timestamp(1_767_225_600, 0); // 2026-01-01
    match earliest.is_some_and(|earliest| now >= earliest) {
        true => Check::ok("clock", found),
        false => Check::failed(
            "clock",
            found,
            "set the machine's clock; schedules follow it",
        ),
    }
}
