//! From the files under `models/` to checked models, with everything that is wrong.

use std::collections::BTreeMap;

use datafusion::sql::parser::Statement;
use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use super::hint::did_you_mean;
use super::models::{Column, Model, Models};
use super::properties::{Properties, TableSpec};
use super::sql::{TableName, parse_query, render_since};
use super::{Header, LAYERS, Materialized, OP, Sources};
use crate::base::{Place, Problem};

const FOLDER: &str = "models/";
const PROPERTIES: &str = "models.yaml";

impl Models {
    /// The models among `files` (path in the DAG's folder, text), and what is wrong with them.
    pub fn read<'a>(
        files: impl Iterator<Item = (&'a str, &'a str)>,
        sources: Sources,
    ) -> (Self, Vec<Problem>) {
        let mut models = Self {
            sources,
            ..Self::default()
        };
        let mut problems = Vec::new();
        let mut properties = Vec::new();
        for (path, text) in files {
            let Some(inside) = path.strip_prefix(FOLDER) else {
                continue;
            };
            if is_properties(inside) {
                properties.push((path, Properties::read(path, text, &mut problems)));
            } else if let Some(name) = inside.strip_suffix(".sql") {
                match read_model(path, name, text) {
                    Ok(model) => {
                        models.models.insert(model.full_name(), model);
                    }
                    Err(more) => {
                        models.broken.insert(name.replacen('/', ".", 1));
                        problems.extend(more);
                    }
                }
            }
        }
        models.order = models.models.keys().cloned().collect();
        for (path, file) in properties {
            for table in &file.sources {
                models.describe_source(path, table, &mut problems);
            }
            for table in &file.models {
                models.describe(path, table, &mut problems);
            }
        }
        models.check_tables(&mut problems);
        models.sort(&mut problems);
        (models, problems)
    }

    fn describe(&mut self, path: &str, spec: &TableSpec, problems: &mut Vec<Problem>) {
        let (name, place) = (&spec.name, spec.place);
        let tests = spec.tests(path, problems);
        let full_name = match self.model(name) {
            Ok(model) => model.full_name(),
            Err(_) if self.is_broken(name) => return,
            Err(error) => {
                let hint = error.hint_text().map(str::to_owned);
                return problems.push(place.problem(path, error.to_string(), hint));
            }
        };
        let Some(model) = self.models.get_mut(&full_name) else {
            return;
        };
        if model.properties.is_some() {
            let message = format!("model `{full_name}` is described twice");
            return problems.push(place.problem(path, message, None));
        }
        model.properties = Some(path.to_owned());
        model.description.clone_from(&spec.description);
        model.columns.clone_from(&spec.columns);
        model.tests = tests;
    }

    fn describe_source(&mut self, path: &str, spec: &TableSpec, problems: &mut Vec<Problem>) {
        let name = &spec.name;
        let schema = name.split_once('.').map(|(schema, _)| schema);
        if !schema.is_some_and(|schema| schema == OP || LAYERS.contains(&schema)) {
            let message = format!("source `{name}` is not in a layer or `{OP}`");
            let hint = Some("name it in full, as `bronze.visits`".to_owned());
            return problems.push(spec.place.problem(path, message, hint));
        }
        self.declared.insert(
            name.clone(),
            (spec.description.clone(), spec.columns.clone()),
        );
    }

    /// Whether `name`, in full or without its layer, is that of a model which cannot be read.
    fn is_broken(&self, name: &str) -> bool {
        let bare = |full: &String| full.split_once('.').is_some_and(|(_, bare)| bare == name);
        self.broken.contains(name) || self.broken.iter().any(bare)
    }

    /// Every table that a query names must be there.
    fn check_tables(&self, problems: &mut Vec<Problem>) {
        let known = self.known();
        for model in self.models.values() {
            for table in &model.reads {
                let name = table.full();
                if table.schema.is_none() {
                    let there = known
                        .iter()
                        .find(|known| known.split_once('.').is_some_and(|(_, bare)| bare == name));
                    let hint = match there {
                        Some(full) => format!("name it with its schema, as `{full}`"),
                        None => format!("tables are named with their schema: `{OP}` or a layer"),
                    };
                    let message = format!("table `{name}` is named without its schema");
                    problems.push(table.place.problem(&model.path, message, Some(hint)));
                } else if !self.knows(&name) {
                    let hint = did_you_mean(&name, known.iter().map(String::as_str));
                    let message = format!("no table `{name}`");
                    problems.push(table.place.problem(&model.path, message, hint));
                }
            }
        }
    }

    /// Puts them in order; a cycle is reported and leaves them in the order of names.
    fn sort(&mut self, problems: &mut Vec<Problem>) {
        let names: Vec<&String> = self.models.keys().collect();
        let index: BTreeMap<&str, usize> = names
            .iter()
            .enumerate()
            .map(|(at, name)| (name.as_str(), at))
            .collect();
        let mut graph = DiGraph::<(), ()>::new();
        for _ in &names {
            graph.add_node(());
        }
        for (at, name) in names.iter().enumerate() {
            for upstream in self.upstream(name) {
                graph.add_edge(NodeIndex::new(at), NodeIndex::new(index[upstream]), ());
            }
        }
        let mut order = Vec::with_capacity(names.len());
        // components come with those they lead to first
        for component in tarjan_scc(&graph) {
            if component.len() > 1 || graph.contains_edge(component[0], component[0]) {
                let path: Vec<&str> = cycle(&graph, &component)
                    .into_iter()
                    .map(|node| names[node.index()].as_str())
                    .collect();
                let model = &self.models[path[0]];
                let place = model
                    .reads
                    .iter()
                    .find(|table| Some(table.full().as_str()) == path.get(1).copied());
                let message = format!("models form a cycle: `{}`", path.join("` reads `"));
                let hint = Some("a model cannot need its own result; split one of them".to_owned());
                let place = place.map_or(Place::default(), |table| table.place);
                problems.push(place.problem(&model.path, message, hint));
            }
            order.extend(component.iter().map(|node| names[node.index()].clone()));
        }
        self.order = order;
    }
}

