//! Operators, one try at a time: what they do, and that doing it twice changes nothing.

mod bronze;
mod clean;
mod generate;
mod http;
mod ingest;
mod ingest_http;
mod ingest_partition;
mod merge;
mod publish;
mod shell;
mod sql;
mod twice;
mod wait_for;
