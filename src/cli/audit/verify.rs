//! `galen audit verify`.

use std::collections::BTreeMap;

use clap::Args;

use crate::base::{AuditAnchor, DagId, Error, Result};
use crate::cli::{App, Exit, Printer};
use crate::records::Records;
use crate::store::Anchor;

/// Recompute every hash and name the first record that was changed, removed, put in or moved
///
/// First the chain of events, then the row audit of each DAG against itself and against what the chain says of it. Exit
/// code 1 when something does not hold, 2 when it cannot be looked at.
#[derive(Debug, Args)]
pub struct Verify {}

pub async fn verify(_: &Verify, app: &App, printer: &mut Printer) -> Result<Exit> {
    hold(app, printer)
        .await
        .or_else(|error| unreadable(&error, printer))
}

/// 1 says that the record was changed, which nobody knows who could not read it.
fn unreadable(error: &Error, printer: &mut Printer) -> Result<Exit> {
    printer.error(error);
    Ok(Exit::Usage)
}

/// Verifies everything.
async fn hold(app: &App, printer: &mut Printer) -> Result<Exit> {
    let store = app.store().await?;
    let found = store.verify_events().await?;
    let mut exit = Exit::Success;
    match &found.first_break {
        Some(first) => {
            exit = Exit::Failed;
            printer.line(&format!("events: {first}"))?;
        }
        None => printer.line(&format!(
            "events: {} hold, head {}",
            found.events, found.hash
        ))?,
    }
    let mut anchors: BTreeMap<DagId, Vec<AuditAnchor>> = BTreeMap::new();
    for dag in store.dags().await? {
        anchors.entry(dag.dag_id).or_default();
    }
    for Anchor { dag_id, anchor, .. } in found.anchors {
        anchors.entry(dag_id).or_default().push(anchor);
    }
    let mut exits = vec![exit];
    for (dag, anchors) in anchors {
        let rows = rows(&dag, &anchors, app, printer).await;
        exits.push(rows.or_else(|error| unreadable(&error, printer))?);
    }
    // what was changed was changed, whatever else could not be read
    let worst = [Exit::Failed, Exit::Usage];
    let worst = worst.into_iter().find(|exit| exits.contains(exit));
    Ok(worst.unwrap_or(Exit::Success))
}

/// Verifies the row audit of one DAG.
async fn rows(
    dag: &DagId,
    anchors: &[AuditAnchor],
    app: &App,
    printer: &mut Printer,
) -> Result<Exit> {
    let records = Records::open(&app.settings, dag)?;
    if anchors.is_empty() && !records.database().exists().await? {
        return Ok(Exit::Success);
    }
    drop(records.read().await?);
    match records.verify_audit(anchors).await {
        Ok(report) => {
            printer.line(&format!(
                "rows of `{dag}`: {} changes in {} batches hold, {} times held against the events",
                report.rows, report.batches, report.anchors
            ))?;
            Ok(Exit::Success)
        }
        Err(error) if error.is_transient() => Err(error),
        Err(error) => {
            printer.line(&format!("rows of `{dag}`: {error}"))?;
            Ok(Exit::Failed)
        }
    }
}
