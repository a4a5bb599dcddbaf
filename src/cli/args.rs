//! The arguments: every verb with its help.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use super::audit::Audit;
use super::backfill::Backfill;
use super::dags::Dags;
use super::db::Db;
use super::demo::Demo;
use super::doctor::Doctor;
use super::generate::Generate;
use super::lineage::{Docs, LineageOf};
use super::profile::Profile;
use super::quality::Quality;
use super::quarantine::Quarantine;
use super::query::Query;
use super::retry::Retry;
use super::rows::{Export, Tables};
use super::run::Run;
use super::runs::Runs;
use super::scheduler::Scheduler;
use super::schema::Schema;
use super::tasks::Tasks;
use super::tests::Tests;
use super::trace::Tracing;

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
    Demo(Demo),
    Run(Run),
    Backfill(Backfill),
    Retry(Retry),
    Scheduler(Scheduler),
    #[command(subcommand)]
    Dags(Dags),
    #[command(subcommand)]
    Runs(Runs),
    #[command(subcommand)]
    Tasks(Tasks),
    Tables(Tables),
    Export(Export),
    Query(Query),
    Tests(Tests),
    Quality(Quality),
    #[command(name = "lineage")]
    LineageOf(LineageOf),
    Docs(Docs),
    #[command(name = "trace")]
    Tracing(Tracing),
    Profile(Profile),
    #[command(subcommand)]
    Quarantine(Quarantine),
    #[command(subcommand)]
    Audit(Audit),
    Generate(Generate),
    Doctor(Doctor),
    #[command(subcommand)]
    Db(Db),
    #[command(subcommand)]
    Schema(Schema),
}
