//! Rows kept aside while a model is built, on disk, so that they may be many.

use std::path::PathBuf;

use datafusion::arrow::datatypes::Schema;
use datafusion::config::TableParquetOptions;
use datafusion::dataframe::{DataFrame, DataFrameWriteOptions};

use crate::base::{Error, Result};
use crate::lake::compute::{ASIDE, Compute};
use crate::lake::error::running;
use crate::lake::warehouse::numbers;

/// A folder of rows; gone when dropped. What a killed build left is removed by the next.
#[derive(Debug)]
pub(in crate::lake) struct Aside {
    folder: PathBuf,
}

impl Aside {
    /// An empty folder.
    pub fn new(folder: PathBuf) -> Result<Self> {
        let failed = |error: std::io::Error| {
            Error::new(format!("cannot use folder `{}`", folder.display()))
                .because(error)
                .transient()
        };
        if folder.exists() {
            std::fs::remove_dir_all(&folder).map_err(failed)?;
        }
        std::fs::create_dir_all(&folder).map_err(failed)?;
        Ok(Self { folder })
    }

    /// Computes the rows of `frame`, makes them known as `aside.<name>`, and counts them.
    pub async fn keep(&mut self, compute: &Compute, name: &str, frame: DataFrame) -> Result<u64> {
        let folder = self.folder.join(name);
        std::fs::create_dir_all(&folder).map_err(|error| {
            Error::new(format!("cannot use folder `{}`", folder.display())).because(error)
        })?;
        let schema: Schema = frame.schema().as_arrow().clone();
        let mut options = TableParquetOptions::default();
        options.global.compression = Some("snappy".to_owned());
        let path = format!("{}/", folder.display());
        frame
            .write_parquet(&path, DataFrameWriteOptions::new(), Some(options))
            .await
            .map_err(running)?;
        let kept = compute.parquet(&folder, &schema).await?;
        compute.register(ASIDE, name, kept.into_view())?;
        let count = numbers(compute, &format!("SELECT count(*) FROM {ASIDE}.{name}")).await?;
        Ok(count.first().copied().unwrap_or(0))
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        // what is left over the next build removes
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
