//! Rule tables: CSV files that say what is done to the values of a table and what its records must be. A row more in
//! such a file changes the pipeline.
//!
//! Belongs here: reading the tables with every problem at once, and applying them to bounded chunks.
//! Does not belong here: where chunks come from, where passed and rejected records go, queries over whole tables.
//!
//! [`RuleTables::load`] reads a folder. [`Cleaning::compile`] fits what it says about a table to the table's columns. When it
//! [`needs_survey`](Cleaning::needs_survey), all chunks go through [`Cleaning::survey`] first, in any order. Then each goes through [`Cleaning::apply`], with the keys of the
//! tables that it [refers to](Cleaning::parents) in [`Known`], and with [`Seen`], which carries what the chunks before have shown. Where
//! records [name themselves](Cleaning::has_identities), it is enough to do so with those that [come again](Cleaning::again), in their order;
//! the others go through [`Cleaning::apply_alone`] in any.
//! At the end [`Cleaning::statuses`] says how each rule did, and [`Cleaning::queries`] are left for the warehouse.
//!
#![doc = include_str!("REFERENCE.md")]

mod apply;
mod bounds;
mod cast;
mod cell;
mod cleaning;
mod cleansing;
mod column_type;
mod compatibility;
mod compile;
mod compile_quality;
mod condition;
mod date_pattern;
mod dates;
mod email;
mod fates;
mod flow;
mod jobs;
mod judge;
mod key;
mod known;
mod load;
mod mapping;
mod money;
mod phone;
mod place;
mod quality;
mod repeats;
mod rule;
mod seen;
mod severity;
mod sheet;
mod sources;
mod status;
mod survey;

pub use apply::{Cleaned, Rejected};
pub use cleaning::{Cleaning, Query};
pub use column_type::ColumnType;
pub use compatibility::Compatibility;
pub use flow::{Flow, Merge, Pass};
pub use jobs::{Job, JobKind};
pub use known::{Known, Parent};
pub use load::RuleTables;
pub use place::Place;
pub use quality::Class;
pub use repeats::Repeats;
pub use rule::Rule;
pub use seen::{Counts, Seen};
pub use severity::{Severity, Threshold};
pub use sources::{Source, SourceFormat};
pub use status::{RuleOutcome, Status};
pub use survey::Survey;
