//! Galen takes a hospital's raw data to audited tables, on a schedule.
//!
//! # Architecture
//!
//! A health system is data, not code: everything about one source system lives in a folder under `dags/`. This crate
//! names no table, no column and no hospital. What it holds is a line of rooms; each may use those before it, and the
//! test `architecture` holds every `use crate::` against that order.
//!
//! | room | holds |
//! |---|---|
//! | [`base`] | pure values: ids, clock, intervals, events, states, counts, the one error |
//! | [`config`] | what an installation decides |
//! | [`schedule`] | cron and time zone to data intervals |
//! | [`dag`] | a definition: from YAML text to a checked value, its graph, its templates |
//! | [`db`] | SQLite or PostgreSQL behind one handle |
//! | [`store`] | run metadata: versions, runs, task instances, tries, events, leases |
//! | [`records`] | rows: staging, operational tables, quarantine, row audit, provenance |
//! | [`sources`] | readers that yield bounded batches of text records |
//! | [`rules`] | what shapes and judges a record |
//! | [`lake`] | SQL models over Delta tables and operational tables: built, tested, queried, published |
//! | [`generate`] | declared synthetic data |
//! | [`operators`] | one file per kind of task |
//! | [`engine`] | what to do next, and doing it |
//! | [`cli`] | one file per verb |
//!
//! Three ideas carry the rest. **One door for change**: the state of a run or a task changes only in
//! `Store::apply`, which checks the transition, updates the state and appends a chained event in one transaction; so
//! the recovery log, the audit log and the live feed are the same table. **The engine is blind to task kinds and
//! operators are blind to the engine**: they meet in [`operators::Operator`]. **Time and chance are parameters**, so
//! every test decides both.
//!
//! ## A scheduled run
//!
//! 1. A scheduler takes the lease in [`store`] and loads `dags/` with [`dag`]; a version it has not seen is registered
//!    under the hash of its canonical form and its files.
//! 2. [`schedule`] says which data intervals have ended without a run. For each, one change through the door makes
//!    the run, in state `queued`, with an instance of every task. The run keeps its version to its end.
//! 3. One pass of [`engine`] drains everything that has happened since the last, asks its plan (a pure function of
//!    graph, states, limits and time) what follows, and writes all of it in one transaction.
//! 4. A worker renders the task's parameters, builds its operator, and gives it an [`operators::TaskContext`]. The
//!    [`operators::Outcome`] must balance: `read = inserted + updated + unchanged + duplicate + quarantined`.
//! 5. With nothing ready, the engine sleeps until the next due time or a wake-up. When the last task has ended, the
//!    plan ends the run.
//!
//! ## A crash and the recovery
//!
//! 1. The process dies by SIGKILL while a task writes its tenth batch. Eight batches share a transaction, and that of the
//!    ninth and tenth was not committed: neither their rows nor their marks in staging exist. The lease stands until its
//!    time is over.
//! 2. The next process, on this machine or another, takes the lease. It reads the states: a task is `running`, and the
//!    owner of its try is dead. It sends `task_interrupted` through the door: the try is closed as interrupted and
//!    the task is `scheduled` again. No retry is used up.
//! 3. It calls the same plan as always. There is no second engine for recovery.
//! 4. The try that follows finds eight batches marked as processed and goes on with the ninth. Keys are natural keys or
//!    UUIDv5 of them, so that even a row written twice is one row.
//!
//! ## One row, from file to table
//!
//! 1. `ingest` copies the file into `state/archive/` under the SHA-256 of its bytes, and reads the copy. The record on
//!    line 71 becomes a staging row: its cells as text, with the file, the line, the hash of its bytes and the run.
//! 2. `process` takes it in a batch of 500. Its steps turn text into dates and lists, look up codes, and check rules. A
//!    row that fails goes to quarantine with every reason, and is counted.
//! 3. Its target tables are read by key, so that each row is known to be new, changed or as it was; the first two
//!    are written, and each leaves a row in `audit_log`. A row as it was only moves on to the place of the delivery that confirms it.
//! 4. Rows, audit, quarantine and the mark in staging are kept as a whole or not at all. The digest of the batch's audit rows chains
//!    to the one before; the task's end carries it into the event chain, where `galen audit verify` holds it.
//! 5. `galen trace DAG TABLE KEY` walks the same way back.

pub mod base;
pub mod cli;
pub mod config;
pub mod dag;
pub mod db;
pub mod engine;
pub mod generate;
pub mod lake;
pub mod operators;
pub mod records;
pub mod rules;
pub mod schedule;
pub mod sources;
pub mod store;
