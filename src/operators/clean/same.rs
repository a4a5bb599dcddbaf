//! Records and rules that have not changed need not be gone through again.

use serde_json::json;

use super::{Clean, parents};
use crate::base::{Counts, Result};
use crate::lake::Warehouse;
use crate::operators::{FULL_REFRESH, Outcome, TaskContext};
use crate::rules::tables::Cleaning;

impl Clean {
    /// A number for the rules and the exact versions of all tables that the result depends on; `None` where it depends on more, as on the
    /// time, or everything is to be done anew.
    pub(super) async fn made_of(
        &self,
        cleaning: &Cleaning,
        context: &TaskContext,
        warehouse: &Warehouse,
    ) -> Result<Option<i64>> {
        let anew = context.params.get(FULL_REFRESH).and_then(|v| v.as_bool());
        if anew == Some(true) || !cleaning.is_same_every_time() {
            return Ok(None);
        }
        let folder = format!(
            "{}/",
            self.rules.trim_start_matches("./").trim_end_matches('/')
        );
        let rules = context.files.iter();
        let rules: Vec<(&str, &str)> = rules
            .filter(|(path, _)| path.starts_with(folder.trim_start_matches("./")) || folder == "/")
            .map(|(path, text)| (path, text.as_ref()))
            .collect();
        let how = format!("{:?}", self.compatibility);
        let text = json!([self.from, self.into, how, self.partition_by, rules]).to_string();
        let mut tables = parents::names(cleaning, self, &context.dag);
        tables.push(self.from.clone());
        warehouse.made_of_text(&text, tables).await
    }

    /// What a run reports that leaves both tables as they are; `None` when they are not those that it would make.
    pub(super) async fn as_it_was(
        &self,
        made_of: i64,
        warehouse: &Warehouse,
    ) -> Result<Option<Outcome>> {
        let quarantine = self.quarantine();
        for table in [&quarantine, &self.into] {
            if !warehouse.is_made_of(table, made_of).await? {
                return Ok(None);
            }
        }
        let read = warehouse.count(&self.from).await?;
        let unchanged = warehouse.count(&self.into).await?;
        let quarantined = warehouse.count(&quarantine).await?;
        let Some(duplicate) = read.checked_sub(unchanged + quarantined) else {
            return Ok(None);
        };
        let counts = Counts {
            read,
            unchanged,
            duplicate,
            quarantined,
            ..Counts::default()
        };
        Ok(Some(Outcome {
            counts,
            tables: [(self.into.clone(), counts)].into(),
            outputs: [("rows".to_owned(), json!(unchanged))]
                .into_iter()
                .collect(),
            ..Outcome::default()
        }))
    }
}
