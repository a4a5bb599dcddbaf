//! What jobs come to: tables that go through their rules in one pass, and tables that are merged into the next layer.

use std::collections::BTreeMap;

use super::jobs::{Job, JobKind};
use super::place::{Place, Problems};
use super::sources::Source;
use crate::base::Error;

/// The layer of a table that no source and no job makes: a task beside the rule tables lands it there.
const LANDED: &str = "bronze";

/// The jobs of all tables, put together. Tables have their full names, as `silver.stage_visits`.
#[derive(Debug, Default)]
pub struct Flow {
    /// Each in the place of a row of `cleanse`, `std`, `dq` and `stage` jobs.
    pub passes: Vec<Pass>,
    /// Each in the place of an `ingest` job and the `dedup` job of its target.
    pub merges: Vec<Merge>,
}

/// The rules of a table, applied in one pass.
#[derive(Debug, Clone)]
pub struct Pass {
    /// Its last job.
    pub place: Place,
    /// The table that is read.
    pub from: String,
    /// The table that is kept.
    pub into: String,
    /// By which name each job knows the table, in their order; the kept one's is not among them.
    names: Vec<(JobKind, String)>,
    /// What identifies a row; empty without a `stage` job.
    pub(super) key: Vec<String>,
}

/// A table that is merged into another.
#[derive(Debug)]
pub struct Merge {
    /// Its `ingest` job.
    pub place: Place,
    /// The table that is read.
    pub from: String,
    /// The table that is kept.
    pub into: String,
    /// What identifies a row.
    pub key: Vec<String>,
    /// Columns by which rows are the same, and the job that says so.
    pub dedup: Option<(Place, Vec<String>)>,
}

impl Pass {
    /// The name of the table for jobs of this kind; `None` without one.
    pub(super) fn name(&self, kind: JobKind) -> Option<&str> {
        let mut names = self.names.iter();
        let found = names.find(|(known, _)| *known == kind);
        found.map(|(_, name)| name.as_str())
    }

    /// The names on the way and the key, as text.
    pub(super) fn way(&self) -> String {
        format!("{:?} {:?}", self.names, self.key)
    }

    /// That of a table whose rules all know it by its own name, without jobs.
    pub(super) fn alone(table: &str) -> Self {
        let kinds = JobKind::ALL.into_iter().filter(|kind| applies_rules(*kind));
        Self {
            place: Place {
                file: table.into(),
                line: 0,
            },
            from: table.to_owned(),
            into: table.to_owned(),
            names: kinds.map(|kind| (kind, table.to_owned())).collect(),
            key: Vec::new(),
        }
    }
}

impl Flow {
    /// Puts `jobs` together, which are in the order in which they go.
    pub(super) fn of(jobs: &[Job], sources: &[Source], problems: &mut Problems) -> Self {
        let mut flow = Self::default();
        let applies = |job: &&Job| applies_rules(job.kind);
        for job in jobs.iter().filter(applies) {
            let mut before = jobs.iter().filter(applies);
            let goes_on = before.any(|other| follows(other, job));
            if !goes_on {
                flow.passes.push(pass(job, jobs, sources, problems));
            }
        }
        for job in jobs.iter().filter(|job| job.kind == JobKind::Ingest) {
            let dedup = jobs.iter().find(|other| dedups(other, job));
            flow.merges.push(Merge {
                place: job.place.clone(),
                from: full_name(&job.source, jobs, sources),
                into: format!("{}.{}", job.layer, job.target),
                key: job.key.clone(),
                dedup: dedup.map(|job| (job.place.clone(), job.key.clone())),
            });
        }
        flow.check(jobs, problems);
        flow
    }

    /// The pass that begins with the table `name`.
    pub(super) fn pass_of(&self, name: &str) -> Option<&Pass> {
        self.passes.iter().find(|pass| bare(&pass.from) == name)
    }

    /// The tables into which the rows of `pass` are merged, directly.
    pub(super) fn merges_of<'a>(&'a self, pass: &'a Pass) -> impl Iterator<Item = &'a Merge> {
        self.merges.iter().filter(|merge| merge.from == pass.into)
    }

    /// The full name of the table that keeps the rows which rules call `name`; of a table that is cleaned the clean rows.
    pub(super) fn kept(&self, name: &str) -> Option<&str> {
        let passes = self.passes.iter().map(|pass| pass.into.as_str());
        let merges = self.merges.iter().map(|merge| merge.into.as_str());
        let exact = passes.chain(merges).find(|into| bare(into) == name);
        let on_the_way = |pass: &&Pass| pass.names.iter().any(|(_, known)| known == name);
        exact.or_else(|| Some(&self.passes.iter().find(on_the_way)?.into))
    }

    fn check(&self, jobs: &[Job], problems: &mut Problems) {
        let mut read: BTreeMap<&str, &Job> = BTreeMap::new();
        for job in jobs.iter().filter(|job| applies_rules(job.kind)) {
            if let Some(other) = read.insert(&job.source, job) {
                let error = Error::new(format!(
                    "table `{}` goes on with the job on line {} already",
                    job.source, other.place.line
                ))
                .hint("the rules of a table are one way; several `ingest` jobs may read where it ends");
                problems.add(&job.place, &error);
            }
        }
        for job in jobs.iter().filter(|job| job.kind == JobKind::Ingest) {
            let on_the_way = |pass: &&Pass| {
                let mut names = pass.names.iter().skip(1);
                names.any(|(_, name)| *name == job.source)
            };
            if let Some(pass) = self.passes.iter().find(on_the_way) {
                let end = bare(&pass.into);
                let error = Error::new(format!(
                    "table `{}` is not kept, its rows go on to `{end}`",
                    job.source
                ))
                .hint(format!("let the job read `{end}`"));
                problems.add(&job.place, &error);
            }
        }
        for job in jobs.iter().filter(|job| job.kind == JobKind::Dedup) {
            if !jobs.iter().any(|other| dedups(job, other)) {
                let error = Error::new(format!("no `ingest` job makes `{}.{}`", job.layer, job.target))
                    .hint("`dedup` is for a table that an `ingest` job makes; the key of a `stage` job keeps one row a key as well");
                problems.add(&job.place, &error);
            }
        }
    }
}

