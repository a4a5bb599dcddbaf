//! The command line as a person meets it: help, mistakes, exit codes.

mod dags;
mod galen;
mod mistakes;
