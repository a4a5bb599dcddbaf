//! Models: built, tested, queried, published, as tasks of a run.

mod build;
mod covered;
mod house;
mod op;
mod publish;
mod run;
