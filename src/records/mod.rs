//! Staging, operational and quarantine tables of one DAG, on SQLite or PostgreSQL.

/// The records database of one DAG; cheap to clone, connects on first use.
#[derive(Clone)]
pub struct Records {}
