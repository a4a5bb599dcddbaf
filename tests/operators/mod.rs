//! Operators, one try at a time: what they do, and that doing it twice changes nothing.

mod generate;
mod ingest;
mod ingest_partition;
mod shell;
mod sql;
