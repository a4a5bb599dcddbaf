//! The command line as a person meets it: help, mistakes, exit codes.

mod galen;
mod mistakes;
