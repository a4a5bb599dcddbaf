//! Models for others to read: copied whole, so that a reader sees the old copy or the new one.

mod copied;
mod delta;
mod file;
mod postgres;
mod sqlite;

use std::collections::BTreeMap;

use self::copied::Copied;
use super::Warehouse;
use crate::base::{Counts, Error, Result};

impl Warehouse {
    /// The models with these full names, ready to be copied; no two may be called alike without their layers.
    fn copied(&self, full_names: &[String]) -> Result<Vec<Copied<'_>>> {
        let mut bare: BTreeMap<&str, &str> = BTreeMap::new();
        let mut copied = Vec::with_capacity(full_names.len());
        for full_name in full_names {
            let model = self.models.model(full_name)?;
            if let Some(other) = bare.insert(&model.name, &model.layer) {
                return Err(Error::new(format!(
                    "`{other}.{0}` and `{1}.{0}` would both be published as `{0}`",
                    model.name, model.layer
                ))
                .hint("publish them apart, or rename one of them"));
            }
            copied.push(Copied::new(model));
        }
        Ok(copied)
    }
}

/// All rows of a model were written.
fn written(rows: u64) -> Counts {
    Counts {
        read: rows,
        inserted: rows,
        ..Counts::default()
    }
}
