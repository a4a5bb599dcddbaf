//! `galen dags list`.

use std::collections::BTreeSet;

use clap::Args;
use serde_json::{Value, json};

use super::load_all;
use crate::base::{DagId, Result};
use crate::cli::{App, Exit, Printer, Table};
use crate::dag::Version;
use crate::schedule::Timetable;

/// List the DAGs, broken ones too
#[derive(Debug, Args)]
pub struct List {
    /// Print one JSON array of objects
    #[arg(long)]
    json: bool,
}

pub async fn list(args: &List, app: &App, printer: &mut Printer) -> Result<Exit> {
    let loaded = load_all(app)?;
    let paused = paused(app, printer).await;
    let mut rows: Vec<(String, Vec<Value>)> = Vec::new();
    for version in &loaded.dags {
        rows.push((version.dag.dag_id.to_string(), row(version, &paused, app)?));
    }
    for broken in &loaded.broken {
        let row = vec![
            json!(broken.dag_id),
            json!("broken"),
            json!(null),
            json!(null),
            json!(null),
            json!(null),
            json!([]),
        ];
        rows.push((broken.dag_id.to_string(), row));
    }
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    let mut table = Table::new([
        "dag_id", "status", "schedule", "next_run", "tasks", "owner", "tags",
    ]);
    for (_, row) in rows {
        table.row(row);
    }
    printer.table(&table, args.json)?;
    if !loaded.broken.is_empty() {
        printer.note("hint: `galen dags validate` says what is wrong with the broken ones");
    }
    Ok(Exit::Success)
}

fn row(version: &Version, paused: &BTreeSet<DagId>, app: &App) -> Result<Vec<Value>> {
    let dag = &version.dag;
    let next = Timetable::new(dag.schedule.as_ref())?.next_due(app.clock.now());
    Ok(vec![
        json!(dag.dag_id),
        json!(if paused.contains(&dag.dag_id) {
            "paused"
        } else {
            "ok"
        }),
        json!(dag.schedule.as_ref().map(ToString::to_string)),
        json!(next.map(|next| next.format("%Y-%m-%dT%H:%M:%SZ").to_string())),
        json!(dag.tasks.len()),
        json!(dag.owner),
        json!(dag.tags),
    ])
}

/// The DAGs that are paused; none when the database is away, which is told.
async fn paused(app: &App, printer: &mut Printer) -> BTreeSet<DagId> {
    let registered = match app.store().await {
        Ok(store) => store.dags().await,
        Err(error) => Err(error),
    };
    let registered = registered.unwrap_or_else(|error| {
        printer.error(&error);
        Vec::new()
    });
    let paused = registered.into_iter().filter(|dag| dag.paused);
    paused.map(|dag| dag.dag_id).collect()
}
