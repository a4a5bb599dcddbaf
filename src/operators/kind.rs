//! The operator interface and the list of kinds.

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::clean::Clean;
use super::generate::Generate;
use super::http::Http;
use super::ingest::Ingest;
use super::merge::Merge;
use super::models::{self, Models};
use super::noop::Noop;
use super::pipeline::{self, Pipeline};
use super::process::Process;
use super::publish::Publish;
use super::shell::Shell;
use super::sql::Sql;
use super::wait_for::WaitFor;
use super::{TaskContext, TaskError, Verdict, order, tables};
use crate::config::Settings;
use crate::dag::{Catalog, Dag, DagFiles, Flaw, Installed};

/// One kind of task with its parameters, ready to run.
#[async_trait]
pub trait Operator: Send + Sync {
    /// Flaws that show only with the DAG's files at hand: a missing file, an unknown table or column. Does no I/O.
    fn check(&self, _dag: &Dag, _files: &DagFiles) -> Vec<Flaw> {
        Vec::new()
    }

    /// Does the work of one try. Running it again, after success or after being cut off anywhere, leaves the same result.
    ///
    /// # Errors
    /// Says itself whether another try can help. Must return soon after `context.cancel` fires.
    async fn run(&self, context: &TaskContext) -> Result<Verdict, TaskError>;
}

/// A kind of task: its name, what it does, and how its parameters are read.
pub struct Kind {
    /// As in `operator: <name>`.
    pub name: &'static str,
    /// JSON Schema of the parameters.
    pub schema: fn() -> schemars::Schema,
    /// Reads rendered parameters.
    pub parse: fn(&Value) -> Parsed,
}

/// An operator with its parameters, or every flaw of the parameters.
pub type Parsed = Result<Box<dyn Operator>, Vec<Flaw>>;

impl Kind {
    /// The kind called `name` whose parameters are the struct `T`.
    pub const fn of<T>(name: &'static str) -> Self
    where
        T: Operator + DeserializeOwned + schemars::JsonSchema + 'static,
    {
        Self {
            name,
            schema: || schemars::schema_for!(T),
            parse: |with| match serde_path_to_error::deserialize::<_, T>(with) {
                Ok(operator) => Ok(Box::new(operator)),
                Err(error) => Err(vec![Flaw::at(
                    pointer(error.path()),
                    error.inner().to_string(),
                )]),
            },
        }
    }
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(format!("/{index}")),
            Segment::Map { key } => Some(format!("/{key}")),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect()
}

const ALL: &[Kind] = &[
    // by name
    Kind::of::<Clean>("clean"),
    Kind::of::<Generate>("generate"),
    Kind::of::<Http>("http"),
    Kind::of::<Ingest>("ingest"),
    Kind::of::<Merge>("merge"),
    Kind::of::<Models>("models"),
    Kind::of::<Noop>("noop"),
    Kind::of::<Pipeline>("pipeline"),
    Kind::of::<Process>("process"),
    Kind::of::<Publish>("publish"),
    Kind::of::<Shell>("shell"),
    Kind::of::<Sql>("sql"),
    Kind::of::<WaitFor>("wait_for"),
];

/// The kinds this binary has.
pub struct Operators(&'static [Kind]);

impl Operators {
    /// Every kind.
    pub const fn all() -> Self {
        Self(ALL)
    }

    /// A chosen list of kinds; for tests of the engine with kinds of their own.
    pub const fn of(kinds: &'static [Kind]) -> Self {
        Self(kinds)
    }

    /// As the check of definitions sees them in the installation of `settings`.
    pub fn installed<'a>(&'a self, settings: &'a Settings) -> Installed<'a> {
        Installed {
            operators: self,
            pools: settings.pools.iter().map(|(name, _)| name).collect(),
        }
    }

    /// The kind called `name`.
    pub fn find(&self, name: &str) -> Option<&Kind> {
        self.0.iter().find(|kind| kind.name == name)
    }
}

impl Catalog for Operators {
    fn operators(&self) -> Vec<&'static str> {
        self.0.iter().map(|kind| kind.name).collect()
    }

    fn schema(&self, operator: &str) -> Option<Value> {
        self.find(operator).map(|kind| (kind.schema)().to_value())
    }

    fn check(&self, operator: &str, with: &Value, dag: &Dag, files: &DagFiles) -> Vec<Flaw> {
        match self.find(operator).map(|kind| (kind.parse)(with)) {
            Some(Ok(operator)) => operator.check(&pipeline::unfolded(dag, files).dag, files),
            Some(Err(flaws)) => flaws,
            None => Vec::new(),
        }
    }

    fn expand(&self, dag: &mut Dag, files: &DagFiles) -> Vec<Flaw> {
        let unfolded = pipeline::unfolded(dag, files);
        let mut whole = unfolded.dag.clone().into_owned();
        let mut flaws = order::check(&whole, files);
        flaws.extend(tables::check(&whole, files));
        flaws.extend(models::expand(&mut whole, files));
        let flaws = flaws.into_iter().map(|flaw| unfolded.told(flaw));
        let flaws = unfolded.flaws.iter().cloned().chain(flaws).collect();
        *dag = whole;
        flaws
    }
}
