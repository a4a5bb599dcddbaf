//! From the process's arguments to its exit code.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use clap::error::ErrorKind;

use super::args::Verb;
use super::{App, Args, Exit, Printer};
use super::{
    audit, backfill, dags, db, demo, doctor, generate, lineage, logging, profile, quality,
    quarantine, query, retry, rows, run, runs, scheduler, schema, tasks, tests, trace,
};
use crate::base::{Error, Result};

/// The whole program.
pub fn main() -> ExitCode {
    let mut printer = Printer::standard();
    let exit = match Args::try_parse() {
        Ok(args) => obey(args, &mut printer),
        Err(error) => explain(&error, &mut printer),
    };
    let ended = exit.and_then(|exit| printer.flush().map(|()| exit));
    let exit = ended.unwrap_or_else(|error| {
        printer.error(&error);
        Exit::of(&error)
    });
    exit.into()
}

fn obey(args: Args, printer: &mut Printer) -> Result<Exit> {
    let app = App::open(args.home)?;
    logging::start(match args.verb {
        Verb::Scheduler(_) => "info",
        _ => "warn",
    });
    match args.verb {
        Verb::Demo(args) => wait(demo::demo(&args, &app, printer)),
        Verb::Run(args) => wait(run::run(&args, &app, printer)),
        Verb::Backfill(args) => wait(backfill::backfill(&args, &app, printer)),
        Verb::Retry(args) => wait(retry::retry(&args, &app, printer)),
        Verb::Scheduler(args) => wait(scheduler::scheduler(&args, &app, printer)),
        Verb::Dags(args) => wait(dags::dags(&args, &app, printer)),
        Verb::Runs(args) => wait(runs::runs(&args, &app, printer)),
        Verb::Tasks(args) => wait(tasks::tasks(&args, &app, printer)),
        Verb::Tables(args) => wait(rows::tables(&args, &app, printer)),
        Verb::Export(args) => wait(rows::export(&args, &app, printer)),
        Verb::Query(args) => wait(query::query(&args, &app, printer)),
        Verb::Tests(args) => wait(tests::tests(&args, &app, printer)),
        Verb::Quality(args) => quality::quality(&args, &app, printer),
        Verb::LineageOf(args) => lineage::lineage(&args, &app, printer),
        Verb::Docs(args) => wait(lineage::docs(&args, &app, printer)),
        Verb::Tracing(args) => wait(trace::trace(&args, &app, printer)),
        Verb::Profile(args) => profile::show(&args, &app, printer),
        Verb::Quarantine(args) => wait(quarantine::quarantine(&args, &app, printer)),
        Verb::Audit(args) => wait(audit::audit(&args, &app, printer)),
        Verb::Generate(args) => generate::run(&args, &app, printer),
        Verb::Doctor(args) => wait(doctor::doctor(&args, &app, printer)),
        Verb::Db(args) => wait(db::db(&args, &app, printer)),
        Verb::Schema(args) => schema::schema(&args, printer),
    }
}

/// Runs an asynchronous verb to its end. Threads exist only from here on.
fn wait(verb: impl Future<Output = Result<Exit>>) -> Result<Exit> {
    tokio::runtime::Builder::new_multi_thread()
        // a thread that has nothing to do keeps memory that others gave back to it
        .thread_keep_alive(Duration::from_millis(200))
        .enable_all()
        .build()
        .map_err(|error| {
            Error::new("cannot start threads")
                .because(error)
                .transient()
        })?
        .block_on(verb)
}

/// Help and version are data; a mistake is printed as every other error is.
fn explain(error: &clap::Error, printer: &mut Printer) -> Result<Exit> {
    let text = error.render().to_string();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            printer.data(&text)?;
            Ok(Exit::Success)
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            printer.note(text.trim_end());
            Ok(Exit::Usage)
        }
        _ => {
            let text = text.replace("  tip: ", "hint: ").replace('\'', "`");
            for line in text.lines().filter(|line| !line.is_empty()) {
                printer.note(line);
            }
            Ok(Exit::Usage)
        }
    }
}
