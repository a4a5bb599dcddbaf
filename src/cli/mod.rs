//! The command line: one file per verb, a verb is a function of its arguments and the [`App`].
//!
//! Belongs here: what is asked, how it is shown, exit codes. Data goes to stdout, everything else to stderr.
//! Does not belong here: how anything is done; that is a call to the room that does it.

mod app;
mod args;
mod audit;
mod backfill;
mod dags;
mod db;
mod demo;
mod doctor;
mod exit;
mod foreground;
mod generate;
mod lineage;
mod logging;
mod out_file;
mod params;
mod printer;
mod profile;
mod progress;
mod quality;
mod quarantine;
mod query;
mod retry;
mod rows;
mod run;
mod runs;
mod scheduler;
mod schema;
mod signals;
mod start;
mod table;
mod task_log;
mod tasks;
mod tests;
mod trace;
mod what;
mod when;

pub use app::App;
pub use args::Args;
pub use exit::Exit;
pub use printer::Printer;
pub use start::main;
pub use table::Table;
