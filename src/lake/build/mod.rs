//! Building a model: its rows computed and kept, as its header says.

pub(super) mod aside;
pub(super) mod care;
mod covered;
mod dead_ends;
mod history;
mod made_of;
pub(super) mod merge;
mod partners;
mod since;
mod unfinished;
pub(super) mod write;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::dataframe::DataFrame;
use deltalake::DeltaTable;

pub use dead_ends::DeadEnd;

pub(super) use self::aside::Aside;
use self::merge::TARGET;
pub(super) use self::since::since_ever;
use super::compute::{ASIDE, Compute, Joins};
use super::error::is_exhausted;
use super::model::{Materialized, Model, render_since};
use super::turn::shared_turn;
use super::types::kept_schema;
use super::warehouse::{numbers, provider};
use super::{Lake, MadeOf, Warehouse};
use crate::base::{Counts, Error, Result};

/// How a model is to be built.
#[derive(Debug, Clone, Copy)]
pub struct Request {
    /// Whether an incremental model is computed anew from its first row on.
    pub full_refresh: bool,
    /// From when on new versions in an `scd2` model hold.
    pub as_of: DateTime<Utc>,
}

/// What a build did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Built {
    /// Rows of the query, by what became of them in the table.
    pub counts: Counts,
    /// Versions of an `scd2` model that were closed because their key is gone.
    pub closed: u64,
    /// Rows of the model now.
    pub rows: u64,
    /// The Delta version; `None` for a view.
    pub version: Option<u64>,
    /// What was lost on the way and nobody declared.
    pub dead_ends: Vec<DeadEnd>,
}

impl Built {
    /// All rows were written, in this version.
    fn anew(rows: u64, version: u64) -> Self {
        Self {
            counts: Counts {
                read: rows,
                inserted: rows,
                ..Counts::default()
            },
            version: Some(version),
            ..Self::default()
        }
    }
}

/// A model at work.
struct Building<'a> {
    lake: &'a Lake,
    model: &'a Model,
    compute: Compute,
    request: Request,
    /// What the rows of a `table` are made of, where that can be said.
    made_of: Option<MadeOf>,
}

impl Warehouse {
    /// Builds the model with this full name. Everything it reads must be there. Running it again, after success or after being cut off
    /// anywhere, leaves the same rows.
    ///
    /// # Errors
    /// When the model is unknown, its query fails, or its keys are not unique; the table is as it was then.
    pub async fn build(&self, full_name: &str, request: Request) -> Result<Built> {
        let model = self.models.model(full_name)?;
        let mut turn = shared_turn().await;
        let mut built = self.build_with(model, request, Joins::Fast).await;
        if is_out_of_memory(&built) && turn.has_company() {
            turn.alone().await;
            built = self.build_with(model, request, Joins::Fast).await;
        }
        if is_out_of_memory(&built) {
            turn.alone().await;
            built = self.build_with(model, request, Joins::Frugal).await;
        }
        built.map_err(|error| error.at(format!("model `{}`", model.full_name())))
    }

    async fn build_with(&self, model: &Model, request: Request, joins: Joins) -> Result<Built> {
        let building = Building {
            lake: &self.lake,
            model,
            // before the tables are opened: what changes in between is seen by the next build
            made_of: self.made_of_model(model).await?,
            compute: self.session_with(&model.reads, None, joins).await?,
            request,
        };
        let mut built = match model.header.materialized {
            Materialized::View => Built::default(),
            Materialized::Table => building.table().await?,
            Materialized::Incremental => building.incremental().await?,
            Materialized::Scd2 => building.history().await?,
        };
        built.rows = self.count(&model.full_name()).await?;
        built.dead_ends = building.dead_ends(built.rows, self, joins).await?;
        Ok(built)
    }
}

fn is_out_of_memory(built: &Result<Built>) -> bool {
    built.as_ref().is_err_and(is_exhausted)
}

impl Building<'_> {
    /// The model's query; `since` is what `{{ since }}` becomes.
    async fn query(&self, since: &str) -> Result<DataFrame> {
        let (sql, _) =
            render_since(&self.model.sql, since).map_err(|(_, message)| Error::new(message))?;
        self.compute.query(&sql).await
    }

    /// Writes all rows anew, unless they would be the same.
    async fn table(&self) -> Result<Built> {
        let _lock = self.lake.lock(&self.model.layer, &self.model.name).await?;
        let stored = self.lake.open(&self.model.layer, &self.model.name).await?;
        if let Some(stored) = stored
            && self.is_made(&stored).await?
        {
            return self.as_it_was(&stored).await;
        }
        let frame = self.query("NULL").await?;
        let schema = Arc::new(kept_schema(frame.schema().as_arrow())?);
        let (version, rows) = self.overwrite(write::kept(frame, &schema)?).await?;
        self.care().await?;
        Ok(Built::anew(rows, version))
    }

    /// Leaves all rows as they are.
    async fn as_it_was(&self, stored: &DeltaTable) -> Result<Built> {
        self.compute
            .register(ASIDE, TARGET, provider(stored, &self.compute).await?)?;
        let sql = format!("SELECT count(*) FROM {ASIDE}.{TARGET}");
        let rows = numbers(&self.compute, &sql).await?;
        let rows = rows.first().copied().unwrap_or(0);
        self.care().await?;
        Ok(Built {
            counts: Counts {
                read: rows,
                unchanged: rows,
                ..Counts::default()
            },
            version: stored.version(),
            ..Built::default()
        })
    }

    /// Computes the query's rows and keeps them aside under the name `aside.staged`; their keys are checked.
    async fn stage(&self, since: &str) -> Result<(Aside, u64)> {
        let frame = self.query(since).await?;
        let schema = Arc::new(kept_schema(frame.schema().as_arrow())?);
        let mut aside = Aside::new(self.lake.aside(&self.model.layer, &self.model.name))?;
        let frame = write::kept(frame, &schema)?;
        let rows = aside.keep(&self.compute, "staged", frame).await?;
        self.check_keys().await?;
        Ok((aside, rows))
    }
}
