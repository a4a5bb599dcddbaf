//! All records of a table on their way through the rules: first those that are on their own, then those that others may repeat.

use std::sync::Arc;

use super::source::Source;
use super::work::{Rules, Ways, alone, in_order};
use crate::base::Result;
use crate::lake::{Sender, incoming};
use crate::rules::tables::Seen;

/// The ways out.
pub(super) struct Out {
    pub passed: Sender,
    pub rejected: Sender,
    /// For records of which a later stands in the place of an earlier.
    pub later: Option<Sender>,
}

impl Out {
    /// Takes all records on their way to the table `into` through the rules, and says that these were all.
    pub async fn take_all(
        self,
        rules: &Arc<Rules>,
        source: &Source<'_>,
        into: &str,
    ) -> Result<Seen> {
        let parts = source.parts(&rules.prepared.select(source.table)).await?;
        let ways = |passed: &Sender, waiting: Option<&Sender>| Ways {
            passed: passed.clone(),
            rejected: self.rejected.clone(),
            waiting: waiting.cloned(),
        };
        let seen = if rules.repeats.is_some() {
            let (sender, rows) = incoming(parts[0].schema());
            let first = async {
                let seen = alone(rules, parts, ways(&self.passed, Some(&sender))).await?;
                sender.end().await?;
                Ok(seen)
            };
            let (waiting, of_first) =
                tokio::try_join!(biased; source.warehouse.wait(into, rows), first)?;
            let chunks = waiting.in_order(&rules.prepared.order()).await?;
            let passed = self.later.as_ref().unwrap_or(&self.passed);
            let mut seen = in_order(rules, chunks, ways(passed, None)).await?;
            seen.add(&of_first);
            seen
        } else {
            alone(rules, parts, ways(&self.passed, None)).await?
        };
        // rejects first: what passed is what others go on with
        self.rejected.end().await?;
        if let Some(later) = self.later {
            later.end().await?;
        }
        self.passed.end().await?;
        Ok(seen)
    }
}
