//! The arguments: every verb with its help.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use super::dags::Dags;
use super::doctor::Doctor;
use super::generate::Generate;
use super::schema::Schema;

/// From a hospital's raw data to audited tables, on a schedule.
#[derive(Debug, Parser)]
#[command(name = "galen", version, disable_help_subcommand = true)]
pub struct Args {
    /// Folder that holds `dags`, `data_sample` and `state` [default: $GALEN_HOME, else here]
    #[arg(long, global = true, value_name = "DIR")]
    pub home: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    #[command(subcommand)]
    Dags(Dags),
    #[command(subcommand)]
    Schema(Schema),
    Doctor(Doctor),
    Generate(Generate),
}
