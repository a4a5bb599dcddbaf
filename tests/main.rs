//! Every integration test of Galen, in one binary.

mod architecture;
mod cli;
mod dag;
mod db;
mod efiche;
mod engine;
mod fire;
mod generate;
mod hospital;
mod lake;
mod operators;
mod records;
mod rules;
mod sources;
mod store;
mod support;