/// The columns of the tables that no model makes, as the `models.yaml` among `files` say them, by full name. What is wrong with a file is
/// told by [`Models::read`].
pub fn described<'a>(
    files: impl Iterator<Item = (&'a str, &'a str)>,
) -> BTreeMap<String, Vec<Column>> {
    let properties = files.filter(|(path, _)| path.strip_prefix(FOLDER).is_some_and(is_properties));
    let properties = properties.map(|(path, text)| Properties::read(path, text, &mut Vec::new()));
    let tables = properties.flat_map(|file| file.sources);
    tables.map(|table| (table.name, table.columns)).collect()
}

/// Whether the file at `inside` of the folder of models describes them.
fn is_properties(inside: &str) -> bool {
    inside == PROPERTIES || inside.ends_with("/models.yaml")
}

/// A way from the first of `component` back to it.
fn cycle(graph: &DiGraph<(), ()>, component: &[NodeIndex]) -> Vec<NodeIndex> {
    let start = component.iter().min().copied().unwrap_or_default();
    let mut came_from: BTreeMap<NodeIndex, NodeIndex> = BTreeMap::new();
    let mut queue = std::collections::VecDeque::from([start]);
    while let Some(node) = queue.pop_front() {
        for next in graph.neighbors(node) {
            if next == start {
                let mut path = vec![start, node];
                while let Some(before) = came_from.get(&path[path.len() - 1]) {
                    path.push(*before);
                }
                path.dedup();
                path.reverse();
                if path.len() == 1 {
                    path.push(start);
                }
                return path;
            }
            if next != start && !came_from.contains_key(&next) {
                came_from.insert(next, node);
                queue.push_back(next);
            }
        }
    }
    vec![start, start]
}

fn read_model(path: &str, name: &str, text: &str) -> Result<Model, Vec<Problem>> {
    let start = Place { line: 0, column: 0 };
    let Some((layer, name)) = name.split_once('/') else {
        let hint = Some(format!(
            "a model stands in the folder of its layer: {}",
            LAYERS.join(", ")
        ));
        return Err(vec![start.problem(path, "the model is in no layer", hint)]);
    };
    if !LAYERS.contains(&layer) {
        let hint =
            did_you_mean(layer, LAYERS).or_else(|| Some(format!("layers: {}", LAYERS.join(", "))));
        return Err(vec![start.problem(
            path,
            format!("no layer `{layer}`"),
            hint,
        )]);
    }
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.is_empty() || !name.chars().all(plain) || name.len() > 63 {
        let message = format!(
            "`{name}` is not a model's name, expected up to 63 lower-case letters, digits and `_`"
        );
        return Err(vec![start.problem(path, message, None)]);
    }
    let mut problems = Vec::new();
    let header = Header::read(path, text)
        .map_err(|problem| problems.push(problem))
        .ok();
    let query = read_query(path, text, header.as_ref(), &mut problems);
    let (Some(header), Some((query, reads, since)), []) = (header, query, problems.as_slice())
    else {
        return Err(problems);
    };
    Ok(Model {
        layer: layer.to_owned(),
        name: name.to_owned(),
        path: path.to_owned(),
        sql: text.to_owned(),
        header,
        description: String::new(),
        columns: Vec::new(),
        tests: Vec::new(),
        properties: None,
        query,
        reads,
        since,
    })
}

/// The query of a model, the tables it reads, and whether it holds `{{ since }}`.
fn read_query(
    path: &str,
    text: &str,
    header: Option<&Header>,
    problems: &mut Vec<Problem>,
) -> Option<(Statement, Vec<TableName>, bool)> {
    let mut wrong = |(place, message): (Place, String)| {
        problems.push(place.problem(path, message, None));
    };
    let (rendered, since) = render_since(text, "NULL").map_err(&mut wrong).ok()?;
    let query = parse_query(&rendered).map_err(&mut wrong).ok();
    if let Some(header) = header.filter(|header| since && header.since.is_none()) {
        let hint = "name the column whose highest value it is, as `since: updated_at`";
        let message = match header.materialized {
            Materialized::Incremental => "the query holds `{{ since }}`, but the header no `since`",
            _ => "`{{ since }}` is for incremental models",
        };
        problems.push(Place::default().problem(path, message, Some(hint.to_owned())));
    }
    query.map(|(query, reads)| (query, reads, since))
}