/// The pass that begins with `first`.
fn pass(first: &Job, jobs: &[Job], sources: &[Source], problems: &mut Problems) -> Pass {
    let mut last = first;
    let mut names = vec![(first.kind, first.source.clone())];
    while let Some(next) = jobs.iter().find(|job| follows(last, job)) {
        names.push((next.kind, next.source.clone()));
        last = next;
    }
    if sources.iter().any(|source| source.table == last.target) {
        let error = Error::new(format!("table `{}` is a source already", last.target))
            .hint("the tables of all layers have names of their own");
        problems.add(&last.place, &error);
    }
    let key = match last.kind {
        JobKind::Stage => last.key.clone(),
        _ => Vec::new(),
    };
    Pass {
        place: last.place.clone(),
        from: full_name(&first.source, jobs, sources),
        into: format!("{}.{}", last.layer, last.target),
        names,
        key,
    }
}

/// Whether `next` goes on in the pass in which `job` is.
fn follows(job: &Job, next: &Job) -> bool {
    applies_rules(next.kind) && next.source == job.target && next.kind > job.kind
}

/// Whether `job` deduplicates what `ingest` makes.
fn dedups(job: &Job, ingest: &Job) -> bool {
    let kinds = (job.kind, ingest.kind) == (JobKind::Dedup, JobKind::Ingest);
    kinds && job.target == ingest.target && job.layer == ingest.layer
}

const fn applies_rules(kind: JobKind) -> bool {
    !matches!(kind, JobKind::Ingest | JobKind::Dedup)
}

/// A table's name without its layer.
fn bare(full_name: &str) -> &str {
    full_name
        .split_once('.')
        .map_or(full_name, |(_, name)| name)
}

/// The table `name` with its layer.
fn full_name(name: &str, jobs: &[Job], sources: &[Source]) -> String {
    let made = jobs.iter().find(|job| job.target == name);
    let source = sources.iter().find(|source| source.table == name);
    let layer = source.map(|source| source.layer.as_str());
    let layer = layer.or(made.map(|job| job.layer.as_str()));
    format!("{}.{name}", layer.unwrap_or(LANDED))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::tables::compatibility::Compatibility;
    use crate::rules::tables::jobs;

    fn flow(lines: &str) -> (Flow, Vec<String>) {
        let mut problems = Problems::default();
        let text = format!(
            "layer,job_typ,source,target,catalog_name,schema_name,ref_table,seq_no,is_active\n{lines}"
        );
        let jobs = jobs::read("j", &text, None, Compatibility::Corrected, &mut problems);
        let flow = Flow::of(&jobs, &[], &mut problems);
        (flow, problems.0.iter().map(ToString::to_string).collect())
    }

    const SOUND: &str = "silver,cleanse,a,c_a,c,s,cleansing_rules,1,Y\nsilver,dq,c_a,d_a,c,s,dq_rule_config,1,Y\n\
                         silver,stage,d_a,s_a,c,s,id,1,Y\ngold,ingest,s_a,g_a,c,s,id,1,Y\ngold,ingest,s_a,g_b,c,s,id,2,Y\n\
                         gold,dedup,,g_a,c,s,name,1,Y\n";

    #[test]
    fn jobs_become_passes_and_merges() {
        let (flow, problems) = flow(SOUND);
        assert_eq!(problems, [""; 0]);
        let [pass] = flow.passes.as_slice() else {
            panic!("{flow:?}");
        };
        assert_eq!((&*pass.from, &*pass.into), ("bronze.a", "silver.s_a"));
        assert_eq!(pass.name(JobKind::Quality), Some("c_a"));
        assert_eq!(pass.name(JobKind::Standardize), None);
        let merges: Vec<_> = flow.merges_of(pass).map(|merge| &*merge.into).collect();
        assert_eq!(merges, ["gold.g_a", "gold.g_b"]);
        assert!(flow.merges[0].dedup.is_some() && flow.merges[1].dedup.is_none());
        for (name, kept) in [
            ("a", "silver.s_a"),
            ("c_a", "silver.s_a"),
            ("g_b", "gold.g_b"),
        ] {
            assert_eq!(flow.kept(name), Some(kept));
        }
        assert_eq!(flow.kept("x"), None);
    }

    #[test]
    fn a_table_goes_one_way() {
        let wrong = [
            (
                "silver,std,c_a,x,c,s,ref_data,1,Y\n",
                "j:3: table `c_a` goes on with the job on line 8 already",
            ),
            (
                "gold,ingest,d_a,g_c,c,s,id,3,Y\n",
                "j:8: table `d_a` is not kept, its rows go on to `s_a`",
            ),
            (
                "silver,dedup,,s_a,c,s,id,9,Y\n",
                "j:8: no `ingest` job makes `silver.s_a`",
            ),
        ];
        for (more, expected) in wrong {
            let (_, problems) = flow(&format!("{SOUND}{more}"));
            let [problem] = problems.as_slice() else {
                panic!("{problems:#?}");
            };
            assert!(problem.starts_with(expected), "{problem}");
        }
    }
}
