//! Recomputing the chain of events, to find what was tampered with.

use std::cmp::Ordering;
use std::fmt;

use super::{RawEvent, Store};
use crate::base::{AuditAnchor, DagId, Digest, Event, EventKind, Result, Subject};

/// Events read at a time.
const PAGE: u32 = 2_000;

/// What verifying the chain found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verification {
    /// Events found in order, from the first.
    pub events: u64,
    /// Hash of the last of these.
    pub hash: Digest,
    /// States of row audits named in these, in order; for holding the `audit_log`s against.
    pub anchors: Vec<Anchor>,
    /// The first thing wrong.
    pub first_break: Option<Break>,
}

/// The state of a DAG's row audit at an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// The event's number.
    pub seq: u64,
    /// The DAG.
    pub dag_id: DagId,
    /// The state.
    pub anchor: AuditAnchor,
}

/// The first place at which the chain does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Break {
    /// Number of the event.
    pub seq: i64,
    /// What happened to it.
    pub kind: BreakKind,
}

/// What happened to an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakKind {
    /// Its content is not what was hashed.
    Changed,
    /// It is gone, and others follow.
    Missing,
    /// It was put in.
    Inserted,
    /// It has changed places with the event of this number.
    Swapped(u64),
    /// Its hash and that of the one before it do not meet: one of the two was replaced.
    Replaced,
    /// It and all after it are gone.
    Truncated,
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "event {} ", self.seq)?;
        match self.kind {
            BreakKind::Changed => f.write_str("was changed: it is not what its hash was made of"),
            BreakKind::Missing => f.write_str("is missing"),
            BreakKind::Inserted => f.write_str("was inserted"),
            BreakKind::Swapped(other) => write!(f, "was swapped with event {other}"),
            BreakKind::Replaced => {
                f.write_str("or the one before it was replaced: their hashes do not meet")
            }
            BreakKind::Truncated => f.write_str("and all after it are missing"),
        }
    }
}

impl Store {
    /// Reads every event in order, recomputes every hash, and stops at the first that does not hold.
    ///
    /// # Errors
    /// The database's. That the chain does not hold is a result, not an error.
    pub async fn verify_events(&self) -> Result<Verification> {
        let mut found = Verification::default();
        loop {
            let before = found.events;
            found.first_break = self.verify_rest(&mut found).await?;
            if found.first_break.is_some() {
                return Ok(found);
            }
            let head = self.read_head().await?;
            found.first_break = match found.events.cmp(&head.seq) {
                // more were appended while this was reading
                Ordering::Less if found.events > before => continue,
                Ordering::Less => Some(Break::at(found.events + 1, BreakKind::Truncated)),
                Ordering::Greater => Some(Break::at(head.seq + 1, BreakKind::Inserted)),
                Ordering::Equal if found.hash != head.hash => {
                    Some(Break::at(head.seq, BreakKind::Replaced))
                }
                Ordering::Equal => None,
            };
            return Ok(found);
        }
    }

    async fn verify_rest(&self, found: &mut Verification) -> Result<Option<Break>> {
        // the first page reaches below 1, where nothing should be
        let mut after = if found.events == 0 {
            i64::MIN
        } else {
            found.events.cast_signed()
        };
        loop {
            let page = self.raw_events_after(after, PAGE).await?;
            for event in &page {
                let here = found.events + 1;
                match found.take(event) {
                    None => after = event.seq,
                    Some(BreakKind::Changed) => return Ok(Some(self.explain(event, here).await?)),
                    Some(kind) if event.seq < 1 => {
                        return Ok(Some(Break {
                            seq: event.seq,
                            kind,
                        }));
                    }
                    Some(kind) => return Ok(Some(Break::at(here, kind))),
                }
            }
            if page.is_empty() {
                return Ok(None);
            }
        }
    }

    /// Tells an event that was changed from one that stands at another place than it was made for.
    async fn explain(&self, event: &RawEvent, here: u64) -> Result<Break> {
        let head = self.read_head().await?;
        if here > head.seq {
            return Ok(Break::at(here, BreakKind::Inserted));
        }
        let home = (1..=head.seq).find(|seq| event.holds_at(*seq));
        let Some(home) = home.filter(|home| *home != here) else {
            return Ok(Break::at(here, BreakKind::Changed));
        };
        let there = self.raw_events_after(home.cast_signed() - 1, 1).await?;
        let is_copy = there.first().is_some_and(|other| other.hash == event.hash);
        let changed_places = there.first().is_some_and(|other| other.holds_at(here));
        Ok(if home > here {
            let swapped = BreakKind::Swapped(home);
            Break::at(
                here,
                if changed_places {
                    swapped
                } else {
                    BreakKind::Missing
                },
            )
        } else {
            // pushed back by something put in at its place
            Break::at(if is_copy { here } else { home }, BreakKind::Inserted)
        })
    }
}

impl Verification {
    /// Goes on with `event`, or says why it cannot be the next.
    fn take(&mut self, event: &RawEvent) -> Option<BreakKind> {
        let here = self.events + 1;
        match event.seq.cmp(&here.cast_signed()) {
            Ordering::Less => return Some(BreakKind::Inserted),
            Ordering::Greater => return Some(BreakKind::Missing),
            Ordering::Equal => {}
        }
        if !event.holds_at(here) {
            return Some(BreakKind::Changed);
        }
        if event.previous != self.hash.to_string() {
            return Some(BreakKind::Replaced);
        }
        let Ok(event) = event.clone().parse() else {
            return Some(BreakKind::Changed);
        };
        self.events = here;
        self.hash = event.hash;
        self.anchors.extend(Anchor::of(event));
        None
    }
}

impl Anchor {
    fn of(event: Event) -> Option<Self> {
        match (event.subject, event.kind) {
            (
                Subject::Task(dag_id, ..),
                EventKind::TaskSucceeded {
                    audit: Some(anchor),
                    ..
                },
            ) => Some(Self {
                seq: event.seq,
                dag_id,
                anchor,
            }),
            _ => None,
        }
    }
}

impl Break {
    fn at(seq: u64, kind: BreakKind) -> Self {
        Self {
            seq: seq.cast_signed(),
            kind,
        }
    }
}
