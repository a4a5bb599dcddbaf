//! Models: built, tested, queried, published, as tasks of a run.

mod bucket;
mod build;
mod covered;
mod house;
mod incremental;
mod killed;
mod op;
mod publish;
mod published;
mod run;
mod trace;
mod traced;
