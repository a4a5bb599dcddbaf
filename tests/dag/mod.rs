//! Tests: dag.
