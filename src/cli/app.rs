//! What every verb is given besides its arguments.

use std::path::PathBuf;
use std::sync::Arc;

use super::dags::{load_known, load_one};
use crate::base::{Clock, Error, Result, SystemClock};
use crate::config::{HOME_VARIABLE, Settings};
use crate::dag::Version;
use crate::engine::Handle;
use crate::lake::{Graded, Makings, Models, Warehouse};
use crate::operators::{Operators, made_from, makings, sound_models};
use crate::records::Records;
use crate::store::Store;

static OPERATORS: Operators = Operators::all();

/// The installation a command works on.
pub struct App {
    /// Settings of the installation.
    pub settings: Arc<Settings>,
    /// Where "now" comes from.
    pub clock: Arc<dyn Clock>,
}

impl App {
    /// The installation in `home`, else in `$GALEN_HOME`, else here.
    ///
    /// # Errors
    /// When there is no such folder or its settings are wrong.
    pub fn open(home: Option<PathBuf>) -> Result<Self> {
        let home = home
            .or_else(|| std::env::var_os(HOME_VARIABLE).map(PathBuf::from))
            .unwrap_or_else(|| PathBuf::from("."));
        if !home.is_dir() {
            let message = format!("home `{}` is not a folder", home.display());
            return Err(Error::new(message).hint(format!(
                "`--home DIR` or `${HOME_VARIABLE}` names the folder that holds `dags`"
            )));
        }
        let environment = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        Ok(Self {
            settings: Arc::new(Settings::load(&home, environment)?),
            clock: Arc::new(SystemClock),
        })
    }

    /// The run metadata, brought up to date.
    ///
    /// # Errors
    /// When the database cannot be reached or written, or was made by a newer version.
    pub async fn store(&self) -> Result<Store> {
        let store = Store::open(&self.settings)?;
        store.migrate(self.clock.now()).await?;
        Ok(store)
    }

    /// The door for commands.
    ///
    /// # Errors
    /// As [`App::store`].
    pub async fn handle(&self) -> Result<Handle> {
        let store = self.store().await?;
        Ok(Handle::new(
            store,
            self.settings.clone(),
            self.clock.clone(),
            &OPERATORS,
        ))
    }

    /// The records of a DAG, with the tables it declares.
    ///
    /// # Errors
    /// When there is no such DAG, or it is broken.
    pub fn records(&self, dag: &str) -> Result<Records> {
        self.records_of(&load_known(self, dag)?)
    }

    /// The models of a DAG and the tables they read and make.
    ///
    /// # Errors
    /// When there is no such DAG, or it is broken.
    pub fn warehouse(&self, dag: &str) -> Result<Warehouse> {
        let version = load_known(self, dag)?;
        let models = sound_models(&version.dag, &version.files)?;
        let records = self.records_of(&version)?;
        Ok(Warehouse::new(self.settings.clone(), records, models))
    }

    /// The grade of each mart of a DAG.
    ///
    /// # Errors
    /// As [`App::warehouse`], and when what rules and tests said cannot be read.
    pub fn grades(&self, dag: &str) -> Result<Vec<Graded>> {
        let version = load_one(self, dag)?;
        self.warehouse(dag)?
            .grades(made_from(&version.dag, &version.files))
    }

    /// How the tasks of a DAG make the tables that its models read.
    ///
    /// # Errors
    /// As [`App::models`].
    pub fn makings(&self, dag: &str) -> Result<Makings> {
        Ok(makings(&load_one(self, dag)?.dag))
    }

    /// The sound models of a DAG.
    ///
    /// # Errors
    /// When there is no such DAG, or anything of it is broken.
    pub fn models(&self, dag: &str) -> Result<Arc<Models>> {
        let version = load_one(self, dag)?;
        sound_models(&version.dag, &version.files)
    }

    fn records_of(&self, version: &Version) -> Result<Records> {
        let Version { dag, files, .. } = version;
        let records = Records::open(&self.settings, &dag.dag_id)?;
        Ok(match &dag.tables {
            Some(path) => records.with_tables(Arc::clone(files.text(path)?)),
            None => records,
        })
    }
}
