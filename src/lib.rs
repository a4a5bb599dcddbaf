//! Galen takes a hospital's raw data to audited tables, on a schedule.

pub mod base;
pub mod cli;
pub mod config;
pub mod dag;
pub mod db;
pub mod engine;
pub mod generate;
pub mod operators;
pub mod records;
pub mod rules;
pub mod schedule;
pub mod sources;
pub mod store;
