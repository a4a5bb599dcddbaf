//! A static catalogue of a DAG's models, as one HTML page.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::lineage::{Lineage, Makings};
use super::model::{Model, Models, Planned};
use super::testing::ModelResults;
use super::{LAYERS, OP};
use crate::base::{DagId, Result};

/// What the page looks like; it needs nothing from elsewhere.
const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:0 auto;max-width:76rem;padding:1rem 2rem;color:#1b2733}\
h1,h2,h3{line-height:1.2}h2{margin-top:2.5rem;border-top:1px solid #d5dde5;padding-top:1.5rem}\
table{border-collapse:collapse;width:100%;margin:.5rem 0}th,td{text-align:left;padding:.25rem .6rem;border-bottom:1px solid #e4e9ee;vertical-align:top}\
code,pre{font:13px/1.45 ui-monospace,monospace;background:#f4f6f8}pre{padding:.8rem;overflow:auto}.tag{background:#e7f0fa;border-radius:3px;padding:0 .4rem;margin-right:.3rem}\
.fail,.error{color:#a11}.pass{color:#175}.pass_with_rows{color:#850}.not_applicable{color:#777}svg{max-width:100%;height:auto}svg a text{fill:#14507a}";

/// The page: every model with its columns, tests and origin, and a picture of who reads whom.
///
/// # Errors
/// When a plan cannot be followed.
pub fn catalogue(
    dag: &DagId,
    models: &Models,
    planned: &Planned,
    makings: Makings,
    results: &[ModelResults],
) -> Result<String> {
    let lineage = Lineage::new(models, planned, makings)?;
    let mut page = String::new();
    let title = format!("{} · models", escape(dag.as_str()));
    put(
        &mut page,
        &format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title><style>{STYLE}</style><h1>{title}</h1>"
        ),
    );
    put(&mut page, &picture(models));
    put(
        &mut page,
        "<table><tr><th>model</th><th>kept as</th><th>description</th></tr>",
    );
    for model in models.iter() {
        let name = escape(&model.full_name());
        let kept = format!("{:?}", model.header.materialized).to_lowercase();
        put(
            &mut page,
            &format!(
                "<tr><td><a href=\"#{name}\">{name}</a></td><td>{kept}</td><td>{}</td></tr>",
                escape(&model.description)
            ),
        );
    }
    put(&mut page, "</table>");
    for model in models.iter() {
        let kept = results.iter().find(|kept| kept.model == model.full_name());
        put(&mut page, &section(model, models, planned, &lineage, kept)?);
    }
    put(&mut page, "</html>\n");
    Ok(page)
}

fn section(
    model: &Model,
    models: &Models,
    planned: &Planned,
    lineage: &Lineage,
    kept: Option<&ModelResults>,
) -> Result<String> {
    let name = model.full_name();
    let mut text = format!(
        "<h2 id=\"{0}\">{0}</h2><p>{1}</p><p><code>{2}</code> ",
        escape(&name),
        escape(&model.description),
        escape(&model.path)
    );
    for tag in &model.header.tags {
        put(
            &mut text,
            &format!("<span class=\"tag\">{}</span>", escape(tag)),
        );
    }
    let reads: Vec<String> = model.reads().map(|table| link(&table, models)).collect();
    let read_by = models
        .iter()
        .filter(|other| other.reads().any(|table| table == name));
    let read_by: Vec<String> = read_by
        .map(|other| link(&other.full_name(), models))
        .collect();
    let listed = |names: &[String]| match names.is_empty() {
        true => "nobody".to_owned(),
        false => names.join(", "),
    };
    put(
        &mut text,
        &format!(
            "</p><p>reads {}; read by {}</p>",
            reads.join(", "),
            listed(&read_by)
        ),
    );
    put(
        &mut text,
        "<table><tr><th>column</th><th>type</th><th>description</th><th>comes from</th></tr>",
    );
    for (column, kind) in planned.columns(&name).unwrap_or_default() {
        let described = model
            .columns
            .iter()
            .find(|described| described.name == column);
        let description = described.map_or("", |described| &described.description);
        let roots = lineage.trace(&format!("{name}.{column}"))?.roots();
        let roots: Vec<String> = roots
            .iter()
            .filter(|root| root.table != name)
            .map(|root| format!("{}.{}", root.table, root.column))
            .collect();
        put(
            &mut text,
            &format!(
                "<tr><td><code>{}</code></td><td>{}</td><td>{}</td><td>{}</td></tr>",
                escape(&column),
                escape(&kind),
                escape(description),
                escape(&roots.join(", "))
            ),
        );
    }
    put(&mut text, "</table>");
    if !model.tests.is_empty() {
        put(
            &mut text,
            "<table><tr><th>test</th><th>severity</th><th>status</th><th>rows that fail</th></tr>",
        );
    }
    for test in &model.tests {
        let result =
            kept.and_then(|kept| kept.tests.iter().find(|result| result.test == test.name));
        let status = result.map_or_else(
            || "not run yet".to_owned(),
            |result| result.status.to_string(),
        );
        let failed = result.map_or_else(String::new, |result| {
            format!("{} of {}", result.counted.failed, result.counted.checked)
        });
        let severity = format!("{:?}", test.severity).to_lowercase();
        put(
            &mut text,
            &format!(
                "<tr><td>{}</td><td>{severity}</td><td class=\"{status}\">{status}</td><td>{failed}</td></tr>",
                escape(&test.name)
            ),
        );
    }
    if !model.tests.is_empty() {
        put(&mut text, "</table>");
    }
    for dead_end in kept
        .map(|kept| kept.dead_ends.as_slice())
        .unwrap_or_default()
    {
        put(
            &mut text,
            &format!("<p class=\"fail\">{}</p>", escape(dead_end)),
        );
    }
    put(
        &mut text,
        &format!(
            "<details><summary>SQL</summary><pre>{}</pre></details>",
            escape(&model.sql)
        ),
    );
    Ok(text)
}

/// Tables as boxes, a column of boxes a layer, lines from what is read to who reads it.
fn picture(models: &Models) -> String {
    const WIDE: usize = 190;
    const HIGH: usize = 34;
    const GAP: usize = 60;
    let mut rows: BTreeMap<usize, usize> = BTreeMap::new();
    let mut places: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let of_layer = |table: &str| {
        let schema = table.split('.').next().unwrap_or_default();
        match schema == OP {
            true => 0,
            false => {
                1 + LAYERS
                    .iter()
                    .position(|layer| *layer == schema)
                    .unwrap_or(0)
            }
        }
    };
    let names = models
        .iter()
        .flat_map(|model| model.reads().chain([model.full_name()]));
    for name in names {
        let layer = of_layer(&name);
        places.entry(name).or_insert_with(|| {
            let row = rows.entry(layer).or_default();
            *row += 1;
            (layer, *row - 1)
        });
    }
    // layers without a table take no room
    let used: Vec<usize> = rows.keys().copied().collect();
    let at = |name: &str| {
        let (layer, row) = places.get(name).copied().unwrap_or_default();
        let column = used.iter().position(|used| *used == layer).unwrap_or(0);
        (column * (WIDE + GAP), row * (HIGH + 12))
    };
    let width = used.len() * (WIDE + GAP);
    let height = rows.values().max().copied().unwrap_or(0) * (HIGH + 12);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {width} {height}\" width=\"{width}\" role=\"img\" aria-label=\"which model reads which table\">"
    );
    for model in models.iter() {
        let (to_x, to_y) = at(&model.full_name());
        for read in model.reads() {
            let (x, y) = at(&read);
            let (x, y, to_y) = (x + WIDE, y + HIGH / 2, to_y + HIGH / 2);
            let bend = GAP / 2;
            put(
                &mut svg,
                &format!(
                    "<path d=\"M{x} {y} C{} {y} {} {to_y} {to_x} {to_y}\" fill=\"none\" stroke=\"#9ab\"/>",
                    x + bend,
                    to_x.saturating_sub(bend)
                ),
            );
        }
    }
    for name in places.keys() {
        let (x, y) = at(name);
        let shown: String = name.chars().take(26).collect();
        let fill = if models.contains(name) {
            "#e7f0fa"
        } else {
            "#f1f1ee"
        };
        let box_text = format!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{WIDE}\" height=\"{HIGH}\" rx=\"4\" fill=\"{fill}\" stroke=\"#9ab\"/><text x=\"{}\" y=\"{}\" font-size=\"12\">{}</text>",
            x + 8,
            y + HIGH / 2 + 4,
            escape(&shown)
        );
        match models.contains(name) {
            true => put(
                &mut svg,
                &format!("<a href=\"#{}\">{box_text}</a>", escape(name)),
            ),
            false => put(&mut svg, &box_text),
        }
    }
    svg + "</svg>"
}

fn link(table: &str, models: &Models) -> String {
    let name = escape(table);
    match models.contains(table) {
        true => format!("<a href=\"#{name}\">{name}</a>"),
        false => format!("<code>{name}</code>"),
    }
}

fn put(text: &mut String, more: &str) {
    // writing to a string cannot fail
    let _ = text.write_str(more);
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
