//! Synthetic data, declared in `generate.yaml`: tables, columns, distributions and planted mistakes to CSV files.
//!
//! The same definition and seed give the same bytes on any machine, clock and number of threads; the rows of a day
//! depend on the seed and that day only.
//!
//! Belongs here: how rows are made up and written. Does not belong here: the name of any table or column, and what
//! becomes of the files.

mod block;
mod chance;
mod columns;
mod compile;
mod csv_text;
mod file;
mod list_text;
mod names;
mod plan;
mod request;
mod row;
mod run;
mod shape;
mod spec;
mod text;
mod values;
mod words;

pub use compile::compile;
pub use plan::Plan;
pub use request::{FileReport, Planted, Report, Request, days_of};
pub use run::{ANSWER_KEY, generate};
pub use spec::Expect;
