//! A DAG's tasks as text: in layers, or for Graphviz.

use std::fmt::Write as _;

use super::{Dag, Graph, Task};
use crate::base::TriggerRule;

/// The tasks in layers; each layer needs only those above it.
pub fn layers(dag: &Dag, graph: &Graph) -> String {
    let widest = |width: fn(&Task) -> usize| dag.tasks.iter().map(width).max().unwrap_or(0);
    let names = widest(|task| task.task_id.as_str().chars().count());
    let operators = widest(|task| task.operator.chars().count());
    let mut text = String::new();
    for (number, layer) in graph.layers().iter().enumerate() {
        for (position, index) in layer.iter().enumerate() {
            let task = &dag.tasks[*index];
            let mark = if position == 0 {
                (number + 1).to_string()
            } else {
                String::new()
            };
            let line = format!(
                "{mark:>3}  {:names$}  {:operators$}  {}",
                task.task_id.as_str(),
                task.operator,
                needs(task)
            );
            // writing to a string cannot fail
            let _ = writeln!(text, "{}", line.trim_end());
        }
    }
    text
}

fn needs(task: &Task) -> String {
    let names: Vec<&str> = task.depends_on.iter().map(|task| task.as_str()).collect();
    let mut parts = Vec::new();
    if !names.is_empty() {
        parts.push(format!("after {}", names.join(", ")));
    }
    if task.trigger_rule != TriggerRule::AllSuccess {
        parts.push(format!("({})", task.trigger_rule));
    }
    if let Some(when) = &task.when {
        parts.push(format!("when {when}"));
    }
    parts.join(" ")
}

/// The graph in Graphviz's language; edges that a trigger rule other than `all_success` reads are dashed.
pub fn dot(dag: &Dag) -> String {
    let quote = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let mut text = format!(
        "digraph {} {{\n  rankdir=LR;\n  node [shape=box];\n",
        quote(dag.dag_id.as_str())
    );
    for task in &dag.tasks {
        let label = quote(&format!("{}\n{}", task.task_id, task.operator)).replace('\n', "\\n");
        let _ = writeln!(text, "  {} [label={label}];", quote(task.task_id.as_str()));
    }
    for task in &dag.tasks {
        let style = match task.trigger_rule {
            TriggerRule::AllSuccess => "",
            _ => " [style=dashed]",
        };
        for upstream in &task.depends_on {
            let (from, to) = (quote(upstream.as_str()), quote(task.task_id.as_str()));
            let _ = writeln!(text, "  {from} -> {to}{style};");
        }
    }
    text.push_str("}\n");
    text
}
