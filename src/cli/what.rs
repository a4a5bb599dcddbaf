//! Which run of a DAG is asked for; shared by `run` and `dags trigger`.

use chrono::{DateTime, Utc};
use clap::Args;

use super::Printer;
use super::params::{pair, typed};
use super::when::{When, when};
use crate::base::{Error, Interval, Result};
use crate::dag::Dag;
use crate::engine::{Asked, TriggerRequest};
use crate::operators::FULL_REFRESH;
use crate::schedule::Timetable;

/// Which run of a DAG is asked for.
#[derive(Debug, Args)]
pub struct What {
    /// Data interval that starts on this day, in the DAG's time zone
    #[arg(long, value_name = "DATE", value_parser = when, conflicts_with_all = ["from", "to"])]
    date: Option<When>,
    /// Start of the data interval
    #[arg(long, value_name = "TIME", value_parser = when, requires = "to")]
    from: Option<When>,
    /// End of the data interval, itself not in it
    #[arg(long, value_name = "TIME", value_parser = when, requires = "from")]
    to: Option<When>,
    /// A parameter of the DAG, as `name=value`; may be repeated
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = pair)]
    params: Vec<(String, String)>,
    /// Compute incremental models anew from their first row on; short for `--param full_refresh=true`
    #[arg(long)]
    full_refresh: bool,
    /// Only these tasks: `load`, `+load` with what it needs, `load+` with what needs it; a `models` or `pipeline` task is all tasks
    /// in its place
    #[arg(long, value_name = "SELECT")]
    task: Option<String>,
}

impl What {
    /// The request for a run of `dag`.
    ///
    /// # Errors
    /// When the times make no interval.
    pub fn request(&self, dag: &Dag) -> Result<TriggerRequest> {
        let mut params = self.params.clone();
        if self.full_refresh {
            params.push((FULL_REFRESH.to_owned(), "true".to_owned()));
        }
        Ok(TriggerRequest {
            dag_id: dag.dag_id.clone(),
            asked: self.asked(&Timetable::new(dag.schedule.as_ref())?)?,
            params: typed(dag, &params),
            select: self.task.clone(),
        })
    }

    fn asked(&self, timetable: &Timetable) -> Result<Asked> {
        if let (Some(from), Some(to)) = (self.from, self.to) {
            return Ok(Asked::Exactly(Interval::new(
                from.start(timetable.zone()),
                to.start(timetable.zone()),
            )?));
        }
        match self.date {
            None => Ok(Asked::Latest),
            Some(When::Day(day)) => Ok(Asked::Date(day)),
            Some(When::Instant(time)) => timetable
                .containing(time)
                .map(Asked::Exactly)
                .ok_or_else(|| Error::new(format!("the schedule has no data interval at {time}"))),
        }
    }
}

/// Says where a run is made of a data interval that is still going on or yet to come.
pub fn warn_of_future(interval: Interval, now: DateTime<Utc>, printer: &mut Printer) {
    if interval.end > now {
        printer.note(&format!(
            "warning: this data interval has not ended, it does at {}; what comes until then is not in this run",
            interval.end.format("%Y-%m-%dT%H:%M:%SZ")
        ));
    }
}
