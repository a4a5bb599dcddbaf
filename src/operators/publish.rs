//! `publish`: models for others to read.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::models::sound_models;
use super::{Operator, Outcome, TaskContext, TaskError, Verdict};
use crate::base::{Error, Result, Secret};
use crate::dag::{Dag, DagFiles, Flaw};
use crate::lake::{self, Folder, Format, Warehouse, select};

/// Copies models to where others read them. A reader sees the old copy or the new one, never a part.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    /// Which models, as for operator `models`: `layer:gold`, `tag:bi`, `+daily`.
    select: String,
    /// Where to.
    to: Target,
    /// The folder for CSV files, Parquet files or Delta tables, or the SQLite file; relative to the home folder. Delta tables can be in an
    /// object store, as `s3://bucket/prefix`.
    path: Option<String>,
    /// The environment variable with the URL of the PostgreSQL database; the installation's own when absent.
    url_variable: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Target {
    /// Tables in schema `<dag_id>_dw`, with keys, indexes and comments.
    Postgres,
    /// A file `<layer>.<name>.csv` a model.
    Csv,
    /// A file `<layer>.<name>.parquet` a model.
    Parquet,
    /// A table a model in one file.
    Sqlite,
    /// A Delta table `<layer>.<name>` a model, which keeps its past versions for as long as `vacuum` in the model's header says.
    Delta,
}

#[async_trait]
impl Operator for Publish {
    fn check(&self, dag: &Dag, files: &DagFiles) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        match (self.to, &self.path, &self.url_variable) {
            (Target::Postgres, Some(_), _) => {
                flaws.push(Flaw::at("/path", "`path` is for files").hint("remove it"));
            }
            (Target::Postgres, None, _) | (_, Some(_), None) => {}
            (_, None, _) => {
                flaws.push(Flaw::at("", "`path` is missing").hint("for example `path: published`"));
            }
            (_, Some(_), Some(_)) => {
                flaws.push(
                    Flaw::at("/url_variable", "`url_variable` is for `to: postgres`")
                        .hint("remove it"),
                );
            }
        }
        // what is wrong with the models is told where they are built
        if let Ok(models) = sound_models(dag, files)
            && let Err(error) = self.selected(&models)
        {
            flaws.push(Flaw::of("/select", &error));
        }
        flaws
    }

    async fn run(&self, context: &TaskContext) -> Result<Verdict, TaskError> {
        tokio::select! {
            biased;
            () = context.cancel.cancelled() => Err(TaskError::Cancelled),
            done = self.publish(context) => Ok(Verdict::Done(done?)),
        }
    }
}

impl Publish {
    fn selected(&self, models: &lake::Models) -> Result<Vec<String>> {
        let chosen = select(models, &self.select)?;
        Ok(models
            .iter()
            .map(lake::Model::full_name)
            .filter(|name| chosen.contains(name))
            .collect())
    }

    async fn publish(&self, context: &TaskContext) -> Result<Outcome> {
        let models = sound_models(&context.dag, &context.files)?;
        let selected = self.selected(&models)?;
        let warehouse = Warehouse::new(
            context.settings.clone(),
            context.records.clone(),
            models.clone(),
        );
        let path = self.path.as_deref().unwrap_or_default();
        let file = context.home.join(path);
        let published = match self.to {
            Target::Postgres => {
                warehouse
                    .publish_to_postgres(&selected, &self.url(context)?)
                    .await?
            }
            Target::Csv => {
                warehouse
                    .publish_to_files(&selected, Format::Csv, &file)
                    .await?
            }
            Target::Parquet => {
                warehouse
                    .publish_to_files(&selected, Format::Parquet, &file)
                    .await?
            }
            Target::Sqlite => warehouse.publish_to_sqlite(&selected, &file).await?,
            Target::Delta => {
                warehouse
                    .publish_to_delta(&selected, &Folder::new(&context.settings, path))
                    .await?
            }
        };
        let mut outcome = Outcome::default();
        for (model, counts) in published {
            let fields = json!({"model": model, "counts": counts});
            context.log.info("model published", fields);
            outcome.counts += counts;
            outcome.tables.insert(model, counts);
        }
        Ok(outcome)
    }

    fn url(&self, context: &TaskContext) -> Result<Secret> {
        let Some(variable) = &self.url_variable else {
            return context.settings.database_url.clone().ok_or_else(|| {
                Error::new("there is no PostgreSQL database to publish to")
                    .hint("name the environment variable that holds its URL as `url_variable`, or set GALEN_DATABASE_URL")
            });
        };
        std::env::var(variable).map(Secret::new).map_err(|_| {
            Error::new(format!("environment variable `{variable}` is not set"))
                .hint("it should hold `postgres://user:password@host:port/database`")
        })
    }
}
