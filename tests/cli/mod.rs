//! The command line as a person meets it: help, mistakes, exit codes.

mod dags;
mod demo;
pub mod galen;
mod mistakes;
mod quarantine;
mod read_only;
mod tour;
