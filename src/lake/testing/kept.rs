//! Counts of tests between a build and the next, one small file a model.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Counted, TestResult};
use crate::base::Result;
use crate::lake::model::Model;
use crate::lake::{Warehouse, kept_file};

/// What was counted in one build of a model.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    at: DateTime<Utc>,
    /// Losses that nobody declared, in words.
    dead_ends: Vec<String>,
    tests: BTreeMap<String, Counted>,
}

/// What is known of a model from its last build.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelResults {
    /// The model's full name.
    pub model: String,
    /// When its tests were evaluated; `None`: never.
    pub at: Option<DateTime<Utc>>,
    /// Losses that nobody declared, in words.
    pub dead_ends: Vec<String>,
    /// Its tests as they are declared now, judged by the thresholds of now. A test that was not evaluated yet is left out.
    pub tests: Vec<TestResult>,
}

impl Warehouse {
    /// Results of all models from what their last builds counted; no row is read.
    ///
    /// # Errors
    /// When a file of results cannot be read.
    pub fn results(&self) -> Result<Vec<ModelResults>> {
        self.models
            .iter()
            .map(|model| self.result_of(model))
            .collect()
    }

    fn result_of(&self, model: &Model) -> Result<ModelResults> {
        let full_name = model.full_name();
        let path = self.lake.results(&model.layer, &model.name);
        let Some(mut kept) = kept_file::read::<Kept>(&path)? else {
            return Ok(ModelResults {
                model: full_name,
                at: None,
                dead_ends: Vec::new(),
                tests: Vec::new(),
            });
        };
        let tests = model.tests.iter().filter_map(|test| {
            let counted = kept.tests.remove(&test.name)?;
            Some(TestResult::judged(&full_name, test, counted))
        });
        Ok(ModelResults {
            tests: tests.collect(),
            at: Some(kept.at),
            dead_ends: kept.dead_ends,
            model: full_name,
        })
    }

    /// Keeps what was counted; the file appears whole or not at all.
    pub(super) fn keep(
        &self,
        model: &Model,
        at: DateTime<Utc>,
        dead_ends: Vec<String>,
        results: &[TestResult],
    ) -> Result<()> {
        let path = self.lake.results(&model.layer, &model.name);
        let tests = results
            .iter()
            .map(|result| (result.test.clone(), result.counted.clone()));
        let kept = Kept {
            at,
            dead_ends,
            tests: tests.collect(),
        };
        kept_file::write(&path, &kept)
    }
}
