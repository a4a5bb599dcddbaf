//! The command line: one file per verb, a verb is a function of its arguments and the [`App`].
//!
//! Belongs here: what is asked, how it is shown, exit codes. Data goes to stdout, everything else to stderr.
//! Does not belong here: how anything is done; that is a call to the room that does it.

mod app;
mod args;
mod dags;
mod doctor;
mod exit;
mod generate;
mod printer;
mod schema;
mod start;
mod table;

pub use app::App;
pub use args::Args;
pub use exit::Exit;
pub use printer::Printer;
pub use start::main;
pub use table::Table;
