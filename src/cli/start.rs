//! From the process's arguments to its exit code.

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use super::args::Verb;
use super::{App, Args, Exit, Printer};
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
    match args.verb {
        Verb::Dags(args) => super::dags::dags(&args, &app, printer),
        Verb::Schema(args) => super::schema::schema(&args, printer),
        Verb::Doctor(args) => wait(super::doctor::doctor(&args, &app, printer)),
        Verb::Generate(args) => super::generate::run(&args, &app, printer),
    }
}

/// Runs an asynchronous verb to its end. Threads exist only from here on.
fn wait(verb: impl Future<Output = Result<Exit>>) -> Result<Exit> {
    tokio::runtime::Builder::new_multi_thread()
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
