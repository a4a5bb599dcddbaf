//! Models as Delta tables of a folder.

use std::sync::Arc;

use super::copied::Copied;
use super::written;
use crate::base::{Counts, Result};
use crate::lake::build::care::care;
use crate::lake::build::write::{kept, overwrite};
use crate::lake::model::{Materialized, Model};
use crate::lake::types::kept_schema;
use crate::lake::{Folder, MadeOf, Warehouse};

impl Warehouse {
    /// Writes each of these models as the Delta table `<layer>.<name>` of `folder`, its files laid out and cleared away as the model's
    /// header says. Each changes in one commit, and not at all when it is a copy of the model's table as that is now. Gives what became of
    /// the rows of each.
    ///
    /// # Errors
    /// When a model was not built, or a table cannot be written.
    pub async fn publish_to_delta(
        &self,
        full_names: &[String],
        folder: &Folder,
    ) -> Result<Vec<(String, Counts)>> {
        let _lock = self.lake.lock_published().await?;
        let mut published = Vec::with_capacity(full_names.len());
        for copied in self.copied(full_names)? {
            let counts = self.copy_to_delta(&copied, folder).await?;
            published.push((copied.model.full_name(), counts));
        }
        Ok(published)
    }

    async fn copy_to_delta(&self, copied: &Copied<'_>, folder: &Folder) -> Result<Counts> {
        let name = copied.model.full_name();
        let header = &copied.model.header;
        // before the rows are read: what changes in between is seen by the next copy
        let copy_of = self.copy_of(copied.model).await?;
        let sql = copied.sql();
        let compute = self.session(&sql, None).await?;
        if let (Some(there), Some(copy_of)) = (folder.open(&name).await?, copy_of)
            && copy_of.made(&there).await?
        {
            care(there, header.care(), &compute).await?;
            let rows = self.count(&name).await?;
            return Ok(Counts {
                read: rows,
                unchanged: rows,
                ..Counts::default()
            });
        }
        let frame = compute.query(&sql).await?;
        let schema = Arc::new(kept_schema(frame.schema().as_arrow())?);
        let frame = kept(frame, &schema)?;
        let properties = MadeOf::commit(copy_of);
        let table = folder.open_or_new(&name).await?;
        let partition_by = &header.partition_by;
        let (table, rows) = overwrite(table, frame, &compute, partition_by, properties).await?;
        care(table, header.care(), &compute).await?;
        Ok(written(rows))
    }

    /// The exact version of the model's table; `None` for a view, which has none.
    async fn copy_of(&self, model: &Model) -> Result<Option<MadeOf>> {
        if model.header.materialized == Materialized::View {
            return Ok(None);
        }
        let version = self.lake.version_text(&model.layer, &model.name).await?;
        Ok(version.and_then(|version| MadeOf::parts([version])))
    }
}
