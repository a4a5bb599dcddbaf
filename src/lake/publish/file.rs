//! A file a model: CSV or Parquet.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use super::written;
use crate::base::{Counts, Error, Result};
use crate::lake::{Format, Warehouse};

impl Warehouse {
    /// Writes each of these models to `<folder>/<layer>.<name>.csv` or `.parquet`, in the order of its key. Each file appears whole or
    /// not at all. Gives what became of the rows of each.
    ///
    /// # Errors
    /// When a model was not built, or a file cannot be written.
    pub async fn publish_to_files(
        &self,
        full_names: &[String],
        format: Format,
        folder: &Path,
    ) -> Result<Vec<(String, Counts)>> {
        let suffix = match format {
            Format::Parquet => "parquet",
            Format::Json => "json",
            Format::Csv | Format::Table => "csv",
        };
        let format = if format == Format::Table {
            Format::Csv
        } else {
            format
        };
        let _lock = self.lake.lock_published().await?;
        std::fs::create_dir_all(folder).map_err(|error| unwritable(folder, error))?;
        let mut published = Vec::with_capacity(full_names.len());
        for copied in self.copied(full_names)? {
            let name = copied.model.full_name();
            let path = folder.join(format!("{name}.{suffix}"));
            let part = path.with_added_extension("part");
            let file = File::create(&part).map_err(|error| unwritable(&part, error))?;
            let rows = self.query(&copied.sql(), None).await?;
            let rows = rows.write(format, &mut BufWriter::new(file)).await?;
            std::fs::rename(&part, &path).map_err(|error| unwritable(&path, error))?;
            published.push((name, written(rows)));
        }
        Ok(published)
    }
}

pub(super) fn unwritable(path: &Path, error: std::io::Error) -> Error {
    Error::new(format!("cannot write `{}`", path.display()))
        .because(error)
        .transient()
}
