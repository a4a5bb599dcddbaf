//! Models: SQL over Delta tables and operational tables, built, tested, queried and published; and the Delta tables that tasks write.
//!
//! Belongs here: what a model means, where its table is, how it is computed and kept; how files land in a table ([`Landing`]), and how a table
//! is replaced by what rules left or merged from another. [`compute`] is the only place that makes a
//! session of the engine. Does not belong here: when a model runs, and how operational rows came to be.

mod bucket;
mod build;
mod catalogue;
mod compute;
mod error;
mod files;
mod folder;
mod grade;
mod incoming;
mod kept_file;
mod landing;
mod lineage;
mod lock;
mod made_of;
mod memory;
mod merge;
mod model;
mod op_batch;
mod op_filter;
mod op_table;
mod place;
mod provenance;
mod publish;
mod quality;
mod query;
mod replace;
mod rows;
mod set_aside;
mod testing;
mod texts;
mod trace;
mod turn;
mod types;
mod waiting;
mod warehouse;

pub use build::care::Care;
pub use build::{Built, DeadEnd, Request};
pub use catalogue::catalogue;
pub use datafusion::arrow::array::RecordBatch;
pub use datafusion::execution::SendableRecordBatchStream as Batches;
pub use error::running as read_error;
pub use folder::Folder;
pub use grade::{Grade, Graded, MadeFrom};
pub use incoming::{Incoming, Sender, incoming};
pub use landing::{Landing, check_landing_name};
pub use lineage::{Lineage, Making, Makings, Origin, TableColumn};
pub use lock::TableLock;
pub use made_of::MadeOf;
pub use merge::{Latest, Merged};
pub use model::{
    Column, Header, LAYERS, Materialized, Model, Models, OP, Planned, Rule, Severity, Sources,
    TestSpec, described, select,
};
pub use place::{At, Lake};
pub use provenance::{ORDER, QUARANTINE, landed, rejected, unread};
pub use quality::{KeptRule, RuleRun};
pub use query::{Format, Rows};
pub use replace::{Later, Replaced};
pub use set_aside::SetAside;
pub use testing::{Counted, ModelResults, TestResult, TestStatus};
pub use texts::of as texts_of;
pub use trace::{RowKey, RowTrace, SourceFile, SourceRows, Step};
pub use turn::{Turn, turn};
pub use waiting::Waiting;
pub use warehouse::{StoredTable, Warehouse};
