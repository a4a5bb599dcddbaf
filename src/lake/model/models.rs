//! A DAG's models and the order among them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use datafusion::sql::parser::Statement;

use super::sql::TableName;
use super::{Header, Materialized, OP, Sources, TestSpec};
use crate::base::{CellType, Error, Result, nearest};

/// One model.
#[derive(Debug, Clone)]
pub struct Model {
    /// Its layer.
    pub layer: String,
    /// Its name within the layer.
    pub name: String,
    /// Its file, relative to the DAG's folder.
    pub path: String,
    /// The file's text.
    pub sql: String,
    /// What its header says.
    pub header: Header,
    /// What `models.yaml` says of it.
    pub description: String,
    /// The columns that `models.yaml` names.
    pub columns: Vec<Column>,
    /// What must hold of its rows.
    pub tests: Vec<TestSpec>,
    /// The `models.yaml` that names it.
    pub properties: Option<String>,
    /// Its query as it is planned before anything ran: `{{ since }}` is null.
    pub(in crate::lake) query: Statement,
    /// The tables that its query reads.
    pub(in crate::lake) reads: Vec<TableName>,
    /// Whether its query holds `{{ since }}`.
    pub(in crate::lake) since: bool,
}

/// A column as `models.yaml` says it.
#[derive(Debug, Clone)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it means.
    pub description: String,
    /// Its type, which sources say.
    pub cell_type: CellType,
}

/// Models by full name (`gold.daily`), and the tables they may read besides.
#[derive(Debug, Clone, Default)]
pub struct Models {
    pub(super) models: BTreeMap<String, Model>,
    /// Each after those it reads.
    pub(super) order: Vec<String>,
    /// Full names of models that cannot be read. Who reads them is not told that there are none.
    pub(super) broken: BTreeSet<String>,
    /// Columns of tables that no model makes, from `models.yaml`, with their description.
    pub(super) declared: BTreeMap<String, (String, Vec<Column>)>,
    pub(super) sources: Sources,
}

impl Model {
    /// `layer.name`.
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.layer, self.name)
    }

    /// Full names of the tables it reads.
    pub fn reads(&self) -> impl Iterator<Item = String> + '_ {
        self.reads.iter().map(TableName::full)
    }
}

impl Models {
    /// The model called `name`, in full or without its layer.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub fn model(&self, name: &str) -> Result<&Model> {
        if let Some(model) = self.models.get(name) {
            return Ok(model);
        }
        let alike: Vec<&Model> = self.iter().filter(|model| model.name == name).collect();
        match alike.as_slice() {
            [one] => Ok(one),
            [] => {
                let error = Error::new(format!("no model `{name}`"));
                Err(match self.nearest(name) {
                    Some(near) => error.hint(format!("did you mean `{near}`?")),
                    None => error.hint("models are the files under `models/` of the DAG's folder"),
                })
            }
            [first, ..] => Err(
                Error::new(format!("more than one model is called `{name}`"))
                    .hint(format!("name its layer, as `{}`", first.full_name())),
            ),
        }
    }

    /// The known name nearest to `name`, with a layer when `name` has one.
    pub(super) fn nearest(&self, name: &str) -> Option<String> {
        let full = nearest(name, self.models.keys().map(String::as_str));
        let bare = || nearest(name, self.iter().map(|model| model.name.as_str()));
        full.or_else(bare).map(str::to_owned)
    }

    /// Whether there is a model with this full name.
    pub fn contains(&self, full_name: &str) -> bool {
        self.models.contains_key(full_name)
    }

    /// The model with this full name.
    pub fn get(&self, full_name: &str) -> Option<&Model> {
        self.models.get(full_name)
    }

    /// Whether there is no model.
    pub fn is_empty(&self) -> bool {
        self.models.is_empty()
    }

    /// All of them, each after those it reads.
    pub fn iter(&self) -> impl Iterator<Item = &Model> {
        self.order.iter().filter_map(|name| self.models.get(name))
    }

    /// Full names of the models that `full_name` reads itself.
    pub fn upstream<'a>(&'a self, full_name: &str) -> impl Iterator<Item = &'a str> {
        let model = self.models.get(full_name);
        let reads = model.into_iter().flat_map(Model::reads);
        reads.filter_map(|name| {
            self.models
                .get_key_value(&name)
                .map(|(name, _)| name.as_str())
        })
    }

    /// Every model that `full_name` needs, itself among them.
    pub fn needed(&self, full_name: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::from([full_name.to_owned()]);
        let mut queue = VecDeque::from([full_name.to_owned()]);
        while let Some(name) = queue.pop_front() {
            for upstream in self.upstream(&name) {
                if found.insert(upstream.to_owned()) {
                    queue.push_back(upstream.to_owned());
                }
            }
        }
        found
    }

    /// Every model that needs `full_name`, itself among them.
    pub fn needing(&self, full_name: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::from([full_name.to_owned()]);
        for name in &self.order {
            if self.upstream(name).any(|upstream| found.contains(upstream)) {
                found.insert(name.clone());
            }
        }
        found
    }

    /// Whether building `full_name` reads operational tables, itself or through views.
    pub fn reads_op(&self, full_name: &str) -> bool {
        let mut own = self
            .models
            .get(full_name)
            .into_iter()
            .flat_map(|model| &model.reads);
        own.any(|table| {
            table.schema.as_deref() == Some(OP)
                || self.models.get(&table.full()).is_some_and(|read| {
                    read.header.materialized == Materialized::View && self.reads_op(&table.full())
                })
        })
    }

    /// Whether a query may read this table.
    pub fn knows(&self, full_name: &str) -> bool {
        self.contains(full_name)
            || self.broken.contains(full_name)
            || self.declared.contains_key(full_name)
            || self.sources.open.contains(full_name)
            || self.sources.stored.contains_key(full_name)
            || full_name
                .strip_prefix("op.")
                .is_some_and(|table| self.sources.op.table(table).is_ok())
    }

    /// Full names of all tables that a query may read.
    pub fn known(&self) -> BTreeSet<String> {
        let op = self
            .sources
            .op
            .tables()
            .map(|table| format!("{OP}.{}", table.name));
        let models = self.models.keys().chain(self.declared.keys()).cloned();
        op.chain(models)
            .chain(self.broken.iter().cloned())
            .chain(self.sources.open.iter().cloned())
            .chain(self.sources.stored.keys().cloned())
            .collect()
    }

    /// The tables that no model makes.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }
}
