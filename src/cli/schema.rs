//! `galen schema dag`: the JSON Schema of a DAG file.

use clap::Subcommand;

use super::{Exit, Printer};
use crate::base::{Error, Result};
use crate::dag::json_schema;
use crate::operators::Operators;

/// Print the JSON Schema of a definition file
///
/// Editors check and complete with it. In VS Code with the YAML extension:
///
///     galen schema dag > dag.schema.json
///     # first line of dag.yaml:
///     # yaml-language-server: $schema=../../dag.schema.json
#[derive(Debug, Subcommand)]
#[command(verbatim_doc_comment)]
pub enum Schema {
    /// Of `dag.yaml`
    Dag,
}

/// Prints the schema.
pub fn schema(Schema::Dag: &Schema, printer: &mut Printer) -> Result<Exit> {
    let schema = serde_json::to_string_pretty(&json_schema(&Operators::all()))
        .map_err(|error| Error::new("the schema cannot be written as JSON").because(error))?;
    printer.line(&schema)?;
    Ok(Exit::Success)
}
