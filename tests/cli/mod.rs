//! The command line as a person meets it: help, mistakes, exit codes.

mod dags;
pub mod galen;
mod mistakes;
