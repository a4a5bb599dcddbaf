//! Models as Delta tables of a folder.

use std::sync::Arc;

use deltalake::kernel::Transaction;
use deltalake::kernel::transaction::CommitProperties;

use super::copied::Copied;
use super::written;
use crate::base::{Counts, Result, sha256};
use crate::lake::build::write::{care, kept, overwrite};
use crate::lake::error::delta;
use crate::lake::model::Materialized;
use crate::lake::types::kept_schema;
use crate::lake::{Folder, Warehouse};

/// Under this name the log of a published table says which version of the model's table it is a copy of.
const APPLICATION: &str = "galen.copy_of";
/// What stands there when nobody can say.
const UNKNOWN: i64 = 0;

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
        let version = self.exact_version(copied).await?;
        let sql = copied.sql();
        let compute = self.session(&sql, None).await?;
        if let Some(there) = folder.open(&name).await? {
            let log = there.log_store();
            let copy_of = there
                .snapshot()
                .map_err(delta)?
                .transaction_version(log.as_ref(), APPLICATION)
                .await
                .map_err(delta)?;
            if version.is_some() && copy_of == version {
                care(there, header, false, &compute).await?;
                let rows = self.count(&name).await?;
                return Ok(Counts {
                    read: rows,
                    unchanged: rows,
                    ..Counts::default()
                });
            }
        }
        let frame = compute.query(&sql).await?;
        let schema = Arc::new(kept_schema(frame.schema().as_arrow())?);
        let frame = kept(frame, &schema)?;
        let properties = CommitProperties::default().with_application_transaction(
            Transaction::new(APPLICATION, version.unwrap_or(UNKNOWN)),
        );
        let table = folder.open_or_new(&name).await?;
        let partition_by = &header.partition_by;
        let (table, rows) = overwrite(table, frame, &compute, partition_by, properties).await?;
        care(table, header, rows > 0, &compute).await?;
        Ok(written(rows))
    }

    /// A number for the exact version of the model's table; `None` for a view, which has none.
    async fn exact_version(&self, copied: &Copied<'_>) -> Result<Option<i64>> {
        let model = copied.model;
        if model.header.materialized == Materialized::View {
            return Ok(None);
        }
        let Some(stored) = self.lake.open(&model.layer, &model.name).await? else {
            return Ok(None);
        };
        // a table that was deleted and made again counts its versions from 0, under another id
        let id = stored.snapshot().map_err(delta)?.metadata().id();
        let digest = sha256(format!("{id}\n{:?}", stored.version())).to_string();
        Ok(digest
            .get(..15)
            .and_then(|start| i64::from_str_radix(start, 16).ok()))
    }
}
